"""Validation of one file as a scan calls it: plain values out, for what is kept of the file."""

from __future__ import annotations

from typing import Any

from icc_store.entities.validate import check_file, facts_to_wire


def check_to_wire(path: bytes, data: bytes) -> Any:
    """What validation found in a file of an icc memory, packable; None when there is nothing to keep."""
    return facts_to_wire(check_file(path, data))
