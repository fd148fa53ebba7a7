"""Removing what is in the way of a restore."""

from __future__ import annotations

import os

from icc_store.fs.directory_stack import DirectoryStack


def remove(dir_fd: int, name: bytes) -> None:
    """Remove `name` in the directory `dir_fd`, with all below it when it is a directory; gone already is fine.

    A symbolic link is removed, not followed. Any depth works, since nothing here is recursive. Raises OSError at the
    first thing that cannot be removed.
    """
    stack = DirectoryStack(dir_fd)
    try:
        if _unlink(stack, name):
            return
        names = [name]
        left = [_listing(stack.fd)]
        while names:
            if left[-1]:
                child = left[-1].pop()
                if not _unlink(stack, child):
                    names.append(child)
                    left.append(_listing(stack.fd))
            else:
                left.pop()
                os.close(stack.ascend())
                os.rmdir(names.pop(), dir_fd=stack.fd)
    finally:
        stack.close()


def _unlink(stack: DirectoryStack, name: bytes) -> bool:
    """Remove a name that is no directory; go into one that is and say False."""
    try:
        os.unlink(name, dir_fd=stack.fd)
    except FileNotFoundError:
        return True
    except OSError as refusal:  # EISDIR, EPERM on other systems than Linux, or a true refusal
        try:
            stack.descend(name, unlock=True)
        except NotADirectoryError:
            raise refusal from None
        return False
    return True


def _listing(fd: int) -> list[bytes]:
    return [os.fsencode(name) for name in os.listdir(fd)]
