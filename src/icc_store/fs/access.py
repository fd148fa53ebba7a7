"""Why a live file could not be read: whose it is, and the command that would help.

The command is for the user to run. The program never widens a permission by itself, nor asks for more rights than it
was given. What it proposes gives one user the right to read, and nobody else.
"""

from __future__ import annotations

import errno
import os
import shlex
import stat

from icc_store.fs.metadata import MetadataReader

_REFUSED = frozenset((errno.EACCES, errno.EPERM))
_READ, _ENTER = 4, 1


class Access:
    """Explains why something below a directory could not be read."""

    def __init__(self, metadata: MetadataReader) -> None:
        self._metadata = metadata
        self._real = b""
        self._stored = b""

    def below(self, fd: int, stored: bytes) -> None:
        """What follows stands in the directory open at `fd`, which is stored under that path."""
        self._real = os.readlink(b"/proc/self/fd/%d" % fd)
        self._stored = stored

    def explain(self, stored: bytes, error: OSError) -> str:
        """What to say of the stored path that was met with this error."""
        what = error.strerror or str(error)
        if error.errno not in _REFUSED:
            return what
        below = stored[len(self._stored) :].strip(b"/")
        closed = self._closed(below)
        if closed is None:
            return what
        path, status, wanted = closed
        whose = f"{self._owner(status)}, mode {stat.S_IMODE(status.st_mode):04o}"
        command = self._command(path, status, wanted)
        return f"{what} ({whose}); to allow it: {command}" if command else f"{what} ({whose})"

    def _closed(self, below: bytes) -> tuple[bytes, os.stat_result, int] | None:
        """The first directory on the way that may not be entered, else the file itself; and the rights it takes."""
        way = [self._real]
        for name in below.split(b"/") if below else ():
            way.append(os.path.join(way[-1], name))
        for path in way:
            try:
                status = os.lstat(path)
            except OSError:
                return None
            if not stat.S_ISDIR(status.st_mode):
                return path, status, _READ
            if not os.access(path, os.R_OK | os.X_OK, effective_ids=True):
                return path, status, _READ | _ENTER
        return None

    def _owner(self, status: os.stat_result) -> str:
        user = self._metadata.user(status.st_uid) or str(status.st_uid)
        group = self._metadata.group(status.st_gid) or str(status.st_gid)
        return f"{user}:{group}"

    def _command(self, path: bytes, status: os.stat_result, wanted: int) -> str:
        """The command that gives this user the rights; empty where they are not what stands in the way."""
        if os.access(path, os.R_OK | (os.X_OK if wanted & _ENTER else 0), effective_ids=True):
            return ""
        rights = "rx" if wanted & _ENTER else "r"
        me = os.geteuid()
        if status.st_uid == me:
            return f"chmod u+{rights} {_quoted(path)}"
        return f"sudo setfacl -m u:{self._metadata.user(me) or me}:{rights} {_quoted(path)}"


def _quoted(path: bytes) -> str:
    """A path as a shell takes it, whatever bytes are in it."""
    try:
        text = path.decode()
    except UnicodeDecodeError:
        text = ""
    if text.isprintable() and text:
        return shlex.quote(text)
    plain = frozenset(range(0x20, 0x7F)) - frozenset(b"'\\")
    return "$'" + "".join(chr(byte) if byte in plain else f"\\x{byte:02x}" for byte in path) + "'"
