"""Whether a store keeps its promise: every invariant, looked at from outside."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from itertools import combinations

from macvlan_ros.addresses import shared_address, why_not
from macvlan_ros.models.pools import NETWORK, STATIC, Pool, Reservation
from macvlan_ros.stores.base import Store
from macvlan_ros.values import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: where, and what."""

    where: str
    text: str


def find_faults(store: Store) -> tuple[Fault, ...]:
    """Everything that is wrong in the store; it may be in use meanwhile. Raises StoreDown."""
    faults = [Fault("books", text) for text in store.inspect()]
    reservations = store.reservations()
    pools = {pool.name: pool for pool in store.pools()}
    faults += _check_pools(pools.values())
    for held in reservations:
        faults += _check_reservation(held, pools.get(held.pool))
    faults += _check_unique(reservations)
    return tuple(faults)


def _check_pools(pools: Iterable[Pool]) -> Iterator[Fault]:
    for one, other in combinations(pools, 2):
        shared = shared_address(one, other)
        if shared is not None:
            yield Fault(f"pool {one.name}", f"pool {other.name!r} has {shared}, too")


def _check_reservation(held: Reservation, pool: Pool | None) -> Iterator[Fault]:
    where = f"{held.pool}/{held.owner}"
    if pool is None:
        yield Fault(where, f"holds {held.address} in a pool that is not there")
    elif held.kind == NETWORK or pool.dhcp:
        # Gateways and auxiliary addresses lie beside what is handed out, and a DHCP server chooses.
        if held.address not in pool.subnet:
            yield Fault(where, f"holds {held.address}, which is not in {pool.subnet}")
    elif why_not(pool, held.address):
        yield Fault(where, f"holds {held.address}, which {why_not(pool, held.address)}")


def _check_unique(reservations: Iterable[Reservation]) -> Iterator[Fault]:
    rules: tuple[tuple[str, Callable[[Reservation], Hashable]], ...] = (
        ("address {0.address}", lambda held: held.address),
        ("MAC {0.mac}", lambda held: held.mac if held.kind == STATIC else None),
        ("owner {0.owner} in pool {0.pool}", lambda held: (held.pool, held.owner)),
    )
    for said, key_of in rules:
        seen: dict[Hashable, Reservation] = {}
        for held in reservations:
            key = key_of(held)
            if key is None:
                continue
            first = seen.setdefault(key, held)
            if first is not held:
                text = f"is held twice: {first.pool}/{first.owner} and {held.pool}/{held.owner}"
                yield Fault(said.format(held), text)
