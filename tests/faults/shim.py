"""The preload library of `shim.c`, seen from Python: built when needed, armed in a child, then its report is read."""

from __future__ import annotations

import ctypes
import enum
import errno
import hashlib
import mmap
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_SOURCE = Path(__file__).with_name("shim.c")
_FLAGS = ("-shared", "-fPIC", "-O1", "-std=gnu11", "-Wall", "-Werror")
_HEADER = 3 * ctypes.sizeof(ctypes.c_long)
_ROOM = 1 << 22


class Kinds(enum.IntFlag):
    """What a call does to the disk, and which errors its manual page allows."""

    CHANGES = 1
    SPACE = 2
    MEDIUM = 4
    DESCRIPTOR = 8
    PERMISSION = 16
    LOOKS = 32


class Action(enum.IntEnum):
    """What happens at the call whose turn it is."""

    COUNT = 0
    DIE = 1
    FAIL = 2
    FAIL_FROM = 3


@dataclass(frozen=True)
class Fault:
    """One way for calls to go wrong: which calls are counted, and what happens at the n-th of them."""

    name: str
    kinds: Kinds
    action: Action
    error: int = 0


ALL = Kinds.CHANGES | Kinds.MEDIUM | Kinds.LOOKS
NOTHING = Fault("nothing", ALL, Action.COUNT)
KILLED = Fault("killed", Kinds.CHANGES, Action.DIE)
FAILURES = (
    Fault("ENOSPC once", Kinds.SPACE, Action.FAIL, errno.ENOSPC),
    Fault("ENOSPC from then on", Kinds.SPACE, Action.FAIL_FROM, errno.ENOSPC),
    Fault("EIO once", Kinds.MEDIUM, Action.FAIL, errno.EIO),
    Fault("EIO from then on", Kinds.MEDIUM, Action.FAIL_FROM, errno.EIO),
    Fault("EMFILE once", Kinds.DESCRIPTOR, Action.FAIL, errno.EMFILE),
    Fault("EMFILE from then on", Kinds.DESCRIPTOR, Action.FAIL_FROM, errno.EMFILE),
    Fault("EACCES once", Kinds.PERMISSION, Action.FAIL, errno.EACCES),
    Fault("EACCES from then on", Kinds.PERMISSION, Action.FAIL_FROM, errno.EACCES),
)
BY_NAME = {fault.name: fault for fault in (NOTHING, KILLED, *FAILURES)}


def build() -> Path | None:
    """The library, compiled on first use; None where the machine has no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    folder = Path(tempfile.gettempdir()) / f"icc-store-faults-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} is somebody else's")
    made_of = _SOURCE.read_bytes() + " ".join((compiler, os.uname().machine, *_FLAGS)).encode()
    library = folder / f"shim-{hashlib.sha256(made_of).hexdigest()[:16]}.so"
    if not library.exists():
        unfinished = library.with_suffix(f".{os.getpid()}")
        subprocess.run([compiler, *_FLAGS, "-o", unfinished, _SOURCE, "-ldl", "-lpthread"], check=True)
        unfinished.rename(library)
    return library


def is_loaded() -> bool:
    """Whether this process has the library."""
    return hasattr(ctypes.CDLL(None), "fault_arm")


class Report:
    """Memory shared with a child, in which the shim says what it saw, whatever becomes of the child."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _ROOM)
        self._address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self._fields = (ctypes.c_long * 3).from_buffer(self._memory)

    def arm(self, fault: Fault, at: int, directories: Iterable[Path]) -> None:
        """In the child: from now on, count calls below the directories, and act at number `at`."""
        self._fields[:] = [0, 0, _ROOM - _HEADER]
        tops = "\n".join(map(str, directories)).encode()
        ctypes.CDLL(None).fault_arm(
            ctypes.c_void_p(self._address),
            int(fault.kinds),
            int(fault.action),
            ctypes.c_long(at),
            fault.error,
            tops,
        )

    @property
    def calls(self) -> list[tuple[str, str]]:
        """Name and path of each call counted, in their order. Raises OverflowError when there were too many to list."""
        met, used, _ = self._fields
        text = self._memory[_HEADER : _HEADER + used].decode("utf-8", "surrogateescape")
        calls = [(call, path) for call, _, path in (line.partition(" ") for line in text.split("\n")[:-1])]
        if len(calls) != met:
            raise OverflowError(f"{met} calls, {len(calls)} of them listed")
        return calls
