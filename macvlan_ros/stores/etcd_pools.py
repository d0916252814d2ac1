"""Pools in etcd. Who adds or removes one writes the same key, so that no two miss each other."""

from __future__ import annotations

from collections.abc import Sequence

from macvlan_ros.models.pools import Pool
from macvlan_ros.stores import etcd_books
from macvlan_ros.stores import etcd_kv as kv
from macvlan_ros.stores.codec import encode_pool
from macvlan_ros.stores.etcd_kv import Answer, Entry, Operation
from macvlan_ros.stores.etcd_space import EtcdSpace
from macvlan_ros.stores.rules import check_new_pool, pool_in_use, pool_not_found


def add(space: EtcdSpace, pool: Pool, *, deadline: float) -> Pool:
    """As the store promises. Raises Conflict, PoolOverlap, StoreDown, Forbidden."""
    while True:
        gets = [kv.get(space.pools_key), kv.get_all(space.pool_key())]
        seen = space.read(gets, deadline=deadline)
        if not check_new_pool(pool, _decode(space, seen.found[1])):
            return pool
        unchanged = kv.is_unchanged(space.pools_key, seen.modified(0))
        definition = kv.put(space.pool_key(pool.name), encode_pool(pool))
        puts = [definition, kv.put(space.pools_key, "")]
        if space.change([unchanged], puts, deadline=deadline).succeeded:
            return pool


def every(space: EtcdSpace, *, deadline: float) -> tuple[Pool, ...]:
    """As the store promises. Raises StoreDown, Forbidden."""
    return _decode(space, space.read([kv.get_all(space.pool_key())], deadline=deadline).found[0])


def one(space: EtcdSpace, name: str, *, deadline: float) -> Pool:
    """As the store promises. Raises PoolNotFound, StoreDown, Forbidden."""
    return _decode(space, read_with(space, name, [], deadline=deadline).found[0])[0]


def remove(space: EtcdSpace, name: str, *, deadline: float) -> bool:
    """As the store promises. Raises Conflict, StoreDown, Forbidden."""
    pool_key, owners = space.pool_key(name), space.owner_key(name)
    seen = space.read([kv.get(pool_key)], deadline=deadline).modified(0)
    while seen:
        answer = space.change(
            [kv.is_unchanged(pool_key, seen), kv.is_empty(owners)],
            [kv.delete(pool_key), kv.put(space.pools_key, "")],
            [kv.get(pool_key), kv.get_all(owners, only="count")],
            deadline=deadline,
        )
        if answer.succeeded:
            return True
        seen = answer.modified(0)
        if not seen:
            return answer.resent  # the first time may have done it
        if answer.counts[1]:
            raise pool_in_use(name, answer.counts[1])
    return False


def read_with(space: EtcdSpace, name: str, gets: Sequence[Operation], *, deadline: float) -> Answer:
    """The pool's entry and what else the gets find. Raises PoolNotFound."""
    answer = space.read([kv.get(space.pool_key(name)), *gets], deadline=deadline)
    check(space, name, answer.found[0], deadline=deadline)
    return answer


def check(space: EtcdSpace, name: str, found: Sequence[Entry], *, deadline: float) -> None:
    """Raises PoolNotFound when no entry was found for the pool."""
    if not found:
        prefix = space.pool_key()
        known = space.read([kv.get_all(prefix, only="keys")], deadline=deadline).found[0]
        raise pool_not_found(name, [entry.key.removeprefix(prefix) for entry in known])


def _decode(space: EtcdSpace, entries: Sequence[Entry]) -> tuple[Pool, ...]:
    with space.decoding():
        return tuple(map(etcd_books.read_pool, entries))
