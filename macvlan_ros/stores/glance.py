"""A glance at a store in a file: the names and addresses that stand in it, as text.

For shell scripts, which ask again and again for what they know to be there (`list -q`,
`allocate -q NAME`). No value is made of what is read, for netaddr alone takes longer to load than
all that a glance needs. None means that a glance is not enough, and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection

from macvlan_ros.stores import sqlite_path
from macvlan_ros.stores.sqlite_file import SqliteFile
from macvlan_ros.stores.sqlite_schema import MIGRATIONS, PATIENCE


def owners(url: str, pool: str | None = None) -> tuple[str, ...] | None:
    """Who holds an address, in one pool or in all, by pool and address.

    None for a store that is no file, or has no such pool. Raises StoreDown, Forbidden.
    """
    with _reading(url) as db:
        if db is None or (pool is not None and pool not in _leases(db)):
            return None
        query = (
            "SELECT owner FROM reservations WHERE pool = ?1 OR ?1 IS NULL ORDER BY pool, address"
        )
        return tuple(owner for (owner,) in db.execute(query, (pool or None,)))


def addresses(url: str, names: Sequence[str], pool: str | None = None) -> tuple[str, ...] | None:
    """The IPv4 address that each of these owners holds in the pool, or in the only one.

    None for a store that is no file, when it is not plain which pool is meant, in a pool that
    takes leases, and when an owner holds none. Raises StoreDown, Forbidden.
    """
    with _reading(url) as db:
        if db is None:
            return None
        leases = _leases(db)
        meant = pool or (next(iter(leases)) if len(leases) == 1 else "")
        if leases.get(meant, True):
            return None
        query = "SELECT address FROM reservations WHERE pool = ? AND owner = ?"
        rows = [db.execute(query, (meant, name)).fetchone() for name in names]
    found = [_readable(row[0]) for row in rows if row is not None]
    return tuple(found) if len(found) == len(names) and all(found) else None


@contextmanager
def _reading(url: str) -> Iterator[Connection | None]:
    path = sqlite_path(url)
    if path is None:
        yield None
        return
    file = SqliteFile(Path(path).expanduser().absolute(), patience=PATIENCE, migrations=MIGRATIONS)
    try:
        with file.read() as db:
            yield db
    finally:
        file.close()


def _leases(db: Connection) -> dict[str, bool]:
    """Whether each pool takes leases; one whose definition does not decode might."""
    return {name: _takes_leases(text) for name, text in db.execute("SELECT * FROM pools")}


def _takes_leases(definition: str) -> bool:
    try:
        return json.loads(definition)["dhcp"] is not False
    except (ValueError, KeyError, TypeError):
        return True


def _readable(text: str) -> str:
    """An IPv4 address as people write it; "" for what is none (see `codec.encode_address`)."""
    if len(text) != 9 or text[0] != "4":
        return ""
    try:
        return ".".join(map(str, bytes.fromhex(text[1:])))
    except ValueError:
        return ""
