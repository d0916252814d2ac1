"""What a store asks of the file system: a lock that is waited for in time, a folder that lasts."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Waiters ask again after pauses from the first to the second, in seconds. With eight processes
# that do nothing but write, asking more often costs throughput, and asking less often tails.
_PAUSES = (0.0002, 0.002)


class LockTimeout(Exception):
    """Somebody held the lock until the deadline."""


@contextmanager
def hold_lock(path: Path, how: int, *, deadline: float) -> Iterator[None]:
    """Hold flock(2)'s `how` (LOCK_EX, LOCK_SH) on the file until the end of the block.

    LOCK_EX makes the file, readable for all, so that others can share the lock. Where it cannot
    be opened the block runs without it: the lock is never what correctness rests on. Raises
    LockTimeout at the deadline, a time of the monotonic clock.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    if how == fcntl.LOCK_EX:
        flags |= os.O_CREAT
    try:
        lock = os.open(path, flags, 0o644)
    except OSError:
        # Whoever may not make it may not write beside it either, and will learn that next.
        yield
        return
    try:
        _wait_for(lock, how, deadline)
        yield
    finally:
        # Unlocked by name: a child forked meanwhile has this descriptor too.
        fcntl.flock(lock, fcntl.LOCK_UN)
        os.close(lock)


def make_folder(folder: Path) -> None:
    """Make the folder and those above it if they are missing, and have that on disk."""
    if folder.is_dir():
        return
    missing = [folder, *(above for above in folder.parents if not above.exists())]
    for each in reversed(missing):
        each.mkdir(mode=0o755, exist_ok=True)
        above = os.open(each.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(above)
        finally:
            os.close(above)


def _wait_for(lock: int, how: int, deadline: float) -> None:
    pause, longest = _PAUSES
    while True:
        try:
            fcntl.flock(lock, how | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise LockTimeout from None
        time.sleep(pause)
        pause = min(pause * 2, longest)
