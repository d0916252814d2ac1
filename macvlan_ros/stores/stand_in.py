"""What a host's copy does in etcd's place while that is away.

What is given up or written down is done in the copy, and waits in its journal for etcd. `tried`
says that etcd was asked before, and may have done it without coming to say so.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from macvlan_ros.errors import StoreAway
from macvlan_ros.models.pools import DYNAMIC, Pool, Record, Reservation
from macvlan_ros.stores import etcd_books
from macvlan_ros.stores.copy_file import CopyFile
from macvlan_ros.stores.etcd import EtcdStore
from macvlan_ros.stores.etcd_space import EtcdSpace
from macvlan_ros.stores.journal import Exchanged, Forgotten, Released, Remembered

__all__ = ["StandIn"]


class StandIn:
    """Stands in for etcd as far as one host's own things go. `copy` reads what `file` has;
    `refusal` makes the error of what cannot be done here."""

    def __init__(
        self,
        copy: EtcdStore,
        file: CopyFile,
        space: EtcdSpace,
        *,
        host: str,
        refusal: Callable[[str], StoreAway],
    ) -> None:
        self._copy = copy
        self._file = file
        self._space = space
        self._host = host
        self._refusal = refusal

    def add_pool(self, pool: Pool) -> Pool:
        """None is added; the same definition as stands is fine."""
        if pool in self._copy.pools():
            return pool
        raise self._refusal(f"pool {pool.name!r} cannot be added")

    def reserve(self, wanted: Sequence[Reservation], *, tried: bool) -> tuple[Reservation, ...]:
        """What these owners hold already; what they have just given up is theirs again."""
        stands = []
        for want in wanted:
            held = self._copy.held(want.pool, [want.owner])
            found = held or self._take_back(want) or self._hand_on(want, tried=tried)
            if not found:
                raise self._refusal(f"no address can be reserved for {want.owner!r}")
            stands.append(found[0])
        return tuple(stands)

    def spare(self, pool: str) -> tuple[Reservation, ...]:
        """What containers of this host that nobody has named have given up meanwhile."""
        given_up = (
            waiting.change.held
            for waiting in self._file.waiting()
            if isinstance(waiting.change, Released) and not waiting.begun
        )
        mine = (pool, self._host, DYNAMIC)
        return tuple(held for held in given_up if (held.pool, held.host, held.kind) == mine)

    def release(self, pool: str, owners: Sequence[str], *, tried: bool) -> tuple[Reservation, ...]:
        """What these owners hold is given up."""
        held = self._copy.held(pool, owners)
        unknown = set(owners) - {each.owner for each in held}
        if unknown:
            raise self._refusal(f"whether {min(unknown)!r} holds an address is not known here")
        changes = [(Released(each), dict.fromkeys(self._space.keys_of(each))) for each in held]
        self._file.change(changes, begun=tried)
        return held

    def remember(self, record: Record, *, replace: bool) -> Record:
        """What this host writes down; another's stays."""
        stands = self._copy.recall(record.kind, record.key)
        if stands and not (replace and stands[0].host == record.host):
            return stands[0]
        self._check_own(record.host, record.kind)
        key = self._space.record_key(record.kind, record.key)
        value = etcd_books.write_record(record, os.urandom(6).hex())
        self._file.change([(Remembered(record), {key: value})])
        return record

    def forget(self, kind: str, key: str) -> bool:
        """What this host has written down is no more."""
        stands = self._copy.recall(kind, key)
        if not stands:
            return False
        self._check_own(stands[0].host, kind)
        self._file.change([(Forgotten(kind, key), {self._space.record_key(kind, key): None})])
        return True

    def _take_back(self, want: Reservation) -> tuple[Reservation, ...]:
        for waiting in self._file.waiting():
            change = waiting.change
            if isinstance(change, Released) and _is_same(change.held, want):
                stood = change.held
                value = etcd_books.write_reservation(stood, "")
                if self._file.put_instead(change, dict.fromkeys(self._space.keys_of(stood), value)):
                    return (want,)  # given up and taken again: this very call has made it
        return ()

    def _hand_on(self, want: Reservation, *, tried: bool) -> tuple[Reservation, ...]:
        """To one whom nobody has named what another such one has given up: in etcd it is still
        this host's, so nobody else has it."""
        for held in self.spare(want.pool) if want.kind == DYNAMIC else ():
            if held.address == want.address:
                value = etcd_books.write_reservation(want, "")
                keys: dict[str, str | None] = dict.fromkeys(self._space.keys_of(held))
                keys |= dict.fromkeys(self._space.keys_of(want), value)
                change = Exchanged(held, want)
                if self._file.put_instead(Released(held), keys, change, begun=tried):
                    return (want,)
        return ()

    def _check_own(self, host: str, kind: str) -> None:
        if host != self._host:
            raise self._refusal(f"what {host or 'another host'} has written ({kind}) stays")


def _is_same(one: Reservation, other: Reservation) -> bool:
    def identity(held: Reservation) -> tuple[object, ...]:
        return (held.pool, held.owner, held.address, held.mac, held.host, held.kind)

    return identity(one) == identity(other)
