"""What knows the memory of an agent: entities, notes, indexes and backups. The operations beside it know only files."""
