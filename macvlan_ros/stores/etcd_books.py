"""What stands in etcd, read and written: reservations under each of their keys, and records."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from netaddr import IPAddress

from macvlan_ros.models.pools import Pool, Record, Reservation
from macvlan_ros.stores import etcd_kv as kv
from macvlan_ros.stores.codec import (
    decode_pool,
    decode_reservation,
    decode_value,
    encode_reservation,
)
from macvlan_ros.stores.damage import Undecodable
from macvlan_ros.stores.etcd_kv import Comparison, Entry, Operation
from macvlan_ros.stores.etcd_space import EtcdSpace
from macvlan_ros.values import dataclass


@dataclass(frozen=True, slots=True)
class Stood:
    """A reservation as it stands: `mark` is that of the call that wrote it."""

    held: Reservation
    mark: str
    modified: int


def gets(space: EtcdSpace, wanted: Iterable[Reservation], pools: Iterable[str]) -> list[Operation]:
    """What a reservation has to know: the last change, each pool, and what stands under the wanted
    keys."""
    first = [kv.get(space.reservations_key), *(kv.get(space.pool_key(name)) for name in pools)]
    keys = dict.fromkeys(key for want in wanted for key in space.keys_of(want))
    return [*first, *kv.many(list(map(kv.get, keys)))]


def puts(space: EtcdSpace, new: Iterable[Reservation], mark: str) -> list[Operation]:
    """Write reservations under all of their keys."""
    operations = [kv.put(space.reservations_key, "")]
    for want in new:
        value = write_reservation(want, mark)
        operations += [kv.put(key, value) for key in space.keys_of(want)]
    return kv.many(operations)


def deletes(space: EtcdSpace, gone: Iterable[Reservation]) -> list[Operation]:
    """Take reservations away from under all of their keys."""
    operations = [kv.delete(key) for held in gone for key in space.keys_of(held)]
    return kv.many([kv.put(space.reservations_key, ""), *operations])


def span(space: EtcdSpace, pool: Pool, place: int, *, limit: int) -> Operation:
    """What is held from a place in the pool's subnet to its end, the keys alone."""
    first = IPAddress(place, pool.subnet.version)
    last = IPAddress(pool.subnet.last, pool.subnet.version)
    return kv.get_span(space.address_key(first), space.address_key(last), limit=limit)


def value_of(entry: Entry) -> int:
    """The integer of the address whose key that is. Raises Undecodable."""
    return decode_value(entry.key.rpartition("/")[2])


def exchanges(space: EtcdSpace, held: Reservation, new: Reservation, mark: str) -> list[Operation]:
    """Write one reservation in the place of another."""
    keys = space.keys_of(new)
    gone = [kv.delete(key) for key in space.keys_of(held) if key not in keys]
    return kv.many([*gone, *puts(space, [new], mark)])


def guards(
    space: EtcdSpace, wanted: Iterable[Reservation], stood: Iterable[Stood]
) -> list[Comparison]:
    """Each of `wanted` stands as it stood, or nothing is in its way."""
    known = {(each.held.pool, each.held.owner): each for each in stood}
    comparisons: dict[str, Comparison] = {}
    for want in wanted:
        old = known.get((want.pool, want.owner))
        if old:
            key = space.owner_key(want.pool, want.owner)
            comparisons[key] = kv.is_unchanged(key, old.modified)
        else:
            comparisons |= {key: kv.is_absent(key) for key in space.keys_of(want)}
    return list(comparisons.values())


def read_reservations(found: Iterable[Sequence[Entry]]) -> list[Stood]:
    """Each reservation among the entries once. Raises Undecodable."""
    by_owner = {}
    for entries in found:
        for entry in entries:
            each = read_reservation(entry)
            by_owner[each.held.pool, each.held.owner] = each
    return list(by_owner.values())


def read_reservation(entry: Entry) -> Stood:
    """Raises Undecodable."""
    fields = _fields(entry)
    return Stood(decode_reservation(fields), str(fields.get("mark", "")), entry.modified)


def write_reservation(held: Reservation, mark: str) -> str:
    return json.dumps({**encode_reservation(held), "mark": mark})


def read_pool(entry: Entry) -> Pool:
    """Raises Undecodable."""
    return decode_pool(entry.key.rpartition("/")[2], entry.value)


def write_record(record: Record, mark: str) -> str:
    return json.dumps({"host": record.host, "value": record.value, "mark": mark})


def read_record(kind: str, key: str, entry: Entry) -> tuple[Record, str]:
    """The record, and the mark of the call that wrote it. Raises Undecodable."""
    fields = _fields(entry)
    try:
        return Record(kind, key, fields["host"], fields["value"]), str(fields["mark"])
    except KeyError as error:
        raise Undecodable(f"{entry.key} lacks {error}") from error


def find_errors(space: EtcdSpace, entries: Sequence[Entry]) -> Iterator[str]:
    """What is wrong among all entries of the prefix, one sentence each."""
    by_key = {entry.key: entry for entry in entries}
    reservations: dict[str, Reservation] = {}
    for entry in entries:
        try:
            held = _understand(space, entry)
        except Undecodable as error:
            yield f"the key {entry.key} does not decode: {error}"
            continue
        if held:
            reservations[entry.key] = held
    for key, held in reservations.items():
        expected = space.keys_of(held)
        if key not in expected:
            yield f"the key {key} holds a reservation of {held.owner!r} at {held.address}"
        for other in expected:
            if other not in by_key:
                yield f"the key {key} stands without {other}"
            elif by_key[other].value != by_key[key].value:
                yield f"the keys {key} and {other} do not say the same"
        if space.pool_key(held.pool) not in by_key:
            yield f"the key {key} is of pool {held.pool!r}, which is not there"


def _understand(space: EtcdSpace, entry: Entry) -> Reservation | None:
    kind, _, rest = entry.key.removeprefix(space.prefix).partition("/")
    if kind in ("address", "owner", "mac"):
        return read_reservation(entry).held
    if kind == "pool":
        read_pool(entry)
    elif kind == "record":
        read_record(*rest.partition("/")[::2], entry)
    elif rest or kind not in ("version", "pools", "reservations"):
        raise Undecodable("macvlan-ros writes no such key")
    return None


def _fields(entry: Entry) -> Mapping[str, Any]:
    try:
        fields = json.loads(entry.value)
    except ValueError as error:
        raise Undecodable(f"{entry.key} is not JSON") from error
    if not isinstance(fields, dict):
        raise Undecodable(f"{entry.key} is not an object")
    return fields
