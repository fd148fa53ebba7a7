"""What is said when a damaged page ends the process: liblmdb trusts its file, and stops or crashes where it is wrong.

No `except` catches that. So while a repository is open, the signals of a crash lead to one line on stderr and the exit
code of damage, as any other error does. A child of this process dies as it would have: its parent knows what to say.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from icc_store.cli.failures import report
from icc_store.errors import DamageError

if TYPE_CHECKING:
    from icc_store.cli.context import Context

_CRASHES = (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS)


@contextmanager
def last_words(context: Context) -> Iterator[None]:
    """In the body, a crash of this process is reported as damage. It is no place to go on from: the process ends."""
    import ctypes  # here: 1.5 ms that commands without a repository need not spend

    libc = ctypes.CDLL(None)
    set_handler = libc.signal
    set_handler.argtypes, set_handler.restype = (ctypes.c_int, ctypes.c_void_p), ctypes.c_void_p
    owner = os.getpid()

    def crashed(number: int) -> None:
        for each in _CRASHES:
            set_handler(each, None)  # a second one, in here, ends the process
        if os.getpid() != owner:
            os.kill(os.getpid(), number)
        else:
            name = signal.Signals(number).name
            try:
                report(DamageError(f"a damaged page of the database ended the program ({name})"), context)
            finally:
                os._exit(DamageError.exit_code)

    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(crashed)
    former = {number: set_handler(number, ctypes.cast(handler, ctypes.c_void_p)) for number in _CRASHES}
    try:
        yield
    finally:
        for number, before in former.items():
            set_handler(number, before)
