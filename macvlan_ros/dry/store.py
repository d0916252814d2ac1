"""A copy of a store, in memory: what is written to it is written down, and gone afterwards."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from macvlan_ros.fleet.register import HOST_KIND
from macvlan_ros.models.pools import Pool, Record, Reservation
from macvlan_ros.stores.base import Store
from macvlan_ros.stores.memory import MemoryStore
from macvlan_ros.stores.transfer import copy_into, read_content

__all__ = ["DryStore"]


class DryStore(MemoryStore):
    """`would` hears each change that is not made in the store `real`. Its pools take no leases.

    Of records it hears with `records` alone, for most are notes of the service to itself; but who
    takes a host out of the register does it by name.
    """

    def __init__(self, real: Store, *, would: Callable[[str], None], records: bool = False) -> None:
        super().__init__()
        self._tells_records = records
        self._would: Callable[[str], None] = lambda _text: None
        copy_into(self, read_content(real))
        self._would = would

    def add_pool(self, pool: Pool) -> Pool:
        known = {each.name for each in super().pools()}
        done = super().add_pool(pool)
        if pool.name not in known:
            self._would(f"add the pool '{pool.name}' ({pool.subnet})")
        return done

    def pool(self, name: str) -> Pool:
        return dataclasses.replace(super().pool(name), dhcp=False)

    def remove_pool(self, name: str) -> bool:
        removed = super().remove_pool(name)
        if removed:
            self._would(f"remove the pool '{name}'")
        return removed

    def reserve(self, wanted: Sequence[Reservation]) -> tuple[Reservation, ...]:
        stands = super().reserve(wanted)
        pairs = list(zip(wanted, stands, strict=True))
        if all((want.pool, want.owner) == (held.pool, held.owner) for want, held in pairs):
            for want, held in pairs:
                if want is held:
                    self._would(f"reserve {held.address} for '{held.owner}'")
        return stands

    def release(self, pool: str, owners: Sequence[str]) -> tuple[Reservation, ...]:
        gone = super().release(pool, owners)
        for held in gone:
            self._would(f"release {held.address}, which '{held.owner}' holds")
        return gone

    def move(self, held: Reservation, host: str) -> Reservation | None:
        stands = super().move(held, host)
        if stands is not None and stands.host == host:
            self._would(f"take '{held.owner}' over from {held.host}")
        return stands

    def exchange(self, held: Reservation, new: Reservation) -> Reservation | None:
        stands = super().exchange(held, new)
        if stands is new:
            self._would(f"make {_said(held, new)} into {_said(new, held)}")
        return stands

    def remember(self, record: Record, *, replace: bool = False) -> Record:
        known = super().recall(record.kind, record.key)
        stands = super().remember(record, replace=replace)
        if self._tells_records and known != (stands,):
            self._would(f"write the record '{record.key}' ({record.kind})")
        return stands

    def forget(self, kind: str, key: str) -> bool:
        gone = super().forget(kind, key)
        if gone and (self._tells_records or kind == HOST_KIND):
            self._would(f"forget the record '{key}' ({kind})")
        return gone


def _said(one: Reservation, other: Reservation) -> str:
    mac = f" and the MAC {one.mac}" if one.mac != other.mac else ""
    return f"'{one.owner}' with {one.address}{mac}"
