"""Changing in etcd what is known exactly, and nothing that has come into its place since."""

from __future__ import annotations

from macvlan_ros.models.pools import Record, Reservation
from macvlan_ros.stores import etcd_books
from macvlan_ros.stores import etcd_kv as kv
from macvlan_ros.stores.etcd_space import EtcdSpace


def release(space: EtcdSpace, held: Reservation, *, deadline: float) -> bool:
    """Release the reservation if it stands as it is given, in every field; False if it does not.

    Raises StoreDown, Forbidden.
    """
    key = space.owner_key(held.pool, held.owner)
    resent = False
    while True:
        found = space.read([kv.get(key)], deadline=deadline).one(0)
        if found is None:
            return resent  # the first time may have done it
        with space.decoding():
            stood = etcd_books.read_reservation(found)
        if stood.held != held:
            return False
        answer = space.change(
            etcd_books.guards(space, (held,), (stood,)),
            etcd_books.deletes(space, (held,)),
            deadline=deadline,
        )
        if answer.succeeded:
            return True
        resent = resent or answer.resent


def exchange(
    space: EtcdSpace, held: Reservation, new: Reservation, *, mark: str, deadline: float
) -> str:
    """Put `new` in the place of `held`, which has the same address, or where nothing stands there
    any more; "" when it stands, else what is in the way, as a sentence.

    Raises StoreDown, Forbidden.
    """
    keys = (space.address_key(new.address), space.owner_key(new.pool, new.owner))
    pool = space.pool_key(new.pool)
    # The copy has `new` already, and would take it for gone.
    unheard = EtcdSpace(space.client)
    while True:
        answer = unheard.read([*map(kv.get, keys), kv.get(pool)], deadline=deadline)
        with space.decoding():
            stood = [each.held for each in etcd_books.read_reservations(answer.found[:2])]
        others = [each for each in stood if each not in (held, new)]
        if others:
            return f"{new.address} is not {new.owner!r}'s: {_whose(others[0])} by now"
        if new in stood:
            return ""
        if not answer.found[2]:
            return f"{new.address} is not {new.owner!r}'s: its pool {new.pool!r} is gone"
        operations = (
            etcd_books.exchanges(space, held, new, mark)
            if stood
            else etcd_books.puts(space, [new], mark)
        )
        compare = [kv.is_unchanged(key, answer.modified(n)) for n, key in enumerate(keys)]
        if space.change([*compare, kv.is_there(pool)], operations, deadline=deadline).succeeded:
            return ""


def _whose(held: Reservation) -> str:
    return f"{held.owner!r} on {held.host or 'another host'} has {held.address}"


def forget(space: EtcdSpace, kind: str, key: str, *, host: str, deadline: float) -> Record | None:
    """Remove the record if it is that host's; else return what stands there, another's.

    Raises StoreDown, Forbidden.
    """
    place = space.record_key(kind, key)
    while True:
        found = space.read([kv.get(place)], deadline=deadline).one(0)
        if found is None:
            return None
        with space.decoding():
            stands, _ = etcd_books.read_record(kind, key, found)
        if stands.host != host:
            return stands
        unchanged = kv.is_unchanged(place, found.modified)
        if space.change([unchanged], [kv.delete(place)], deadline=deadline).succeeded:
            return None


def remember(space: EtcdSpace, record: Record, *, mark: str, deadline: float) -> Record | None:
    """Write the record unless another host's stands there; return that one then.

    Raises StoreDown, Forbidden.
    """
    place = space.record_key(record.kind, record.key)
    put = kv.put(place, etcd_books.write_record(record, mark))
    while True:
        found = space.read([kv.get(place)], deadline=deadline).one(0)
        if found is not None:
            with space.decoding():
                stands, _ = etcd_books.read_record(record.kind, record.key, found)
            if stands == record:
                return None
            if stands.host != record.host:
                return stands
        unchanged = kv.is_unchanged(place, found.modified if found else 0)
        if space.change([unchanged], [put], deadline=deadline).succeeded:
            return None
