"""Reservations in one SQLite file: durable, shared by every process of this host.

Write-ahead log, `synchronous=FULL`: what a method returned survives a power cut. Writing makes
the file and its folder; reading never makes anything, and finds an empty store where there is
no file.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from sqlite3 import Connection

from netaddr import IPAddress

from macvlan_ros.models.pools import STATIC, Pool, Record, Reservation
from macvlan_ros.stores.base import WINDOW, Store
from macvlan_ros.stores.codec import (
    decode_address,
    decode_pool,
    decode_value,
    encode_address,
    encode_pool,
)
from macvlan_ros.stores.rules import check_new_pool, pool_in_use, pool_not_found
from macvlan_ros.stores.sqlite_file import Migration, SqliteFile
from macvlan_ros.stores.sqlite_schema import MIGRATIONS, PATIENCE

_COLUMNS = "pool, owner, address, mac, host, created, kind"
_SELECT = f"SELECT {_COLUMNS} FROM reservations"


class SqliteStore:
    """The store's promise over one file.

    `patience` bounds every wait, in seconds. `migrations` are the schema's steps.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        patience: float = PATIENCE,
        migrations: Sequence[Migration] = MIGRATIONS,
    ) -> None:
        self._file = SqliteFile(
            Path(path).expanduser().absolute(), patience=patience, migrations=migrations
        )

    def add_pool(self, pool: Pool) -> Pool:
        with self._file.write() as db:
            if check_new_pool(pool, _pools(db)):
                db.execute("INSERT INTO pools VALUES (?, ?)", (pool.name, encode_pool(pool)))
        return pool

    def pools(self) -> tuple[Pool, ...]:
        with self._file.read() as db:
            return _pools(db)

    def pool(self, name: str) -> Pool:
        with self._file.read() as db:
            return _pool(db, name)

    def remove_pool(self, name: str) -> bool:
        with self._file.write() as db:
            query = "SELECT count(*) FROM reservations WHERE pool = ?"
            (held,) = db.execute(query, (name,)).fetchone()
            if held:
                raise pool_in_use(name, held)
            return db.execute("DELETE FROM pools WHERE name = ?", (name,)).rowcount > 0

    def reserve(self, wanted: Sequence[Reservation]) -> tuple[Reservation, ...]:
        with self._file.write() as db:
            for name in dict.fromkeys(want.pool for want in wanted):
                _pool(db, name)
            stands = tuple(_reserve(db, want) for want in wanted)
            pairs = zip(wanted, stands, strict=True)
            if any((want.pool, want.owner) != (held.pool, held.owner) for want, held in pairs):
                db.execute("ROLLBACK")
        return stands

    def held(self, pool: str, owners: Sequence[str]) -> tuple[Reservation, ...]:
        with self._file.read() as db:
            _pool(db, pool)
            return _held(db, pool, owners)

    def release(self, pool: str, owners: Sequence[str]) -> tuple[Reservation, ...]:
        with self._file.write() as db:
            _pool(db, pool)
            held = _held(db, pool, owners)
            db.executemany(
                "DELETE FROM reservations WHERE pool = ? AND owner = ?",
                [(pool, each.owner) for each in held],
            )
        return held

    def move(self, held: Reservation, host: str) -> Reservation | None:
        where = "pool = ? AND owner = ?"
        with self._file.write() as db:
            if _first(db, where, (held.pool, held.owner)) == held:
                query = f"UPDATE reservations SET host = ? WHERE {where}"
                db.execute(query, (host, held.pool, held.owner))
            return _first(db, where, (held.pool, held.owner))

    def exchange(self, held: Reservation, new: Reservation) -> Reservation | None:
        where, whose = "pool = ? AND owner = ?", (held.pool, held.owner)
        with self._file.write() as db:
            standing = _first(db, where, whose)
            if standing != held:
                return standing
            db.execute(f"DELETE FROM reservations WHERE {where}", whose)
            stands = _reserve(db, new)
            if stands is not new:
                db.execute("ROLLBACK")
        return stands

    def reservations(self, pool: str | None = None) -> tuple[Reservation, ...]:
        with self._file.read() as db:
            if pool is None:
                rows = db.execute(f"{_SELECT} ORDER BY pool, address")
            else:
                _pool(db, pool)
                rows = db.execute(f"{_SELECT} WHERE pool = ? ORDER BY address", (pool,))
            return tuple(_decode(row) for row in rows)

    def taken(self, pool: str) -> tuple[int, ...]:
        query = "SELECT address FROM reservations WHERE pool = ? ORDER BY address"
        with self._file.read() as db:
            _pool(db, pool)
            return tuple(decode_value(text) for (text,) in db.execute(query, (pool,)))

    def taken_near(self, pool: Pool, places: Sequence[int] = ()) -> tuple[int, ...]:
        query = "SELECT address FROM reservations WHERE address BETWEEN ? AND ? ORDER BY 1 LIMIT ?"
        version = pool.subnet.version
        last = encode_address(IPAddress(pool.subnet.last, version))
        found: set[int] = set()
        with self._file.read() as db:
            for place in places or (pool.subnet.first,):
                first = encode_address(IPAddress(place, version))
                rows = db.execute(query, (first, last, WINDOW if places else -1))
                found.update(decode_value(text) for (text,) in rows)
        return tuple(sorted(found))

    def holder(self, address: IPAddress) -> Reservation | None:
        with self._file.read() as db:
            return _first(db, "address = ?", (encode_address(address),))

    def owner_of_mac(self, pool: str, mac: str) -> Reservation | None:
        with self._file.read() as db:
            return _first(db, "mac = ? AND kind = 'static' AND pool = ?", (mac, pool))

    def remember(self, record: Record, *, replace: bool = False) -> Record:
        how = "REPLACE" if replace else "INSERT OR IGNORE"
        values = (record.kind, record.key, record.host, record.value)
        with self._file.write() as db:
            written = db.execute(f"{how} INTO records VALUES (?, ?, ?, ?)", values).rowcount > 0
            return record if written else _records(db, record.kind, record.key)[0]

    def forget(self, kind: str, key: str) -> bool:
        with self._file.write() as db:
            query = "DELETE FROM records WHERE kind = ? AND key = ?"
            return db.execute(query, (kind, key)).rowcount > 0

    def recall(self, kind: str, key: str | None = None) -> tuple[Record, ...]:
        with self._file.read() as db:
            return _records(db, kind, key)

    def kinds(self) -> tuple[str, ...]:
        with self._file.read() as db:
            rows = db.execute("SELECT DISTINCT kind FROM records ORDER BY kind")
            return tuple(kind for (kind,) in rows)

    def inspect(self) -> tuple[str, ...]:
        with self._file.read() as db:
            found = [text for (text,) in db.execute("PRAGMA integrity_check") if text != "ok"]
            homeless = db.execute("PRAGMA foreign_key_check").fetchall()
        return (*found, *(f"a row of {table} has no {parent}" for table, _, parent, _ in homeless))

    def age(self) -> float | None:
        return None

    def spare(self, pool: str) -> tuple[Reservation, ...]:  # noqa: ARG002
        return ()

    def close(self) -> None:
        self._file.close()


