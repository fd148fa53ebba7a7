"""Bytes to bytes, pure: hashing, chunking, compression, serialisation. Nothing here knows a repository."""
