"""What a local copy knows of etcd's keys: a table of them, within the copy's transactions.

Each key has the revision that wrote it, so that what is learned late never replaces what is newer.
A key that is known to be gone stays with no value, for the same reason, until all has been read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from sqlite3 import Connection

from macvlan_ros.stores.etcd_kv import Entry
from macvlan_ros.stores.etcd_seen import Seen

_PUT = """INSERT INTO mirror VALUES (?1, ?2, ?3) ON CONFLICT (key) DO UPDATE
    SET value = excluded.value, revision = excluded.revision WHERE excluded.revision > revision"""

_BURY = """UPDATE mirror SET value = NULL, revision = ?3
    WHERE key = ?1 AND value = ?2 AND revision < ?3"""


def learn(db: Connection, keys: Iterable[str], entry: Entry) -> None:
    """What etcd has said of all keys of one thing."""
    for key in keys:
        db.execute(_PUT, (key, entry.value, entry.modified))


def bury(db: Connection, keys: Iterable[str], entry: Entry, revision: int) -> None:
    """The entry is no more, nor is what says the same: a key that says something else by now is of
    what has come since."""
    for key in keys:
        db.execute(_BURY, (key, entry.value, revision))


def put(db: Connection, keys: Mapping[str, str | None]) -> None:
    """What this host has done itself: the keys with their values; None: gone."""
    for key, value in keys.items():
        # It keeps the revision that it had, so that what etcd says next is newer.
        db.execute(
            "INSERT INTO mirror VALUES (?1, ?2, 0) "
            "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (key, value),
        )


def under(db: Connection, prefix: str) -> list[tuple[str, str, int]]:
    """The rows under a prefix that ends with a slash, by key."""
    # '0' comes right after '/'.
    query = "SELECT * FROM mirror WHERE key >= ? AND key < ? AND value IS NOT NULL ORDER BY key"
    return db.execute(query, (prefix, prefix[:-1] + "0")).fetchall()


def between(db: Connection, first: str, last: str, limit: int) -> list[tuple[str, str, int]]:
    """The rows from the first key to the last, so many of them (0: all), by key."""
    query = (
        "SELECT * FROM mirror WHERE key BETWEEN ? AND ? AND value IS NOT NULL ORDER BY key LIMIT ?"
    )
    return db.execute(query, (first, last, limit or -1)).fetchall()


def fresh(db: Connection, entries: Iterable[Entry]) -> Iterator[Entry]:
    """Entries that are newer than what is known of their keys."""
    since = floor(db)
    query = "SELECT revision FROM mirror WHERE key = ?"
    for entry in entries:
        known = db.execute(query, (entry.key,)).fetchone()
        if entry.modified > (known[0] if known else since):
            yield entry


def standing(db: Connection, key: str) -> list[Entry]:
    """The entry under a key, if one stands."""
    query = "SELECT * FROM mirror WHERE key = ? AND value IS NOT NULL"
    return [Entry(*row) for row in db.execute(query, (key,)).fetchall()]


def lost(db: Connection, seen: Seen) -> Iterator[Entry]:
    """What is known to stand, and stood no more when that was seen. Of what only waits to be made
    (it has no revision yet) etcd knows nothing."""
    for key in seen.gone:
        yield from (each for each in standing(db, key) if 0 < each.modified < seen.revision)
    stood = {entry.key for entry in seen.entries}
    for prefix in seen.whole:
        for row in under(db, prefix):
            if row[0] not in stood and 0 < row[2] < seen.revision:
                yield Entry(*row)


def forget_graves(db: Connection, revision: int) -> None:
    """All was read at that revision: what is not there now did not stand then."""
    waiting = "SELECT 1 FROM journal LIMIT 1"
    if db.execute(waiting).fetchone() is None:
        gone = "(value IS NULL AND revision <= ?) OR revision = 0"
        db.execute(f"DELETE FROM mirror WHERE {gone}", (revision,))
        set_fact(db, "floor", str(max(revision, floor(db))))


def floor(db: Connection) -> int:
    """The revision at which all was read last."""
    return int(fact(db, "floor") or 0)


def fact(db: Connection, name: str) -> str:
    """What is noted under that name; "" when nothing is."""
    row = db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    return str(row[0]) if row else ""


def set_fact(db: Connection, name: str, value: str) -> None:
    """Note it."""
    db.execute("REPLACE INTO facts VALUES (?, ?)", (name, value))
