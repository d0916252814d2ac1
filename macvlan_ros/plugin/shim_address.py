"""The shim's own address: out of the pool that Docker's networks hold on a subnet."""

from __future__ import annotations

from netaddr import IPNetwork, IPRange

from macvlan_ros.addresses import intervals
from macvlan_ros.errors import AddressInUse, Conflict, NotFound, PoolExhausted, PoolNotFound
from macvlan_ros.ipam import Ipam
from macvlan_ros.models.pools import Pool, Reservation
from macvlan_ros.plugin.pool_ids import PoolId
from macvlan_ros.reserving.choosing import Choosing
from macvlan_ros.spans import Span, count, merge, points, subtract
from macvlan_ros.state import State
from macvlan_ros.stores.base import Store

__all__ = ["ShimAddress"]

# So many addresses are left for containers that Docker may want to start next.
_SPARED = 3
_ROUNDS = 8


class ShimAddress:
    """Reserves it. `choosing` knows addresses that nobody on the LAN answers for, so that a
    container does not wait for another burst of probes; `ipam` need not ask again."""

    def __init__(self, store: Store, *, ipam: Ipam, choosing: Choosing, host: str) -> None:
        self._store = store
        self._ipam = ipam
        self._choosing = choosing
        self._state = State(store, host=host)

    def reserve(self, subnet: IPNetwork, owner: str) -> Reservation:
        """What the owner holds on the subnet from now on.

        Raises NotFound when Docker's networks there take no addresses from us, PoolExhausted when
        there are hardly any left, Conflict, and what the store raises.
        """
        pool, within = self._pool_on(subnet)
        self._check_spare(pool, within)
        for _ in range(_ROUNDS):
            chosen = self._choosing.choose(pool, owner, within=within)
            try:
                done = self._ipam.allocate(pool.name, [owner], addresses={owner: chosen})
            except AddressInUse:
                continue  # a container was faster
            return done[0].reservation
        raise Conflict(f"pool {pool.name!r}: others took every address that was chosen")

    def _pool_on(self, subnet: IPNetwork) -> tuple[Pool, IPRange | None]:
        for text in self._state.pools_in_use():
            pool_id = PoolId.parse(text)
            try:
                pool = self._store.pool(pool_id.pool)
            except PoolNotFound:
                continue
            if pool.subnet == subnet:
                return pool, pool_id.within
        raise NotFound(
            f"the shim needs an address in {subnet}, whose addresses Docker gives out by itself; "
            "make the network with --ipam-driver macvlan-ros"
        )

    def _check_spare(self, pool: Pool, within: IPRange | None) -> None:
        held = points(int(each.address) for each in self._store.reservations(pool.name))
        free = count(subtract(_within(intervals(pool), within), merge(held)))
        if free <= _SPARED:
            raise PoolExhausted(
                f"the shim needs an address of its own, and pool {pool.name!r} has hardly any "
                "left, which are kept for containers; give the pool a larger range"
            )


def _within(spans: list[Span], within: IPRange | None) -> list[Span]:
    if within is None:
        return spans
    first, last = within.first, within.last
    parts = ((max(first, start), min(last, end)) for start, end in spans)
    return [(start, end) for start, end in parts if start <= end]
