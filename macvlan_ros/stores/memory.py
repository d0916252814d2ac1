"""A store that lasts as long as the process: for tests, and for trying things out."""

from __future__ import annotations

import dataclasses
from bisect import bisect_left
from collections.abc import Sequence
from threading import Lock

from netaddr import IPAddress

from macvlan_ros.models.pools import STATIC, Pool, Record, Reservation
from macvlan_ros.stores.base import WINDOW, Store
from macvlan_ros.stores.rules import (
    check_new_pool,
    is_blocked,
    pool_in_use,
    pool_not_found,
    settle,
)


class MemoryStore:
    """The store's promise, but for durability, kept with a lock and a few dictionaries."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._pools: dict[str, Pool] = {}
        self._held: dict[tuple[str, str], Reservation] = {}
        self._records: dict[tuple[str, str], Record] = {}

    def add_pool(self, pool: Pool) -> Pool:
        with self._lock:
            if check_new_pool(pool, self._pools.values()):
                self._pools[pool.name] = pool
            return self._pools[pool.name]

    def pools(self) -> tuple[Pool, ...]:
        with self._lock:
            return tuple(self._pools[name] for name in sorted(self._pools))

    def pool(self, name: str) -> Pool:
        with self._lock:
            self._check_pool(name)
            return self._pools[name]

    def remove_pool(self, name: str) -> bool:
        with self._lock:
            held = sum(1 for pool, _ in self._held if pool == name)
            if held:
                raise pool_in_use(name, held)
            return self._pools.pop(name, None) is not None

    def reserve(self, wanted: Sequence[Reservation]) -> tuple[Reservation, ...]:
        with self._lock:
            for pool in {want.pool for want in wanted}:
                self._check_pool(pool)
            stands = settle(wanted, self._held.values())
            if not is_blocked(wanted, stands):
                self._held |= {(held.pool, held.owner): held for held in stands}
            return stands

    def held(self, pool: str, owners: Sequence[str]) -> tuple[Reservation, ...]:
        with self._lock:
            self._check_pool(pool)
            keys = [(pool, owner) for owner in dict.fromkeys(owners)]
            return tuple(self._held[key] for key in keys if key in self._held)

    def release(self, pool: str, owners: Sequence[str]) -> tuple[Reservation, ...]:
        with self._lock:
            self._check_pool(pool)
            keys = [(pool, owner) for owner in dict.fromkeys(owners)]
            return tuple(self._held.pop(key) for key in keys if key in self._held)

    def move(self, held: Reservation, host: str) -> Reservation | None:
        with self._lock:
            key = (held.pool, held.owner)
            if self._held.get(key) == held:
                self._held[key] = dataclasses.replace(held, host=host)
            return self._held.get(key)

    def exchange(self, held: Reservation, new: Reservation) -> Reservation | None:
        with self._lock:
            key = (held.pool, held.owner)
            if self._held.get(key) != held:
                return self._held.get(key)
            others = [each for other, each in self._held.items() if other != key]
            (stands,) = settle([new], others)
            if stands is new:
                del self._held[key]
                self._held[new.pool, new.owner] = new
            return stands

    def reservations(self, pool: str | None = None) -> tuple[Reservation, ...]:
        with self._lock:
            if pool is not None:
                self._check_pool(pool)
            found = [held for held in self._held.values() if pool in (None, held.pool)]
            return tuple(sorted(found, key=lambda held: (held.pool, held.address)))

    def taken(self, pool: str) -> tuple[int, ...]:
        return tuple(int(held.address) for held in self.reservations(pool))

    def taken_near(self, pool: Pool, places: Sequence[int] = ()) -> tuple[int, ...]:
        with self._lock:
            held = sorted(
                int(each.address) for each in self._held.values() if each.address in pool.subnet
            )
        if not places:
            return tuple(held)
        near = (held[bisect_left(held, place) :][:WINDOW] for place in places)
        return tuple(sorted({value for window in near for value in window}))

    def holder(self, address: IPAddress) -> Reservation | None:
        with self._lock:
            found = (held for held in self._held.values() if held.address == address)
            return next(found, None)

    def owner_of_mac(self, pool: str, mac: str) -> Reservation | None:
        with self._lock:
            for held in self._held.values():
                if (held.pool, held.mac, held.kind) == (pool, mac, STATIC):
                    return held
            return None

    def remember(self, record: Record, *, replace: bool = False) -> Record:
        with self._lock:
            key = (record.kind, record.key)
            if replace:
                self._records[key] = record
            return self._records.setdefault(key, record)

    def forget(self, kind: str, key: str) -> bool:
        with self._lock:
            return self._records.pop((kind, key), None) is not None

    def recall(self, kind: str, key: str | None = None) -> tuple[Record, ...]:
        with self._lock:
            found = (each for each in self._records.values() if each.kind == kind)
            chosen = (each for each in found if key in (None, each.key))
            return tuple(sorted(chosen, key=lambda each: each.key))

    def kinds(self) -> tuple[str, ...]:
        with self._lock:
            return tuple(sorted({kind for kind, _ in self._records}))

    def inspect(self) -> tuple[str, ...]:
        return ()

    def age(self) -> float | None:
        return None

    def spare(self, pool: str) -> tuple[Reservation, ...]:  # noqa: ARG002
        return ()

    def close(self) -> None:
        """Nothing is held open."""

    def _check_pool(self, name: str) -> None:
        if name not in self._pools:
            raise pool_not_found(name, self._pools)


def _conforms(store: MemoryStore) -> Store:
    return store
