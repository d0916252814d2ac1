"""Collecting what was left over: by a plugin that was down, a Docker that died, a power cut.

Nothing is freed on suspicion: a link or an endpoint goes when its sandbox is gone, an address when
moreover no container of this host has its MAC and nobody on the LAN answers for it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from netaddr import IPAddress

from macvlan_ros.endpoints import SETTLED, Endpoints
from macvlan_ros.models.pools import DYNAMIC, Pool
from macvlan_ros.reserving.presence import Presence
from macvlan_ros.stores.base import Store
from macvlan_ros.uses import Former, Uses
from macvlan_ros.values import dataclass

__all__ = ["Collector", "Leak"]


@dataclass(frozen=True, slots=True)
class Leak:
    """Something that belongs to nothing any more.

    `kind` is endpoint, link, address (of an anonymous container) or use (of an owner's address).
    """

    kind: str
    name: str
    pool: str = ""
    mac: str = ""


class Collector:
    """Looks at what this host has made, and at nothing of other hosts."""

    def __init__(
        self, store: Store, endpoints: Endpoints, presence: Presence, *, host: str
    ) -> None:
        self._store = store
        self._uses = Uses(store, host=host)
        self._endpoints = endpoints
        self._presence = presence
        self._host = host

    def collect(self, *, dry_run: bool = False, settled: float = SETTLED) -> tuple[Leak, ...]:
        """Find what was left over and, unless `dry_run`, remove it; return what was found.

        What is younger than `settled` seconds is left alone: Docker may be about to use it.
        """
        found: list[Leak] = []
        for endpoint in self._endpoints.gone(settled=settled):
            found.append(Leak("endpoint", endpoint.id[:12], mac=endpoint.mac))
            if not dry_run:
                self._endpoints.delete(endpoint.id)
        for name in self._endpoints.stray_links():
            found.append(Leak("link", name))
            if not dry_run:
                self._endpoints.delete_link(name)
        for pool in self._store.pools():
            found += self.reclaim(pool, dry_run=dry_run, settled=settled)
        return tuple(found)

    def reclaim(
        self, pool: Pool, *, dry_run: bool = False, settled: float = SETTLED
    ) -> tuple[Leak, ...]:
        """Free the addresses of one pool whose containers are no more."""
        held = dict(self._held(pool))
        gone = self._presence.gone_among(pool, tuple(held), settled=settled)
        if not dry_run:
            for address in gone:
                self._free(held[address], address)
        return tuple(held[address] for address in gone)

    def _held(self, pool: Pool) -> Iterator[tuple[IPAddress, Leak]]:
        for each in self._store.reservations(pool.name):
            if each.kind == DYNAMIC and each.host == self._host:
                yield each.address, Leak("address", str(each.address), pool.name, each.mac)
        for use in self._uses.here():
            if use.pool == pool.name:
                yield use.address, Leak("use", str(use.address), pool.name, use.mac)

    def _free(self, leak: Leak, address: IPAddress) -> None:
        if leak.kind == "use":
            self._uses.drop(leak.pool, address)
            return
        held = self._store.holder(address)
        # Docker may have given it back, and we away again, since it was looked at.
        if held is not None and (held.kind, held.mac) == (DYNAMIC, leak.mac):
            self._uses.keep_former(Former(leak.pool, address, leak.mac, time.time()))
            self._store.release(leak.pool, (held.owner,))
