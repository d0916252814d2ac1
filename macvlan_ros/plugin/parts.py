"""The plugin's parts, put together. None of them ever calls Docker.

dockerd waits for the plugin, at its own start too: a plugin that waited for dockerd would be a
deadlock. So this is not the command line's composition root, which has an engine.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from netaddr import IPAddress, IPNetwork

from macvlan_ros.defence.oversight import Oversight
from macvlan_ros.defence.strangers import Strangers
from macvlan_ros.endpoints import Endpoints
from macvlan_ros.fleet.enrolment import Enrolment
from macvlan_ros.fleet.hosts import is_silent
from macvlan_ros.ipam import Ipam
from macvlan_ros.kernel import procnet
from macvlan_ros.links import Links
from macvlan_ros.models.pools import Pool
from macvlan_ros.plugin.counting import Metrics, NoMetrics
from macvlan_ros.plugin.enrolling import Enrolling
from macvlan_ros.plugin.herald import Herald
from macvlan_ros.plugin.ipam_driver import IpamDriver
from macvlan_ros.plugin.network_driver import NetworkDriver
from macvlan_ros.plugin.renewing import Renewing
from macvlan_ros.plugin.shim_address import ShimAddress
from macvlan_ros.plugin.shim_keeper import ShimKeeper
from macvlan_ros.plugin.shims import ShimService
from macvlan_ros.reserving.around import Surroundings, look_around
from macvlan_ros.reserving.choosing import Choosing
from macvlan_ros.reserving.collect import Collector
from macvlan_ros.reserving.grants import Grants
from macvlan_ros.reserving.lookahead import Lookahead
from macvlan_ros.reserving.presence import Presence
from macvlan_ros.stores.base import Store
from macvlan_ros.wire.lan import Lan
from macvlan_ros.wire.scout import interface_on
from macvlan_ros.wire.siblings import Siblings

__all__ = ["Parts"]

# Seconds.
_ONE_LOOK = 0.1


class Parts:
    """What serves Docker, over one store and one host's links. Nothing is opened or read before
    the first call; `close` gives back what was. `shared` says that other hosts use the store."""

    def __init__(
        self,
        store: Store,
        links: Links,
        *,
        host: str,
        sandboxes: Path | None = None,
        metrics: Metrics | None = None,
        probe: str = "fast",
        defend: bool = True,
        shim: bool = True,
        shared: bool = False,
    ) -> None:
        self._store = store
        self._host = host
        self.metrics: Metrics = metrics or NoMetrics()
        careful = probe == "rfc5227"
        timing = probe if careful else "fast"
        #: Seconds that a container's start may take longer than other calls: its address is asked
        #: for with the full timing (at most 7 s) where none was asked for ahead.
        self.asking = 8.0 if careful else 0.0
        siblings = Siblings(store, host=host, running=links.running_macs, links=lambda: links)
        self._lan = Lan(
            told=self.metrics.probe,
            heard=Strangers(store, host=host).hear,
            asked=probe != "none",
            timing=timing,
            siblings=siblings,
        )
        self._renewing = Renewing(store, host=host)
        self._lookahead = Lookahead(self._lan.silent)
        self._surroundings = _Around()
        ipam = Ipam(
            store,
            surroundings=self._surroundings,
            host=host,
            ask=partial(self._lan.answering, timing=timing),
            ask_here=siblings.answering,
        )
        self._herald = Herald(links.running_macs)
        self.enrolling = Enrolling(
            Enrolment(store, host=host, service="plugin", shared=shared, links=links.links)
        )
        self._shims = ShimService(self._shim_keeper(links), wanted=shim)
        endpoints = Endpoints(
            store, links=links, host=host, sandboxes=sandboxes, left=self._shims.left
        )
        presence = Presence(
            store,
            endpoints,
            host=host,
            running=links.running_macs,
            answering=self._lan.answering,
        )
        self.collector = Collector(store, endpoints, presence, host=host)
        grants = self._grants(ipam, presence, asked=probe != "none")
        self.ipam = IpamDriver(
            store, ipam=ipam, grants=grants, host=host, router=router, given=self._herald.given
        )
        self.network = NetworkDriver(endpoints, shims=self._shims, joined=self._herald.attached)
        self.oversight = Oversight(
            store,
            host=host,
            running=links.running_macs,
            defend=defend,
            counted=self.metrics.conflict,
        )

    def _grants(self, ipam: Ipam, presence: Presence, *, asked: bool) -> Grants:
        def silent(pool: Pool, other: str) -> bool:
            reachable = asked and bool(interface_on(pool.subnet))
            return reachable and is_silent(self._store, other, own=self._host)

        return Grants(
            self._store,
            ipam=ipam,
            host=self._host,
            surroundings=self._surroundings,
            gone=presence.gone,
            runs_here=presence.runs_here,
            checked=self._lan.check,
            lookahead=self._lookahead,
            reclaim=self.collector.reclaim,
            silent=silent,
        )

    def _shim_keeper(self, links: Links) -> ShimKeeper:
        store, host, around = self._store, self._host, self._surroundings
        choosing = Choosing(store, host=host, surroundings=around, lookahead=self._lookahead)
        unasked = Ipam(store, surroundings=around, host=host)
        address = ShimAddress(store, ipam=unasked, choosing=choosing, host=host)
        return ShimKeeper(
            store,
            links=links,
            host=host,
            reserve=address.reserve,
            tidy=lambda name: self.ipam.tidy(name),
        )

    def start(self) -> None:
        """From now on look ahead for free addresses, keep leases and shims, and watch the LAN."""
        self._lookahead.start()
        self._shims.start()
        self._herald.start()
        self._renewing.start()
        self.oversight.start()

    def close(self) -> None:
        """Closing twice is fine."""
        self.oversight.stop()
        self.enrolling.stop()
        self._herald.stop()
        self._shims.stop()
        self._lookahead.stop()
        self._renewing.stop()
        self._lan.close()


class _Around:
    """This host's addresses, and those of the neighbours that it has met, for any pool. When
    containers start side by side, one look is good for all of them."""

    def __init__(self) -> None:
        self._seen: tuple[float, Surroundings] | None = None

    def __call__(self, _: Pool) -> Surroundings:
        now = time.monotonic()
        if self._seen is None or now - self._seen[0] > _ONE_LOOK:
            self._seen = (now, look_around())
        return self._seen[1]


def router(subnet: IPNetwork) -> IPAddress | None:
    """The next hop of this host's default route, if it lies in the subnet."""
    route = procnet.default_route()
    inside = route is not None and route.gateway is not None and route.gateway in subnet
    return route.gateway if route is not None and inside else None