def _pools(db: Connection) -> tuple[Pool, ...]:
    return tuple(decode_pool(*row) for row in db.execute("SELECT * FROM pools ORDER BY name"))


def _pool(db: Connection, name: str) -> Pool:
    row = db.execute("SELECT * FROM pools WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise pool_not_found(name, [known for (known,) in db.execute("SELECT name FROM pools")])
    return decode_pool(*row)


def _held(db: Connection, pool: str, owners: Sequence[str]) -> tuple[Reservation, ...]:
    query = f"{_SELECT} WHERE pool = ? AND owner = ?"
    rows = (db.execute(query, (pool, owner)).fetchone() for owner in dict.fromkeys(owners))
    return tuple(_decode(row) for row in rows if row is not None)


def _reserve(db: Connection, want: Reservation) -> Reservation:
    """What stands for one wanted reservation, which is written when nothing does."""
    address = encode_address(want.address)
    in_the_way = [
        ("pool = ? AND owner = ?", (want.pool, want.owner)),
        ("address = ?", (address,)),
    ]
    if want.kind == STATIC:
        in_the_way.append(("mac = ? AND kind = 'static'", (want.mac,)))
    for condition, values in in_the_way:
        stands = _first(db, condition, values)
        if stands is not None:
            return stands
    db.execute(
        f"INSERT INTO reservations ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (want.pool, want.owner, address, want.mac, want.host, want.created, want.kind),
    )
    return want


def _first(db: Connection, condition: str, values: tuple[str, ...]) -> Reservation | None:
    row = db.execute(f"{_SELECT} WHERE {condition}", values).fetchone()
    return None if row is None else _decode(row)


def _records(db: Connection, kind: str, key: str | None) -> tuple[Record, ...]:
    query = "SELECT kind, key, host, value FROM records WHERE kind = ?"
    if key is None:
        rows = db.execute(f"{query} ORDER BY key", (kind,))
    else:
        rows = db.execute(f"{query} AND key = ?", (kind, key))
    return tuple(Record(*row) for row in rows)


def _decode(row: tuple[str, str, str, str, str, str, str]) -> Reservation:
    pool, owner, address, mac, host, created, kind = row
    return Reservation(
        pool=pool,
        address=decode_address(address),
        owner=owner,
        mac=mac,
        host=host,
        created=created,
        kind=kind,
    )


def _conforms(store: SqliteStore) -> Store:
    return store
