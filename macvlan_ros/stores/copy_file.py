"""The local copy of what stands in etcd, and of what waits for etcd, in one SQLite file."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from sqlite3 import Connection
from typing import TypeAlias

from macvlan_ros.errors import StoreAway
from macvlan_ros.stores import copy_mirror as mirror
from macvlan_ros.stores.etcd_kv import Entry
from macvlan_ros.stores.etcd_seen import Seen
from macvlan_ros.stores.files import LockTimeout, hold_lock, make_folder
from macvlan_ros.stores.journal import (
    Change,
    Exchanged,
    Released,
    Waiting,
    decode_change,
    encode_change,
)
from macvlan_ros.stores.sqlite_file import Migration, SqliteFile
from macvlan_ros.values import dataclass

#: All keys of the thing that one of its keys and the value say: a reservation has three.
Kin: TypeAlias = Callable[[str, str], Sequence[str]]

# 'mvlc' in the file's header: not a store of its own.
_APPLICATION = 0x6D766C63

MIGRATIONS: tuple[Migration, ...] = (
    (
        "CREATE TABLE mirror (key TEXT PRIMARY KEY, value TEXT, revision INTEGER NOT NULL) "
        "WITHOUT ROWID",
        "CREATE TABLE journal (number INTEGER PRIMARY KEY AUTOINCREMENT, subject TEXT UNIQUE, "
        "begun INTEGER NOT NULL DEFAULT 0, change TEXT NOT NULL)",
        "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    ),
)


@dataclass(frozen=True, slots=True)
class Standing:
    """How the copy stands. `cluster` is "" as long as nothing has been copied; `current` is when it
    was last known to be whole and up to date (seconds since 1970; 0: never); `away`: etcd was away
    and what happened meanwhile has not been settled; so many changes are `waiting`."""

    cluster: str
    current: float
    away: bool
    waiting: int


class CopyFile:
    """One host's copy. Any number of threads and processes may share it.

    `everything` are the prefixes under which all stands, `kin` tells which keys belong together.
    Raises StoreDown and Forbidden.
    """

    def __init__(
        self, path: Path, *, everything: Sequence[str], kin: Kin, patience: float = 2.0
    ) -> None:
        self.path = path
        self._everything = everything
        self._kin = kin
        self._file = SqliteFile(
            path, patience=patience, migrations=MIGRATIONS, application=_APPLICATION
        )

    @property
    def is_ours(self) -> bool:
        """Whether this process may write it; its folder may have to be made yet."""
        if self.path.exists():
            return os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK)
        there = next(above for above in self.path.parents if above.exists())
        return os.access(there, os.W_OK)

    def close(self) -> None:
        """Closing twice is fine."""
        self._file.close()

    @contextmanager
    def settling(self, *, deadline: float) -> Iterator[None]:
        """One process alone brings etcd and the copy together. Raises StoreAway when another one
        does so until the deadline."""
        with suppress(OSError):
            # Whoever may not make it may not write into it either, and will learn that next.
            make_folder(self.path.parent)
        lock = self.path.with_name(self.path.name + ".settling")
        try:
            with hold_lock(lock, fcntl.LOCK_EX, deadline=deadline):
                yield
        except LockTimeout:
            raise StoreAway(
                f"store {self.path}: another process is just making up for what happened while etcd"
                f" was away; try again, and see which one with: fuser -v {lock}"
            ) from None

    # -- what stands in etcd ---------------------------------------------------------------------

    def get(self, key: str) -> Entry | None:
        with self._file.read() as db:
            return next(iter(mirror.standing(db, key)), None)

    def under(self, prefix: str) -> tuple[Entry, ...]:
        """All entries under a prefix that ends with a slash, by key."""
        with self._file.read() as db:
            return tuple(Entry(*row) for row in mirror.under(db, prefix))

    def between(self, first: str, last: str, limit: int) -> tuple[Entry, ...]:
        """The entries from the first key to the last, so many of them (0: all), by key."""
        with self._file.read() as db:
            return tuple(Entry(*row) for row in mirror.between(db, first, last, limit))

    def take(self, seen: Seen) -> None:
        """Take in what was seen; writes only if that is news."""
        with self._file.read() as db:
            if not self._is_news(db, seen):
                return
        with self._file.write() as db:
            if mirror.fact(db, "cluster") != seen.cluster:
                # Another etcd, or the old one made anew: its revisions have begun again.
                for table in ("mirror", "journal", "facts"):
                    db.execute(f"DELETE FROM {table}")
                mirror.set_fact(db, "cluster", seen.cluster)
            for entry in list(mirror.fresh(db, seen.entries)):
                keys = self._kin(entry.key, entry.value)
                for old in mirror.standing(db, entry.key):
                    gone = set(self._kin(old.key, old.value)) - set(keys)
                    mirror.bury(db, gone, old, entry.modified)
                mirror.learn(db, keys, entry)
            for entry in mirror.lost(db, seen):
                mirror.bury(db, self._kin(entry.key, entry.value), entry, seen.revision)
            if set(self._everything) <= set(seen.whole):
                mirror.forget_graves(db, seen.revision)

    def _is_news(self, db: Connection, seen: Seen) -> bool:
        if mirror.fact(db, "cluster") != seen.cluster:
            return True
        news = chain(mirror.fresh(db, seen.entries), mirror.lost(db, seen))
        if any(True for _ in news):
            return True
        return set(self._everything) <= set(seen.whole) and mirror.floor(db) < seen.revision

    def floor(self) -> int:
        """The revision at which all was taken in last; 0: never."""
        with self._file.read() as db:
            return mirror.floor(db)

    def forget_mirror(self) -> None:
        """Forget what stands in etcd, but not what waits for it."""
        with self._file.write() as db:
            db.execute("DELETE FROM mirror")
            db.execute("DELETE FROM facts WHERE name = 'floor'")

    def mark_current(self) -> None:
        """All of it is as it stands in etcd now."""
        with self._file.write() as db:
            mirror.set_fact(db, "current", f"{time.time():.3f}")

    # -- what waits for etcd ---------------------------------------------------------------------

    def standing(self) -> Standing:
        with self._file.read() as db:
            (waiting,) = db.execute("SELECT count(*) FROM journal").fetchone()
            return Standing(
                cluster=mirror.fact(db, "cluster"),
                current=float(mirror.fact(db, "current") or 0),
                away=bool(mirror.fact(db, "away")),
                waiting=waiting,
            )

    def set_away(self, away: bool) -> None:
        with self._file.write() as db:
            mirror.set_fact(db, "away", "yes" if away else "")

    def change(
        self, changes: Iterable[tuple[Change, dict[str, str | None]]], *, begun: bool = False
    ) -> None:
        """Make each change in the copy (the keys with their values; None: gone), and write it down
        for etcd. Of several about the same thing the last one is what counts. `begun`: it may have
        been made in etcd already."""
        with self._file.write() as db:
            mirror.set_fact(db, "away", "yes")
            for change, keys in changes:
                mirror.put(db, keys)
                _write_down(db, _shortened(db, change), begun=begun)

    def put_instead(
        self,
        change: Change,
        keys: dict[str, str | None],
        new: Change | None = None,
        *,
        begun: bool = False,
    ) -> bool:
        """Undo a change that waits, or put a new one in its place, unless it may have been made in
        etcd; whether that is done."""
        with self._file.write() as db:
            query = "DELETE FROM journal WHERE subject = ? AND change = ? AND NOT begun"
            done = db.execute(query, (change.subject, encode_change(change))).rowcount > 0
            if done:
                mirror.put(db, keys)
                if new is not None:
                    _write_down(db, new, begun=begun)
            return done

    def waiting(self) -> tuple[Waiting, ...]:
        """What is to be made in etcd, in order."""
        with self._file.read() as db:
            rows = db.execute("SELECT number, begun, change FROM journal ORDER BY number")
            return tuple(Waiting(n, bool(begun), decode_change(text)) for n, begun, text in rows)

    def begin(self, number: int) -> bool:
        """From now on the change may have been made; False when it waits no more."""
        with self._file.write() as db:
            query = "UPDATE journal SET begun = 1 WHERE number = ?"
            return db.execute(query, (number,)).rowcount > 0

    def finish(self, number: int) -> None:
        """The change has been made."""
        with self._file.write() as db:
            db.execute("DELETE FROM journal WHERE number = ?", (number,))


def _write_down(db: Connection, change: Change, *, begun: bool) -> None:
    db.execute("DELETE FROM journal WHERE subject = ?", (change.subject,))
    db.execute(
        "INSERT INTO journal (subject, begun, change) VALUES (?, ?, ?)",
        (change.subject, int(begun), encode_change(change)),
    )


def _shortened(db: Connection, change: Change) -> Change:
    """What is given up after an exchange that etcd has not heard of, as if that had not been."""
    if not isinstance(change, Released):
        return change
    query = "SELECT number, change FROM journal WHERE subject = ? AND NOT begun"
    subject = Exchanged(change.held, change.held).subject
    for number, text in db.execute(query, (subject,)).fetchall():
        earlier = decode_change(text)
        if isinstance(earlier, Exchanged) and earlier.new == change.held:
            db.execute("DELETE FROM journal WHERE number = ?", (number,))
            return Released(earlier.held)
    return change
