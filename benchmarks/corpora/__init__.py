"""Seeded corpora: the same arguments make the same bytes and times on every machine."""
