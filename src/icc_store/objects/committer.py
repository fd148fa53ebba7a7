"""Packed blocks into the store: at once, or by a thread while whoever gathers them goes on.

A commit waits for the disk longer than for anything else, and a file of 2 GiB takes three hundred of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from icc_store.objects.appending import append_content
from icc_store.objects.block import Frame, encode_block
from icc_store.objects.reader import ObjectReader
from icc_store.quick_dataclass import dataclass
from icc_store.store.protocol import Store, WriteTransaction

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

Blocks = Sequence[Sequence[Frame]]
"""Frames, by the block that they go to."""

Places = Mapping[bytes, int]
"""In which blocks the bases of frames were read."""


@dataclass
class WriterCounters:
    """What a run added. Bytes are bytes."""

    objects: int = 0
    plain_bytes: int = 0
    stored_bytes: int = 0
    blocks: int = 0
    delta_objects: int = 0


class Committer:
    """Commits for one thread, one batch after the other."""

    def __init__(self, store: Store, reader: ObjectReader, repository: bytes) -> None:
        self.counters = WriterCounters()
        self.before_commit: Callable[[int], None] | None = None
        """Called with the bytes that are about to be written, maybe in a thread; raises when they must not be."""
        self._store = store
        self._reader = reader
        self._repository = repository
        self._thread: ThreadPoolExecutor | None = None
        self._begun: tuple[Blocks, Future[None]] | None = None

    def close(self) -> None:
        """Let the thread finish what it is at, and end."""
        if self._thread is not None:
            self._thread.shutdown(wait=True)
            self._thread = None

    def begin(self, blocks: Blocks, places: Places) -> None:
        """Commit these while the caller goes on; readers see them after `finish`, which must come before the next."""
        if self._thread is None:
            # Here, since small snapshots need no threads, and it takes 8 ms to load.
            from concurrent.futures import ThreadPoolExecutor

            self._thread = ThreadPoolExecutor(1, thread_name_prefix="commit")
        self._begun = blocks, self._thread.submit(self._write, blocks, places, None)

    def finish(self) -> None:
        """Wait until what was begun is committed. Raises what `commit` does; interrupted, it can be called again."""
        if self._begun is None:
            return
        blocks, written = self._begun
        failure = written.exception()
        self._begun = None
        if failure is not None:
            raise failure
        self._note(blocks)

    def commit(self, blocks: Blocks, places: Places, finish: Callable[[WriteTransaction], None] | None = None) -> None:
        """Write these in one transaction; `finish` is called in it, last. When this raises, nothing was added.

        Raises what `finish` does; BaseCollected when gc took what something is written against.
        """
        self._write(blocks, places, finish)
        self._note(blocks)

    def _write(self, blocks: Blocks, places: Places, finish: Callable[[WriteTransaction], None] | None) -> None:
        encoded = [(encode_block(self._repository, block), block) for block in blocks]
        added = sum(len(data) for data, _ in encoded)
        if self.before_commit is not None and encoded:
            self.before_commit(added)
        self.counters.stored_bytes += added  # before `finish`, which may want to write it down
        try:
            with self._store.write() as txn:
                append_content(txn, self._repository, encoded, places)
                if finish is not None:
                    finish(txn)
        except BaseException:  # whatever it is
            self.counters.stored_bytes -= added
            raise

    def _note(self, blocks: Blocks) -> None:
        self._reader.renew()
        self.counters.blocks += len(blocks)
        self.counters.delta_objects += sum(len(frame.ids) for block in blocks for frame in block if frame.bases)
