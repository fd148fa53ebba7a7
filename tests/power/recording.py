"""A run of `workload.py` with everything it does to its files, in order: writes, syncs and changes of names.

`recorder.c` is compiled when it is needed and preloaded into the process, so that it sees what liblmdb does.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from tests.power.workload import LIFE

_SOURCE = Path(__file__).with_name("recorder.c")
_RECORD = struct.Struct("<BQQIII")


class What(IntEnum):
    """What a record tells of; the numbers are those of `recorder.c`."""

    OPEN = 1
    WRITE = 2
    TRUNCATE = 3
    SYNC = 4
    RENAME = 5
    MKDIR = 6
    UNLINK = 7
    RMDIR = 8
    LINK = 9
    MARK = 10
    SYNC_RANGE = 11


@dataclass(frozen=True, slots=True)
class Event:
    """One step of a run. `number` is an offset, a size, or for OPEN whether the file was emptied."""

    what: What
    inode: int
    number: int
    path: str
    other: str
    data: bytes


def compiler() -> str | None:
    """The C compiler of this machine, if it has one."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def build_recorder(folder: Path) -> Path:
    """Compile the recorder into a folder."""
    command = compiler()
    assert command is not None, "a C compiler is needed"
    library = folder / "recorder.so"
    subprocess.run([command, "-O1", "-shared", "-fPIC", "-pthread", _SOURCE, "-o", library, "-ldl"], check=True)
    return library


@dataclass(frozen=True)
class Recording:
    """A whole run: what happened, in which directory, and that directory's inode."""

    events: tuple[Event, ...]
    root: Path
    inode: int


def record_life(place: Path, *, seed: int, deaths: int) -> Recording:
    """Record a run of several processes in `place`, of which `deaths` are killed, each at an event chosen by chance."""
    chance = random.Random(f"life {seed}")
    recorder = build_recorder(place)
    root = (place / "disk").resolve()
    root.mkdir()
    number = seed * LIFE + 1
    record(recorder, root, ["begin", str(number)])
    for _ in range(deaths):
        number += 10
        record(recorder, root, ["go on", str(number)], die_at=chance.randrange(20, 400))
    if deaths:
        record(recorder, root, ["go on", str(number + 10)])
    return Recording(tuple(read_log(Path(f"{root}.log"))), root, root.stat().st_ino)


def record(recorder: Path, folder: Path, arguments: Sequence[str], *, die_at: int | None = None) -> None:
    """Run the workload on the files in `folder`, and append what it does to the file `<folder>.log`.

    It kills itself at its event number `die_at`, and must run to its end otherwise.
    """
    environ = {
        **os.environ,
        "LD_PRELOAD": str(recorder),
        "POWER_ROOT": str(folder),
        "POWER_LOG": f"{folder}.log",
        "PYTHONPATH": os.pathsep.join(path for path in (*sys.path, os.getcwd()) if path),
    }
    if die_at is not None:
        environ["POWER_DIE_AT"] = str(die_at)
    command = [sys.executable, "-m", "tests.power.workload", str(folder), *arguments]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    expected = 0 if die_at is None else -signal.SIGKILL
    assert done.returncode == expected, done.stderr


def read_log(path: Path) -> Iterator[Event]:
    """The events of a recording, in order."""
    data = path.read_bytes()
    at = 0
    while at < len(data):
        what, inode, number, *lengths = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        texts = []
        for length in lengths:
            texts.append(data[at : at + length])
            at += length
        yield Event(What(what), inode, number, os.fsdecode(texts[0]), os.fsdecode(texts[1]), texts[2])
