"""What is known about the memories of AI agents: their layouts, records, rules. Pure: bytes and stored paths in."""
