"""icc-store: a content-addressed, deduplicating backup store."""
