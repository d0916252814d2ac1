"""Keeping leases: renewing what is due, taking what is missing, giving back what was left over."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from macvlan_ros.errors import MacvlanRosError
from macvlan_ros.leasing.book import ASKED, RELEASED, Lease
from macvlan_ros.leasing.leases import Done, Leases, explain
from macvlan_ros.models.pools import Reservation
from macvlan_ros.stores.base import Store
from macvlan_ros.wire.dhcp_client import Given

__all__ = ["keep_up"]

# Seconds after which whoever was about to reserve what it had leased is taken for dead.
_SETTLED = 120.0


def keep_up(store: Store, leases: Leases) -> tuple[Done, ...]:
    """Do everything that is due for this host's leases, and return what was done.

    A lease that another host took for one of this host's (a launch from one chair, or a PC that was
    taken over from) is renewed there, and here from the time on at which nobody has done so.

    Raises what the store raises. A LAN that does not answer is told in what is returned, and
    asked again later (RFC 2131, section 4.4.5).
    """
    book, others = leases.book.mine(), leases.book.others()
    pools = {pool.name: pool for pool in store.pools()}
    done: list[Done] = []
    for name in sorted({lease.pool for lease in book} | {p.name for p in pools.values() if p.dhcp}):
        held = store.reservations(name) if name in pools else ()
        standing = {each.owner: each for each in held}
        left = [lease for lease in others if lease.pool == name]
        entries = [lease for lease in book if lease.pool == name]
        entries += _adopt(leases, left, standing)
        done += leases.give_back(_stray(leases, entries, standing))
        done += _renew(leases, [lease for lease in entries if _is_wanted(lease, standing)])
        if name in pools and pools[name].dhcp:
            done += leases.ensure(leases.own(held))
    return tuple(done)


def _is_wanted(lease: Lease, standing: Mapping[str, Reservation]) -> bool:
    held = standing.get(lease.owner)
    return held is not None and lease.is_for(held) and lease.state != RELEASED


def _adopt(
    leases: Leases, others: Sequence[Lease], standing: Mapping[str, Reservation]
) -> list[Lease]:
    """Leases of this host's reservations that no other host has renewed in time."""
    now = time.time()
    left = [lease for lease in others if lease.is_left(now) and _is_wanted(lease, standing)]
    mine = [lease for lease in left if leases.is_own(standing[lease.owner])]
    return [leases.book.adopt(lease) for lease in mine]


def _stray(
    leases: Leases, entries: Sequence[Lease], standing: Mapping[str, Reservation]
) -> list[Lease]:
    """What has no reservation, unless somebody may be about to make it."""
    now, found = time.time(), []
    for lease in entries:
        if _is_wanted(lease, standing):
            continue
        if lease.until and lease.until <= now:
            leases.book.strike(lease)
        elif lease.state == RELEASED:
            found += [lease] if lease.is_due(now) else []
        elif lease.anonymous or abs(now - lease.since) > _SETTLED:
            found.append(lease)
    return found


def _renew(leases: Leases, entries: Sequence[Lease]) -> list[Done]:
    now = time.time()
    due = [lease for lease in entries if lease.is_due(now)]
    lost = [lease for lease in due if lease.is_over(now)]
    live = [lease for lease in due if not lease.is_over(now)]
    try:
        outcomes = leases.wire.renew(live, now=now)
    except MacvlanRosError as error:
        return [leases.failed(lease, str(error)) for lease in due]
    done: list[Done] = []
    for lease, outcome in outcomes.items():
        if isinstance(outcome, Given):
            done.append(leases.kept(lease, outcome, "renewed"))
            continue
        failed = leases.failed(lease, explain(lease, outcome))
        done.append(failed)
        if outcome is not None:
            # It is no more, and is asked for anew at once.
            lost.append(replace(failed.lease, state=ASKED))
    return [*done, *leases.retake(lost)]
