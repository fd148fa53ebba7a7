"""A process that ends, without being able to do anything about it, at the n-th thing it reports."""

from __future__ import annotations

from icc_store.monitor import Monitor


class Died(BaseException):
    """The process ended here."""


class Mortal(Monitor):
    """Ends it at the report of this number."""

    def __init__(self, at: int) -> None:
        self.left = at

    def phase(self, name: str) -> None:
        self._count()

    def advance(self, files: int, size: int, path: bytes) -> None:
        self._count()

    def _count(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Died
