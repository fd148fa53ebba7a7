"""Archives that would take all the memory or time there is, and gc at the same time."""

from __future__ import annotations

import io
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from icc_store.codec.archive_stream import ArchiveFormat, ArchiveWriter
from icc_store.errors import ArchiveError, IccStoreError
from icc_store.limits import MIB
from icc_store.model.record import Subject
from icc_store.model.repository import Repository
from icc_store.model.walk import lookup
from icc_store.opening import create_repository
from icc_store.operations.tar_export import export_tar
from icc_store.operations.tar_import import import_tar
from tests.support import tars
from tests.support.snapshots import take


def refused(repository: Repository, data: bytes, match: str) -> ArchiveError:
    """The error; and no snapshot was made."""
    with pytest.raises(ArchiveError, match=match) as caught:
        import_tar(repository, io.BytesIO(data))
    assert repository.snapshots() == []
    return caught.value


def test_a_hole_of_any_size_is_only_a_hole(repository: Repository) -> None:
    """Eight exabytes of nothing take no time and no room."""
    result = import_tar(repository, io.BytesIO(tars.archive(tars.sparse_one_zero((1 << 63) - 1, b"1\n5\n3\n", b"abc"))))
    assert lookup(repository.objects, result.snapshot.record, b"s").entry.size == (1 << 63) - 1


def test_a_hole_cannot_keep_the_hasher_busy(repository: Repository) -> None:
    """A forged digest of a huge hole is refused, not worked out for years."""
    comment = b'icc-store {"sha256":"%b"}' % (b"00" * 32)
    records = tars.ONE_ZERO | {b"GNU.sparse.realsize": b"%d" % (1 << 60), b"comment": comment}
    refused(repository, tars.archive(tars.sparse(records, tars.filled(b"0\n"))), "digest")


def test_a_map_of_many_pieces_is_bounded(repository: Repository) -> None:
    """A map with more stretches than any file needs is refused before it fills the memory."""
    text = b"2000000\n" + b"".join(b"%d\n1\n" % (2 * number) for number in range(1_050_000))
    refused(repository, tars.archive(tars.sparse_one_zero(1 << 40, text, bytes(1_050_000))), "too long")


@pytest.mark.parametrize("form", [ArchiveFormat.GZIP, ArchiveFormat.ZSTD])
def test_a_bomb_in_a_header_takes_no_memory(repository: Repository, form: ArchiveFormat) -> None:
    """A gigabyte of zeros where an extended header should be costs a few MiB and a message."""
    out = io.BytesIO()
    writer = ArchiveWriter(out.write, form)
    writer.write(tars.header(b"x", b"x", 0o7777777777))
    for _ in range(300):
        writer.write(bytes(MIB))
    writer.close()
    tracemalloc.start()
    try:
        refused(repository, out.getvalue(), "too large")
        assert tracemalloc.get_traced_memory()[1] < 80 * MIB
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize("form", list(ArchiveFormat))
def test_a_large_file_streams_in_bounded_memory(tmp_path: Path, form: ArchiveFormat) -> None:
    """A file of 192 MiB in and out again: the process stays below its size."""
    create_repository(tmp_path / "repository")
    script = f"""
import io, os, random, sys, threading
from pathlib import Path
from icc_store.codec.archive_stream import ArchiveFormat, ArchiveWriter
from icc_store.opening import open_repository
from icc_store.operations.tar_export import ExportOptions, export_tar
from icc_store.operations.tar_import import import_tar
from tests.support import tars
form = ArchiveFormat({str(form)!r})
inside, outside = os.pipe()
def fill():
    with os.fdopen(outside, "wb") as pipe:
        writer = ArchiveWriter(pipe.write, form)
        writer.write(tars.header(b"f", size=192 << 20))
        chance = random.Random(5)
        for _ in range(192):
            writer.write(chance.randbytes(1 << 17) * 8)
        writer.write(bytes(1024))
        writer.close()
threading.Thread(target=fill).start()
with open_repository(Path({str(tmp_path / "repository")!r})) as repository:
    record = import_tar(repository, os.fdopen(inside, "rb")).snapshot.record
    total = 0
    def count(data):
        global total
        total += len(data)
    export_tar(repository, record, target=count, options=ExportOptions(form=form, threads=2))
peak = [line for line in open("/proc/self/status") if line.startswith("VmHWM")][0].split()[1]
mapped = [line for line in open("/proc/self/status") if line.startswith("RssFile")][0].split()[1]
print(int(peak) - int(mapped), total)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, cwd=root)
    peak_kib, total = map(int, done.stdout.split())
    assert peak_kib < 150 * 1024, done.stdout
    assert total > 10 * MIB
    assert form is not ArchiveFormat.TAR or total > 192 * MIB


def test_gc_while_an_archive_comes_in(tmp_path: Path, repository: Repository) -> None:
    """What gc took away meanwhile is not referred to: the import fails, says so, and works the next time."""
    record = take(repository, {"f": b"kept only by what is forgotten"}).record
    out = io.BytesIO()
    export_tar(repository, record, target=out.write)
    repository.annotate(repository.snapshots()[0].id, Subject.FORGOTTEN, "purge")
    collect = """
import sys
from pathlib import Path
from icc_store.opening import open_repository
from icc_store.operations.gc import collect
with open_repository(Path(sys.argv[1])) as repository:
    collect(repository)
"""

    class Slow(io.BytesIO):
        done = False

        def read(self, size: int | None = -1) -> bytes:
            data = super().read(1024)
            if self.tell() > 1024 and not self.done:  # the file's chunk was found to be there
                self.done = True
                subprocess.run([sys.executable, "-c", collect, str(repository.path)], check=True)
            return data

    slow = Slow(out.getvalue())
    with pytest.raises(IccStoreError, match="run the command again"):
        import_tar(repository, slow)
    assert slow.done
    assert repository.snapshots() == []
    assert import_tar(repository, io.BytesIO(out.getvalue())).snapshot.record.root == record.root
