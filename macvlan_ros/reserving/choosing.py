"""Choosing: which free address an anonymous container gets.

The one that its MAC had last, else one that nobody had lately, else the one that has been free for
longest: a just-released address is still in the neighbours' memory under another MAC, and may be
wanted back by whoever had it.
"""

from __future__ import annotations

import os
import random
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import NoReturn

from netaddr import IPAddress, IPRange

from macvlan_ros.addresses import candidates, intervals, size
from macvlan_ros.defence.strangers import Strangers
from macvlan_ros.errors import PoolExhausted
from macvlan_ros.models.pools import Pool
from macvlan_ros.reserving.around import Surroundings
from macvlan_ros.reserving.lookahead import Lookahead
from macvlan_ros.spans import Span, merge, points, subtract
from macvlan_ros.stores.base import Store
from macvlan_ros.uses import Former, Uses

__all__ = ["Choosing"]

_ROUNDS = 32

# The module secrets brings OpenSSL along: 4 MiB for a service at rest.
_CHANCE = random.SystemRandom()

# Addresses that are asked for on the LAN at once when the lookahead has none.
_BATCH = 16


class Choosing:
    """Chooses, and reserves nothing."""

    def __init__(
        self,
        store: Store,
        *,
        host: str,
        surroundings: Callable[[Pool], Surroundings],
        lookahead: Lookahead,
    ) -> None:
        self._store = store
        self._uses = Uses(store, host=host)
        self._surroundings = surroundings
        self._lookahead = lookahead
        self._strangers = Strangers(store, host=host)

    def choose(
        self, pool: Pool, owner: str, *, mac: str = "", within: IPRange | None = None
    ) -> IPAddress:
        """The address that this MAC had last, else one that nobody had lately, else the one that
        has been free for longest. Raises PoolExhausted."""
        held = merge([*self._taken(pool, mac), *_outside(pool, within)])
        marked = self._strangers.marked(pool.name)
        taken = merge([*held, *points(map(int, marked))])
        free = subtract(intervals(pool), taken)
        last = self._uses.last_of(pool.name, mac) if mac else None
        if last is not None and _is_in(free, last):
            return last
        proven = [each for each in self._proven(pool, within) if _is_in(free, each)]
        # by chance, so that those who choose at once rarely choose the same
        for address in _CHANCE.sample(proven, len(proven)):
            if self._uses.former_at(pool.name, address) is None:
                return address
        former = self._uses.formers(pool.name)
        if proven:
            return min(proven, key=lambda address: _until(former, address))
        lately = merge([*taken, *points(map(int, former))])
        return (
            self._sifted(pool, owner, lately)
            or _longest_free(former, free)
            # For want of others: the strangers may have left.
            or (self._sifted(pool, owner, held) if marked else None)
            or self._give_up(pool, within)
        )

    def prepare(self, pool: Pool, within: IPRange | None) -> None:
        """Somebody will want addresses of the pool: look ahead for some."""
        self._proven(pool, within)

    def _proven(self, pool: Pool, within: IPRange | None) -> tuple[IPAddress, ...]:
        def supply(count: int) -> list[IPAddress]:
            return self._supply(pool, within, count)

        return self._lookahead.proven(pool, supply, within=within)

    def _sifted(self, pool: Pool, owner: str, without: list[Span]) -> IPAddress | None:
        """A candidate that nobody on the LAN answers for; None when the pool has none left."""
        for _ in range(_ROUNDS):
            batch = list(islice(candidates(pool, owner, without=without), _BATCH))
            silent = self._lookahead.sift(pool, batch)
            if silent or not batch:
                return silent[0] if silent else None
            without = merge([*without, *points(map(int, batch))])
        return None

    def _give_up(self, pool: Pool, within: IPRange | None) -> NoReturn:
        held = len(self._store.reservations(pool.name))
        where = f" within {within}" if within else ""
        raise PoolExhausted(
            f"pool {pool.name!r} has no free address left{where} ({held} of {size(pool)} held); "
            f"stop a container, or free one with: macvlan-ros release --pool {pool.name} NAME, or "
            "look for leaks with: macvlan-ros gc"
        )

    def _supply(self, pool: Pool, within: IPRange | None, count: int) -> list[IPAddress]:
        """Addresses for the lookahead to ask for: those that nobody had lately, or, when there are
        too few of them, those that have been free for longest."""
        former = self._uses.formers(pool.name)
        marked = points(map(int, self._strangers.marked(pool.name)))
        taken = merge([*self._taken(pool, ""), *_outside(pool, within), *marked])
        without = merge([*taken, *points(map(int, former))])
        fresh = list(islice(candidates(pool, os.urandom(8).hex(), without=without), count))
        free = subtract(intervals(pool), taken)
        oldest = sorted(former, key=lambda address: _until(former, address))
        return (fresh + [each for each in oldest if _is_in(free, each)])[:count]

    def _taken(self, pool: Pool, mac: str) -> list[Span]:
        """What is held in the pool, what a container still uses though its owner has given it up,
        and what is in use around this host."""
        held = points(self._store.taken(pool.name))
        used = points(map(int, self._uses.addresses(pool.name)))
        return merge([*held, *used, *_around(pool, self._surroundings(pool), mac)])


def _until(former: Mapping[IPAddress, Former], address: IPAddress) -> float:
    """When the address was last given back (seconds since 1970); 0 when nobody remembers."""
    found = former.get(address)
    return found.until if found is not None else 0.0


def _longest_free(former: Mapping[IPAddress, Former], free: Sequence[Span]) -> IPAddress | None:
    for each in sorted(former.values(), key=lambda each: each.until):
        if _is_in(free, each.address):
            return each.address
    return None


def _outside(pool: Pool, within: IPRange | None) -> list[Span]:
    if within is None:
        return []
    return [
        (first, last)
        for first, last in (
            (pool.subnet.first, within.first - 1),
            (within.last + 1, pool.subnet.last),
        )
        if first <= last
    ]


def _around(pool: Pool, around: Surroundings, mac: str) -> list[Span]:
    version = pool.subnet.version
    spans = [(net.first, net.last) for net in around.subnets if net.version == version]
    return spans + [
        (int(address), int(address))
        for address, holder in around.addresses.items()
        if address.version == version and (not mac or holder != mac)
    ]


def _is_in(spans: Sequence[Span], address: IPAddress) -> bool:
    value = int(address)
    place = bisect_left(spans, value, key=lambda span: span[1])
    return place < len(spans) and spans[place][0] <= value
