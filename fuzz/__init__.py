"""Fuzzing of everything that parses bytes from outside: one target per parser, in fuzz/targets."""
