"""Gateways: which address a Docker network is told for its own, and what is kept for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from netaddr import IPAddress, IPNetwork

from macvlan_ros.addresses import candidates
from macvlan_ros.errors import Conflict, PoolExhausted
from macvlan_ros.lan_networks import PLACEHOLDER, is_placeholder
from macvlan_ros.models.pools import NETWORK, Pool
from macvlan_ros.reserving.grants import Grants
from macvlan_ros.spans import points
from macvlan_ros.stores.base import Store

__all__ = ["Gateways"]


class Gateways:
    """Finds them. `router` tells the LAN's own router in a subnet, if this host knows one."""

    def __init__(
        self, store: Store, grants: Grants, *, router: Callable[[IPNetwork], IPAddress | None]
    ) -> None:
        self._store = store
        self._grants = grants
        self._router = router

    def of(self, pool: Pool, address: IPAddress | None) -> IPAddress:
        """`address`, if Docker's user named one, else the pool's or the LAN's router, else a guess.

        Raises Conflict, PoolExhausted, and what the store raises.
        """
        address = address or pool.gateway or self._router(pool.subnet)
        if address is None:
            return self._guess(pool)
        if address == pool.gateway:
            return address  # a pool never hands its gateway out, so nothing needs to be kept
        standing = self._store.holder(address)
        if standing is not None and is_placeholder(standing):
            self._store.release(pool.name, (standing.owner,))  # it is a router after all
        held = self._grants.keep(pool, address, "gateway")
        if held.kind != NETWORK:
            raise Conflict(
                f"{address} is held by {held.owner!r} in pool {pool.name!r}, so it cannot be the "
                "gateway; name the LAN's router with --gateway"
            )
        return held.address

    def _guess(self, pool: Pool) -> IPAddress:
        """What Docker 27 and earlier burn when a network has no gateway.

        In IPv4 the router may well be there. In IPv6 routers announce themselves, and a guess would
        stand in their way: it is a placeholder, by way of which no container is led.
        """
        held = self._store.reservations(pool.name)
        standing = next((each for each in held if is_placeholder(each)), None)
        if standing is not None:
            return standing.address
        # from the lowest address up, where routers mostly are
        upwards = replace(pool, order="sequential")
        taken = points(int(each.address) for each in held)
        address = next(candidates(upwards, "gateway", without=taken), None)
        if address is None:
            raise PoolExhausted(
                f"pool {pool.name!r} has no address left for a gateway; name the LAN's router "
                "with --gateway"
            )
        purpose = "gateway" if address.version == 4 else PLACEHOLDER
        return self._grants.keep(pool, address, purpose).address
