"""One SQLite file: its transactions, its schema, and who may do what with it."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from macvlan_ros.errors import StoreDown
from macvlan_ros.stores import sqlite_errors as errors
from macvlan_ros.stores.damage import Undecodable
from macvlan_ros.stores.files import LockTimeout, hold_lock, make_folder
from macvlan_ros.stores.sqlite_connections import Connection, Connections, wait_until
from macvlan_ros.values import dataclass

Migration: TypeAlias = Sequence[str]

# 'mvlr' in the file's header tells our files from other programs' databases.
_APPLICATION_ID = 0x6D766C72

# For how long, in seconds, a refusal to read may come from a log that is just being made or
# folded in by a program that does not know our lock.
_SETTLE = 0.2


@dataclass(frozen=True, slots=True)
class _State:
    """What tells whether a file has been written. At rest: it has a log (SQLite's file format,
    section 1.3.3), and that one is empty; one without a log may have a journal to undo."""

    at_rest: bool
    inode: int
    size: int
    changed: int


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
        self._connections = Connections(path)
        # Threads of one process need not ask the system again and again who is next.
        self._turn = threading.Lock()
        self._turn_of = os.getpid()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction that may write: committed at the end, rolled back upon any error.

        Makes folder, file and schema when they are missing. Raises StoreDown, Forbidden.
        """
        deadline = time.monotonic() + self._patience
        with self._explained(writing=True):
            make_folder(self._path.parent)
            self._check_kind()
            # SQLite's own lock makes its waiters sleep for long; these are only faster queues.
            with (
                self._taking_turns(deadline),
                self._locked(fcntl.LOCK_EX, deadline),
                self._connections.lent("rwc", deadline) as db,
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
            self._check_kind()
            if not self._exists() or not self._is_ours_to_write():
                with self._in_memory(deadline) as db:
                    yield db
                return
            with self._connections.lent("rw", deadline) as db:
                wait_until(db, deadline)
                db.execute("BEGIN")
                if self._version(db) < len(self._migrations):
                    db.execute("ROLLBACK")
                    self._begin(db, deadline)
                yield db
                db.execute("COMMIT")

    def close(self) -> None:
        """Close what is open; the last process to do so folds the log into the file."""
        if self._connections.end():
            # Whoever reads the bare file holds this lock. A wait in vain must not stop the end.
            deadline = time.monotonic() + self._patience
            with suppress(StoreDown), self._locked(fcntl.LOCK_EX, deadline):
                self._connections.close_idle()
            self._connections.close_idle()

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
        if self._turn_of != os.getpid():
            # A fork's child: somebody of the parent's may have had his turn just then.
            self._turn, self._turn_of = threading.Lock(), os.getpid()
        turn = self._turn
        if not turn.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise errors.locked(self._path)
        try:
            yield
        finally:
            turn.release()

    def _begin(self, db: Connection, deadline: float) -> None:
        """Begin a writing transaction on a file of the newest version."""
        if not db.ready:
            wait_until(db, deadline)
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
        if not (isinstance(db, Connection) and db.known):
            (owner,) = db.execute("PRAGMA application_id").fetchone()
            if owner == 0 and version == 0:
                (things,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
                if not things:
                    return 0
            if owner != self._application:
                raise errors.foreign(self._path)
            if isinstance(db, Connection):
                db.known = True
        if version > len(self._migrations):
            raise errors.newer(self._path, found=version, known=len(self._migrations))
        return int(version)

    def _check_kind(self) -> None:
        """Raises StoreDown for a device or a pipe, on which SQLite would wait for a lock."""
        with suppress(FileNotFoundError):
            kind = self._path.stat().st_mode
            if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
                raise errors.no_file(self._path)

    def _exists(self) -> bool:
        try:
            return self._path.stat().st_size > 0
        except FileNotFoundError:
            return False

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
                with closing(self._connections.open(mode, deadline)) as source:
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


def _persist(db: Connection, statement: str, deadline: float) -> None:
    """Execute, again and again where SQLite itself would not wait for a lock."""
    while True:
        wait_until(db, deadline)
        try:
            db.execute(statement)
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(0.01)
