"""One module per parser of untrusted bytes, each with `fuzz_one`, `SEEDS` and `ALLOWED`; see fuzz/run.py."""
