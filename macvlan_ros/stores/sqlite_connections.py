"""The connections to one SQLite file, lent to threads.

One is in one thread's hands at a time and then goes back for the next to take, so a server with a
thread for each request does not open the file for each.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

__all__ = ["Connection", "Connections", "wait_until"]

# Milliseconds by which a wait may be longer or shorter than what is left.
_NEAR = 50


class Connection(sqlite3.Connection):
    """A connection that knows which file it has open, and whether it is ready for writing."""

    identity: tuple[int, int] | None = None
    ready = False
    known = False  # to be a file of ours; another one would have another identity
    patience = -1  # for how long SQLite waits for a lock, in milliseconds


# What a fork carried into a child. SQLite forbids to use it there, or even to close it.
_FORKED: list[Connection] = []


class Connections:
    """Those of one file; any number of threads may borrow one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: deque[Connection] = deque()
        self._pid = os.getpid()
        self._ended = False

    @contextmanager
    def lent(self, mode: str, deadline: float) -> Iterator[Connection]:
        """A connection for this thread alone; thrown away if SQLite or the system fails in it."""
        self._forget_forked()
        db = self._take_idle() or self.open(mode, deadline)
        try:
            yield db
        except (sqlite3.Error, OSError):
            db.close()
            raise
        finally:
            self._give_back(db)

    def open(self, mode: str, deadline: float) -> Connection:
        """A new one, in SQLite's `mode` of opening files, for the caller to close."""
        db = sqlite3.connect(
            f"file:{quote(str(self._path))}?mode={mode}",
            uri=True,
            isolation_level=None,
            timeout=max(0.0, deadline - time.monotonic()),
            check_same_thread=False,
            factory=Connection,
        )
        try:
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA foreign_keys = ON")
            db.identity = self._identity()
        except (sqlite3.Error, OSError):
            db.close()
            raise
        return db

    def end(self) -> bool:
        """What is lent now is closed when it comes back; whether some are idle."""
        self._ended = True
        self._forget_forked()
        return bool(self._idle)

    def close_idle(self) -> None:
        """Close those that nobody has borrowed."""
        while self._idle:
            self._idle.pop().close()

    def _take_idle(self) -> Connection | None:
        identity = self._identity()
        while True:
            try:
                db = self._idle.pop()
            except IndexError:
                return None
            # Somebody may have moved the file away: writing on would be writing into nowhere.
            if db.identity == identity:
                return db
            db.close()

    def _give_back(self, db: Connection) -> None:
        try:
            if db.in_transaction:
                db.execute("ROLLBACK")
        except sqlite3.ProgrammingError:
            return  # closed already
        if self._ended:
            db.close()
        else:
            self._idle.append(db)

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return (found.st_dev, found.st_ino)

    def _forget_forked(self) -> None:
        if self._pid != os.getpid():
            _FORKED.extend(self._idle)
            self._idle = deque()
            self._pid = os.getpid()


def wait_until(db: Connection, deadline: float) -> None:
    """How long SQLite itself waits for a lock."""
    left = max(0, round((deadline - time.monotonic()) * 1000))
    if abs(left - db.patience) > _NEAR or left < _NEAR:
        db.execute(f"PRAGMA busy_timeout = {left}")
        db.patience = left
