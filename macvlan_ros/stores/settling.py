"""Settling: when etcd is back, what happened while it was away is made there, in order, and what
others have done meanwhile is learned.

Each step can be done twice, so a process that is killed between any two of them leaves the rest to
the next one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from netaddr import IPAddress

from macvlan_ros.models.pools import Record, Reservation
from macvlan_ros.stores import etcd_books, etcd_exact
from macvlan_ros.stores import etcd_kv as kv
from macvlan_ros.stores.copy_file import CopyFile
from macvlan_ros.stores.etcd_kv import Entry
from macvlan_ros.stores.etcd_seen import Seen, seen_by_reading
from macvlan_ros.stores.etcd_space import EtcdSpace
from macvlan_ros.stores.journal import Change, Exchanged, Released, Remembered
from macvlan_ros.values import dataclass

__all__ = ["Lost", "Settled", "Witness", "refresh", "settle"]


@dataclass(frozen=True, slots=True)
class Lost:
    """While this host was cut off, its `held` was given to somebody else: `now` stands there."""

    held: Reservation
    now: Reservation


#: How a loss is written down, for those who look later.
Witness: TypeAlias = Callable[[Lost], Record]


@dataclass(frozen=True, slots=True)
class Settled:
    """So many changes were `made` in etcd. `passed_over` are those that were not, for others have
    changed the very thing meanwhile; one sentence each."""

    made: int = 0
    passed_over: tuple[str, ...] = ()
    lost: tuple[Lost, ...] = ()


def settle(
    space: EtcdSpace, file: CopyFile, *, host: str, witness: Witness, deadline: float
) -> Settled:
    """Bring etcd and the copy together. Raises StoreDown, Forbidden; the rest is left for later."""
    made, passed_over = 0, []
    with file.settling(deadline=deadline):
        for waiting in file.waiting():
            # From here on nobody may take the change back: it may have been made.
            if not file.begin(waiting.number):
                continue
            problem = _make(space, waiting.change, host, deadline)
            file.finish(waiting.number)
            passed_over += [problem] if problem else []
            made += not problem
        if not file.standing().away:
            return Settled(made, tuple(passed_over))
        lost = _learn(space, file, host=host, witness=witness, deadline=deadline)
        file.set_away(False)
    return Settled(made, tuple(passed_over), lost)


def refresh(space: EtcdSpace, file: CopyFile, *, deadline: float) -> int:
    """Take in all that stands; the revision at which it did. Raises StoreDown, Forbidden."""
    seen = _read_all(space, file, deadline=deadline)
    file.take(seen)
    file.mark_current()
    return seen.revision


def _read_all(space: EtcdSpace, file: CopyFile, *, deadline: float) -> Seen:
    """All that stands; the copy does not hear of it yet."""
    floor = file.floor()
    operations = [kv.get_all(part) for part in space.all_of_it]
    answer = EtcdSpace(space.client).read(operations, deadline=deadline)
    if answer.revision < floor:
        # etcd was set back to an older state, so revisions tell no more what is newer.
        file.forget_mirror()
    return seen_by_reading(operations, answer)


def _make(space: EtcdSpace, change: Change, host: str, deadline: float) -> str:
    """Make one change in etcd; "" when that is so, else why not."""
    if isinstance(change, Released):
        held = change.held
        if etcd_exact.release(space, held, deadline=deadline):
            return ""
        owner = space.owner_key(held.pool, held.owner)
        if space.read([kv.get(owner)], deadline=deadline).one(0) is None:
            return ""
        return f"{held.owner!r} was not released, for it has been reserved anew meanwhile"
    mark = os.urandom(6).hex()
    if isinstance(change, Exchanged):
        return etcd_exact.exchange(space, change.held, change.new, mark=mark, deadline=deadline)
    if isinstance(change, Remembered):
        other = etcd_exact.remember(space, change.record, mark=mark, deadline=deadline)
    else:
        other = etcd_exact.forget(space, change.kind, change.key, host=host, deadline=deadline)
    return f"{other.kind} {other.key} is {other.host or 'another host'}'s by now" if other else ""


def _learn(
    space: EtcdSpace, file: CopyFile, *, host: str, witness: Witness, deadline: float
) -> tuple[Lost, ...]:
    """Take in all that stands, after writing down what this host has lost."""
    known = file.under(space.address_key())
    seen = _read_all(space, file, deadline=deadline)
    stands = [each for each in seen.entries if each.key.startswith(space.address_key())]
    # Another process may have changed the copy meanwhile, and wait for etcd to hear of it.
    waiting = {change.new.address for change in _exchanged(file)}
    ours = [each for each in _read(space, known) if each.address not in waiting]
    lost = tuple(_lost(ours, _read(space, stands), host))
    for each in lost:
        mark = os.urandom(6).hex()
        etcd_exact.remember(space, witness(each), mark=mark, deadline=deadline)
    # Only now, for whoever is killed before must find the loss again.
    file.take(seen)
    file.mark_current()
    return lost


def _exchanged(file: CopyFile) -> list[Exchanged]:
    changes = (each.change for each in file.waiting())
    return [each for each in changes if isinstance(each, Exchanged)]


def _read(space: EtcdSpace, entries: Sequence[Entry]) -> list[Reservation]:
    with space.decoding():
        return [each.held for each in etcd_books.read_reservations([entries])]


def _lost(known: Sequence[Reservation], stands: Sequence[Reservation], host: str) -> Iterator[Lost]:
    by_address: dict[IPAddress, Reservation] = {held.address: held for held in stands}
    for held in known:
        now = by_address.get(held.address)
        if now is not None and held.host == host and _whose(now) != _whose(held):
            yield Lost(held, now)


def _whose(held: Reservation) -> tuple[str, str, str]:
    return (held.pool, held.owner, held.host)
