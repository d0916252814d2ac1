"""Which places of a pool are taken in etcd, read where somebody looks for a free one."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from macvlan_ros.models.pools import Pool
from macvlan_ros.stores import etcd_books
from macvlan_ros.stores.base import WINDOW
from macvlan_ros.stores.etcd_space import EtcdSpace

# From more places than these on, reading once what is held everywhere costs less.
_MANY_PLACES = 100
# In a pool that is 80 % full a search goes on over 13 addresses (Knuth 6.4, linear probing).
_FEWEST_KEYS = 32


def taken(space: EtcdSpace, pool: Pool, *, deadline: float) -> tuple[int, ...]:
    """All that is held in the pool. Raises StoreDown, Forbidden."""
    runs = _runs(space, pool, [pool.subnet.first], limit=0, deadline=deadline)
    return tuple(sorted(set().union(*runs)))


def taken_near(
    space: EtcdSpace, pool: Pool, places: Sequence[int], *, deadline: float
) -> tuple[int, ...]:
    """As the store promises. Raises StoreDown, Forbidden."""
    if not places or len(places) > _MANY_PLACES:
        return taken(space, pool, deadline=deadline)
    # A stack's names share what one name would read, but for what each needs to find a gap.
    limit = max(_FEWEST_KEYS, min(WINDOW, 4 * WINDOW // len(places)))
    found: set[int] = set()
    while places:
        told = _runs(space, pool, places, limit=limit, deadline=deadline)
        found.update(*told)
        # Where these left no gap, the first free one is further on.
        full = [run[-1] for run in told if len(run) == limit and run[-1] - run[0] < limit]
        places = sorted({_first_gap(found, last) for last in full})
        limit *= 4
    return tuple(sorted(found))


def _runs(
    space: EtcdSpace, pool: Pool, places: Iterable[int], *, limit: int, deadline: float
) -> list[list[int]]:
    """What is held from each of the places upwards, so many of them (0: all)."""
    spans = [etcd_books.span(space, pool, place, limit=limit) for place in places]
    found = space.read(spans, deadline=deadline).found
    with space.decoding():
        return [[etcd_books.value_of(entry) for entry in entries] for entries in found]


def _first_gap(taken: Container[int], value: int) -> int:
    while value in taken:
        value += 1
    return value
