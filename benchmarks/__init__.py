"""Seeded corpora and a harness that runs icc-store and its peers on the same data."""
