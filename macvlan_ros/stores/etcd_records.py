"""Records in etcd. Each change compares the revision that was read: a request that is late, because
its answer was lost and it was sent again, must not undo what has been written since.
"""

from __future__ import annotations

import os

from macvlan_ros.models.pools import Record
from macvlan_ros.stores import etcd_books
from macvlan_ros.stores import etcd_kv as kv
from macvlan_ros.stores.etcd_kv import Entry
from macvlan_ros.stores.etcd_space import EtcdSpace


def remember(space: EtcdSpace, record: Record, *, replace: bool, deadline: float) -> Record:
    """As the store promises. Raises StoreDown, Forbidden."""
    mark = os.urandom(6).hex()
    key = space.record_key(record.kind, record.key)
    put = kv.put(key, etcd_books.write_record(record, mark))
    seen = space.read([kv.get(key)], deadline=deadline).modified(0) if replace else 0
    while True:
        unchanged = kv.is_unchanged(key, seen)
        answer = space.change([unchanged], [put], [kv.get(key)], deadline=deadline)
        if answer.succeeded:
            return record
        stands = answer.one(0)
        if stands:
            other, its_mark = _decode(space, record.kind, record.key, stands)
            if its_mark == mark:
                return record
            if not replace:
                return other
        seen = answer.modified(0) if replace else 0


def forget(space: EtcdSpace, kind: str, key: str, *, deadline: float) -> bool:
    """As the store promises. Raises StoreDown, Forbidden."""
    place = space.record_key(kind, key)
    seen = space.read([kv.get(place)], deadline=deadline).modified(0)
    while seen:
        unchanged = kv.is_unchanged(place, seen)
        answer = space.change([unchanged], [kv.delete(place)], [kv.get(place)], deadline=deadline)
        if answer.succeeded:
            return True
        seen = answer.modified(0)
        if not seen:
            return answer.resent  # the first time may have done it
    return False


def recall(space: EtcdSpace, kind: str, key: str | None, *, deadline: float) -> tuple[Record, ...]:
    """As the store promises. Raises StoreDown, Forbidden."""
    prefix = space.record_key(kind)
    wanted = kv.get_all(prefix) if key is None else kv.get(space.record_key(kind, key))
    entries = space.read([wanted], deadline=deadline).found[0]
    return tuple(
        _decode(space, kind, entry.key.removeprefix(prefix), entry)[0] for entry in entries
    )


def kinds(space: EtcdSpace, *, deadline: float) -> tuple[str, ...]:
    """As the store promises. Raises StoreDown, Forbidden."""
    prefix = f"{space.prefix}record/"
    entries = space.read([kv.get_all(prefix, only="keys")], deadline=deadline).found[0]
    return tuple(sorted({entry.key.removeprefix(prefix).partition("/")[0] for entry in entries}))


def _decode(space: EtcdSpace, kind: str, key: str, entry: Entry) -> tuple[Record, str]:
    with space.decoding():
        return etcd_books.read_record(kind, key, entry)
