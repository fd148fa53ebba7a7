"""Numbered blocks, one sorted set of index rows, and small tables. Everything here is opaque bytes."""
