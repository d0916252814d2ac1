"""Reservations in etcd: one truth for all hosts, as durable as most of its members.

A reservation stands under its address, its owner and its MAC, and all of these are compared and
written in one transaction. Each call's values carry a mark of that call: when an answer was lost
and the request was sent again, the mark tells what this very call has written from what stood.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from netaddr import IPAddress

from macvlan_ros.errors import InvalidRequest
from macvlan_ros.models.pools import Pool, Record, Reservation
from macvlan_ros.stores import etcd_books, etcd_places, etcd_pools, etcd_records
from macvlan_ros.stores import etcd_kv as kv
from macvlan_ros.stores.access import EtcdAccess
from macvlan_ros.stores.base import Store
from macvlan_ros.stores.etcd_address import parse_url
from macvlan_ros.stores.etcd_books import Stood
from macvlan_ros.stores.etcd_client import EtcdClient
from macvlan_ros.stores.etcd_kv import Answer, Comparison, Entry
from macvlan_ros.stores.etcd_space import VERSION, EtcdSpace
from macvlan_ros.stores.rules import (
    is_blocked,
    settle,
)
from macvlan_ros.values import dataclass

#: More reservations than these at once make a request larger than etcd takes.
MOST_AT_ONCE = 1000
# Up to so many keys are compared one by one. More are too many for one transaction (etcd's limit is
# 128) and are compared at once: nothing was reserved or released since they were read.
_FEW = 120


class EtcdStore:
    """The store's promise over one prefix of an etcd.

    `patience` bounds every call, in seconds. `version` is the schema's. Raises InvalidRequest or
    Forbidden for a URL or for files that cannot be used; nothing is asked before the first call.
    """

    def __init__(
        self,
        url: str,
        access: EtcdAccess | None = None,
        *,
        patience: float = 5.0,
        version: int = VERSION,
    ) -> None:
        client = EtcdClient(parse_url(url), access or EtcdAccess())
        self._open(EtcdSpace(client, version=version), patience)

    @classmethod
    def over(cls, space: EtcdSpace, *, patience: float = 5.0) -> EtcdStore:
        """A store over a space that is there already."""
        store = cls.__new__(cls)
        store._open(space, patience)
        return store

    def _open(self, space: EtcdSpace, patience: float) -> None:
        self._space = space
        self._patience = patience

    # -- pools ----------------------------------------------------------------------------------

    def add_pool(self, pool: Pool) -> Pool:
        return etcd_pools.add(self._space, pool, deadline=self._deadline())

    def pools(self) -> tuple[Pool, ...]:
        return etcd_pools.every(self._space, deadline=self._deadline())

    def pool(self, name: str) -> Pool:
        return etcd_pools.one(self._space, name, deadline=self._deadline())

    def remove_pool(self, name: str) -> bool:
        return etcd_pools.remove(self._space, name, deadline=self._deadline())

    # -- reservations ---------------------------------------------------------------------------

    def reserve(self, wanted: Sequence[Reservation]) -> tuple[Reservation, ...]:
        if not wanted:
            return ()
        self._check_size(len(wanted))
        space, deadline, mark = self._space, self._deadline(), os.urandom(6).hex()
        pools = tuple(dict.fromkeys(want.pool for want in wanted))
        few = 3 * len(wanted) + len(pools) <= _FEW
        gets = etcd_books.gets(space, wanted, pools)
        seen: _Seen | None = None
        if not few or is_blocked(wanted, settle(wanted, ())):
            seen = self._see(space.read(gets, deadline=deadline), pools, deadline)
        while True:
            stands = settle(wanted, [each.held for each in seen.stood] if seen else ())
            if seen and (is_blocked(wanted, stands) or not _new(wanted, stands)):
                return stands
            answer = space.change(
                [
                    *(kv.is_there(space.pool_key(name)) for name in pools),
                    *self._guards(wanted, seen, few=few),
                ],
                etcd_books.puts(space, _new(wanted, stands), mark),
                gets if few else (),
                deadline=deadline,
            )
            if answer.succeeded:
                return stands
            # Many gets beside as many puts would be a request larger than etcd takes.
            answer = answer if few else space.read(gets, deadline=deadline)
            seen = self._see(answer, pools, deadline)
            if any(each.mark == mark for each in seen.stood):
                return _own(wanted, seen.stood, mark)

    def held(self, pool: str, owners: Sequence[str]) -> tuple[Reservation, ...]:
        found, _ = self._held(pool, owners, self._deadline())
        return tuple(each.held for each in found)

    def release(self, pool: str, owners: Sequence[str]) -> tuple[Reservation, ...]:
        self._check_size(len(set(owners)))
        space, deadline = self._space, self._deadline()
        few = 3 * len(set(owners)) <= _FEW
        tried: list[Stood] = []
        while True:
            found, changed = self._held(pool, owners, deadline)
            if tried and not set(tried) & set(found):
                return tuple(each.held for each in tried)  # done, and the answer lost
            held = tuple(each.held for each in found)
            if not held:
                return ()
            quiet = kv.is_unchanged(space.reservations_key, changed)
            answer = space.change(
                etcd_books.guards(space, held, found) if few else [quiet],
                etcd_books.deletes(space, held),
                deadline=deadline,
            )
            if answer.succeeded:
                return held
            tried = found if answer.resent else []

    def move(self, held: Reservation, host: str) -> Reservation | None:
        space, deadline, mark = self._space, self._deadline(), os.urandom(6).hex()
        key, moved = space.owner_key(held.pool, held.owner), replace(held, host=host)
        stood = self._stood(key, deadline)
        while stood is not None and stood.held == held:
            answer = space.change(
                [kv.is_unchanged(key, stood.modified)],
                etcd_books.puts(space, [moved], mark),
                [kv.get(key)],
                deadline=deadline,
            )
            if answer.succeeded:
                return moved
            stood = next(iter(self._decode_reservations(answer.found)), None)
        return stood.held if stood else None

    def exchange(self, held: Reservation, new: Reservation) -> Reservation | None:
        space, deadline, mark = self._space, self._deadline(), os.urandom(6).hex()
        key, old = space.owner_key(held.pool, held.owner), space.keys_of(held)
        keys = [each for each in space.keys_of(new) if each not in old]
        stood = self._stood(key, deadline)
        while stood is not None and stood.held == held:
            answer = space.change(
                [kv.is_unchanged(key, stood.modified), *map(kv.is_absent, keys)],
                etcd_books.exchanges(space, held, new, mark),
                [kv.get(each) for each in (key, *keys)],
                deadline=deadline,
            )
            if answer.succeeded:
                return new
            found = self._decode_reservations(answer.found)
            if any(each.mark == mark for each in found):
                return new  # done, and the answer lost
            others = [each for each in found if each.held != held]
            if others:
                return others[0].held
            stood = next(iter(found), None)
        return stood.held if stood else None

    def reservations(self, pool: str | None = None) -> tuple[Reservation, ...]:
        deadline = self._deadline()
        if pool is None:
            gets = [kv.get_all(self._space.address_key())]
            entries = self._space.read(gets, deadline=deadline).found[0]
        else:
            gets = [kv.get_all(self._space.owner_key(pool))]
            entries = etcd_pools.read_with(self._space, pool, gets, deadline=deadline).found[1]
        found = (each.held for each in self._decode_reservations([entries]))
        return tuple(sorted(found, key=lambda held: (held.pool, held.address.sort_key())))

    def taken(self, pool: str) -> tuple[int, ...]:
        return etcd_places.taken(self._space, self.pool(pool), deadline=self._deadline())

    def taken_near(self, pool: Pool, places: Sequence[int] = ()) -> tuple[int, ...]:
        return etcd_places.taken_near(self._space, pool, places, deadline=self._deadline())

    def holder(self, address: IPAddress) -> Reservation | None:
        return self._reservation(self._space.address_key(address))

    def owner_of_mac(self, pool: str, mac: str) -> Reservation | None:
        found = self._reservation(self._space.mac_key(mac))
        return found if found and found.pool == pool else None

    # -- records --------------------------------------------------------------------------------

    def remember(self, record: Record, *, replace: bool = False) -> Record:
        return etcd_records.remember(
            self._space, record, replace=replace, deadline=self._deadline()
        )

    def forget(self, kind: str, key: str) -> bool:
        return etcd_records.forget(self._space, kind, key, deadline=self._deadline())

    def recall(self, kind: str, key: str | None = None) -> tuple[Record, ...]:
        return etcd_records.recall(self._space, kind, key, deadline=self._deadline())

    def kinds(self) -> tuple[str, ...]:
        return etcd_records.kinds(self._space, deadline=self._deadline())

    # -- in general -----------------------------------------------------------------------------

    def inspect(self) -> tuple[str, ...]:
        everything = [kv.get_all(self._space.prefix)]
        entries = self._space.read(everything, deadline=self._deadline()).found[0]
        return tuple(etcd_books.find_errors(self._space, entries))

    def age(self) -> float | None:
        return None

    def spare(self, pool: str) -> tuple[Reservation, ...]:  # noqa: ARG002
        return ()

    def close(self) -> None:
        self._space.close()

    def _deadline(self) -> float:
        return time.monotonic() + self._patience

    def _check_size(self, number: int) -> None:
        if number > MOST_AT_ONCE:
            raise InvalidRequest(
                f"store {self._space.address.url}: {number} names at once are more than etcd takes "
                f"in one transaction; ask for {MOST_AT_ONCE} at a time"
            )

    def _see(self, answer: Answer, pools: Sequence[str], deadline: float) -> _Seen:
        """Raises PoolNotFound."""
        for name, found in zip(pools, answer.found[1:], strict=False):
            etcd_pools.check(self._space, name, found, deadline=deadline)
        stood = self._decode_reservations(answer.found[1 + len(pools) :])
        return _Seen(answer.modified(0), stood)

    def _guards(
        self, wanted: Sequence[Reservation], seen: _Seen | None, *, few: bool
    ) -> list[Comparison]:
        if few or seen is None:
            return etcd_books.guards(self._space, wanted, seen.stood if seen else ())
        return [kv.is_unchanged(self._space.reservations_key, seen.changed)]

    def _held(self, pool: str, owners: Sequence[str], deadline: float) -> tuple[list[Stood], int]:
        """What the owners hold, and the revision of the last change. Raises PoolNotFound."""
        space, asked = self._space, tuple(dict.fromkeys(owners))
        gets = [kv.get_all(space.owner_key(pool))]
        if len(asked) <= MOST_AT_ONCE:
            gets = kv.many([kv.get(space.owner_key(pool, owner)) for owner in asked])
        gets = [kv.get(space.reservations_key), *gets]
        answer = etcd_pools.read_with(space, pool, gets, deadline=deadline)
        stood = self._decode_reservations(answer.found[2:])
        by_owner = {each.held.owner: each for each in stood}
        return [by_owner[owner] for owner in asked if owner in by_owner], answer.modified(1)

    def _reservation(self, key: str) -> Reservation | None:
        stood = self._stood(key, self._deadline())
        return stood.held if stood else None

    def _stood(self, key: str, deadline: float) -> Stood | None:
        found = self._space.read([kv.get(key)], deadline=deadline).found
        return next(iter(self._decode_reservations(found)), None)

    def _decode_reservations(self, found: Iterable[Sequence[Entry]]) -> list[Stood]:
        with self._space.decoding():
            return etcd_books.read_reservations(found)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What stood at one moment; `changed` is the revision of the last change before it."""

    changed: int
    stood: list[Stood]


def _new(wanted: Sequence[Reservation], stands: Sequence[Reservation]) -> list[Reservation]:
    return [want for want, held in zip(wanted, stands, strict=True) if want is held]


def _own(
    wanted: Sequence[Reservation], stood: Iterable[Stood], mark: str
) -> tuple[Reservation, ...]:
    """What stands, after this call has written it without hearing so."""
    mine = {(want.pool, want.owner): want for want in reversed(wanted)}
    return settle(
        wanted,
        [
            mine[each.held.pool, each.held.owner] if each.mark == mark else each.held
            for each in stood
        ],
    )


def _conforms(store: EtcdStore) -> Store:
    return store
