"""Objects by id: the block format, the index, and how objects get into blocks and out again."""
