"""One SQLite file: its connections, its transactions, its schema.

Connections are lent: one is in one thread's hands at a time and then goes back for the next to
take, so a server with a thread for each request does not open the file for each.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote

from macvlan_ros.errors import StoreDown
from macvlan_ros.stores import sqlite_errors as errors
from macvlan_ros.stores.damage import Undecodable
from macvlan_ros.stores.files import LockTimeout, hold_lock, make_folder

Migration: TypeAlias = Sequence[str]

# 'mvlr' in the file's header tells our files from other programs' databases.
_APPLICATION_ID = 0x6D766C72

# For how long, in seconds, a refusal to read may come from a log that is just being made or
# folded in by a program that does not know our lock.
_SETTLE = 0.2


# Milliseconds by which a wait may be longer or shorter than what is left.
_NEAR = 50


class _Connection(sqlite3.Connection):
    """A connection that knows which file it has open, and whether it is ready for writing."""

    identity: tuple[int, int] | None = None
    ready = False
    known = False  # to be a file of ours; another one would have another identity
    patience = -1  # for how long SQLite waits for a lock, in milliseconds


@dataclass(frozen=True, slots=True)
class _State:
    """What tells whether a file has been written. At rest: it has a log (SQLite's file format,
    section 1.3.3), and that one is empty; one without a log may have a journal to undo."""

    at_rest: bool
    inode: int
    size: int
    changed: int


# What a fork carried into a child. SQLite forbids to use it there, or even to close it.
_FORKED: list[_Connection] = []


class SqliteFile:
    """Transactions on one file. Every wait ends after `patience` seconds, in StoreDown.

    `application` marks the file as one of its kind.
    """

    def __init__(
        self,
        path: Path,
        *,
        patience: float,
        migrations: Sequence[Migration],
        application: int = _APPLICATION_ID,
    ) -> None:
        self._path = path
        self._wal_path = path.with_name(path.name + "-wal")
        self._lock_path = path.with_name(path.name + ".lock")
        self._patience = patience
        self._migrations = migrations
        self._application = application
        self._idle: deque[_Connection] = deque()
        # Threads of one process need not ask the system again and again who is next.
        self._turn = threading.Lock()
        self._pid = os.getpid()
        self._closed = False

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction that may write: committed at the end, rolled back upon any error.

        Makes folder, file and schema when they are missing. Raises StoreDown, Forbidden.
        """
        deadline = time.monotonic() + self._patience
        with self._explained(writing=True):
            make_folder(self._path.parent)
            # SQLite's own lock makes its waiters sleep for long; these are only faster queues.
            with (
                self._taking_turns(deadline),
                self._locked(fcntl.LOCK_EX, deadline),
                self._lent("rwc", deadline) as db,
            ):
                self._begin(db, deadline)
                yield db
                if db.in_transaction:
                    db.execute("COMMIT")

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A transaction that sees one state of the file, or an empty store if there is no file.

        Raises StoreDown, Forbidden.
        """
        deadline = time.monotonic() + self._patience
        with self._explained(writing=False):
            if not self._exists() or not self._is_ours_to_write():
                with self._in_memory(deadline) as db:
                    yield db
                return
            with self._lent("rw", deadline) as db:
                _wait_until(db, deadline)
                db.execute("BEGIN")
                if self._version(db) < len(self._migrations):
                    db.execute("ROLLBACK")
                    self._begin(db, deadline)
                yield db
                db.execute("COMMIT")

    def close(self) -> None:
        """Close what is open; the last process to do so folds the log into the file."""
        self._closed = True
        self._forget_forked()
        if self._idle:
            # Whoever reads the bare file holds this lock. A wait in vain must not stop the end.
            deadline = time.monotonic() + self._patience
            with suppress(StoreDown), self._locked(fcntl.LOCK_EX, deadline):
                self._close_idle()
            self._close_idle()

    def _close_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def _explained(self, *, writing: bool) -> Iterator[None]:
        try:
            yield
        except (sqlite3.ProgrammingError, sqlite3.InterfaceError):
            raise  # a mistake of ours, not the file's
        except sqlite3.Error as error:
            raise errors.explain_sqlite(error, self._path, writing=writing) from error
        except Undecodable as error:
            raise errors.damaged(self._path, str(error)) from error
        except OSError as error:
            raise errors.explain_system(error, self._path, writing=writing) from error

    @contextmanager
    def _locked(self, how: int, deadline: float) -> Iterator[None]:
        try:
            with hold_lock(self._lock_path, how, deadline=deadline):
                yield
        except LockTimeout:
            raise errors.locked(self._path) from None

    @contextmanager
    def _taking_turns(self, deadline: float) -> Iterator[None]:
        self._forget_forked()
        turn = self._turn
        if not turn.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise errors.locked(self._path)
        try:
            yield
        finally:
            turn.release()

    @contextmanager
    def _lent(self, mode: str, deadline: float) -> Iterator[_Connection]:
        """A connection for this thread alone; thrown away if SQLite or the system fails in it."""
        self._forget_forked()
        db = self._take_idle() or self._connect(mode, deadline)
        try:
            yield db
        except (sqlite3.Error, OSError):
            db.close()
            raise
        finally:
            self._give_back(db)

    def _take_idle(self) -> _Connection | None:
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

    def _give_back(self, db: _Connection) -> None:
        try:
            if db.in_transaction:
                db.execute("ROLLBACK")
        except sqlite3.ProgrammingError:
            return  # closed already
        if self._closed:
            db.close()
        else:
            self._idle.append(db)

    def _connect(self, mode: str, deadline: float) -> _Connection:
        db = sqlite3.connect(
            f"file:{quote(str(self._path))}?mode={mode}",
            uri=True,
            isolation_level=None,
            timeout=max(0.0, deadline - time.monotonic()),
            check_same_thread=False,
            factory=_Connection,
        )
        try:
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA foreign_keys = ON")
            db.identity = self._identity()
        except (sqlite3.Error, OSError):
            db.close()
            raise
        return db

    def _begin(self, db: _Connection, deadline: float) -> None:
        """Begin a writing transaction on a file of the newest version."""
        if not db.ready:
            _wait_until(db, deadline)
            self._version(db)  # before anything is changed in a file that may be another's
            _persist(db, "PRAGMA journal_mode = WAL", deadline)
            db.ready = True
        while True:
            _persist(db, "BEGIN IMMEDIATE", deadline)
            version = self._version(db)
            if version == len(self._migrations):
                return
            self._migrate(db, version)
            db.execute("COMMIT")

    def _migrate(self, db: sqlite3.Connection, version: int) -> None:
        """From this version to the next."""
        for statement in self._migrations[version]:
            db.execute(statement)
        db.execute(f"PRAGMA application_id = {self._application}")
        db.execute(f"PRAGMA user_version = {version + 1}")

    def _version(self, db: sqlite3.Connection) -> int:
        """The schema's version. Raises StoreDown when it is too new, or not ours."""
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if not (isinstance(db, _Connection) and db.known):
            (owner,) = db.execute("PRAGMA application_id").fetchone()
            if owner == 0 and version == 0:
                (things,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
                if not things:
                    return 0
            if owner != self._application:
                raise errors.foreign(self._path)
            if isinstance(db, _Connection):
                db.known = True
        if version > len(self._migrations):
            raise errors.newer(self._path, found=version, known=len(self._migrations))
        return int(version)

    def _exists(self) -> bool:
        try:
            return self._path.stat().st_size > 0
        except FileNotFoundError:
            return False

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return (found.st_dev, found.st_ino)

    def _is_ours_to_write(self) -> bool:
        return os.access(self._path, os.W_OK) and os.access(self._path.parent, os.W_OK)

    @contextmanager
    def _in_memory(self, deadline: float) -> Iterator[sqlite3.Connection]:
        """What the file holds, or would hold, for those who may not write or do not need to."""
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as copy:
            settled = time.monotonic() + _SETTLE
            while self._exists() and not self._copy_to(copy, settled, deadline):
                if time.monotonic() > deadline:
                    raise errors.locked(self._path)
                time.sleep(0.005)
            version, known = self._version(copy), len(self._migrations)
            if 0 < version < known:
                raise errors.older(self._path, found=version, known=known)
            for step in range(version, known):
                self._migrate(copy, step)
            yield copy

    def _copy_to(self, copy: sqlite3.Connection, settled: float, deadline: float) -> bool:
        """Copy the file's content without a right to write; False if that has to be tried again.

        SQLite has to write beside a file that has a log, even for reading. While the log is
        empty the file alone is whole, and stays so for as long as the lock keeps our writers
        out; that nobody else wrote meanwhile is checked afterwards. While the log is in use,
        its index is there too, and an ordinary read-only connection will do; refusals are
        believed only after `settled`, for logs come and go with other programs.
        """

        def give_up(*_: int) -> None:
            # Python itself would try for ever while somebody has the file locked.
            if time.monotonic() > deadline:
                raise errors.locked(self._path)

        with self._locked(fcntl.LOCK_SH, deadline):
            before = self._state()
            mode = "ro&immutable=1" if before.at_rest else "ro"
            try:
                with closing(self._connect(mode, deadline)) as source:
                    source.backup(copy, progress=give_up)
            except sqlite3.OperationalError:
                if time.monotonic() > settled:
                    raise
                return False
            return not before.at_rest or self._state() == before

    def _state(self) -> _State:
        """Raises OSError."""
        found = self._path.stat()
        log = 0
        with suppress(FileNotFoundError):
            log = self._wal_path.stat().st_size
        with self._path.open("rb") as file:
            file.seek(18)
            with_log = file.read(2) == b"\2\2"
        return _State(
            at_rest=with_log and log == 0,
            inode=found.st_ino,
            size=found.st_size,
            changed=found.st_mtime_ns,
        )

    def _forget_forked(self) -> None:
        if self._pid != os.getpid():
            _FORKED.extend(self._idle)
            self._idle = deque()
            # Somebody of the parent's may have had his turn just then.
            self._turn = threading.Lock()
            self._pid = os.getpid()


def _wait_until(db: _Connection, deadline: float) -> None:
    left = max(0, round((deadline - time.monotonic()) * 1000))
    if abs(left - db.patience) > _NEAR or left < _NEAR:
        db.execute(f"PRAGMA busy_timeout = {left}")
        db.patience = left


def _persist(db: _Connection, statement: str, deadline: float) -> None:
    """Execute, again and again where SQLite itself would not wait for a lock."""
    while True:
        _wait_until(db, deadline)
        try:
            db.execute(statement)
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(0.01)
