"""Taking away from etcd what is known exactly, and nothing that has come into its place since."""

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
