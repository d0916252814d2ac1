"""Gathering: what the parts of macvlan-ros know of the LAN now, for a picture of it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from netaddr import IPAddress, IPNetwork

from macvlan_ros import ros
from macvlan_ros.app import App
from macvlan_ros.errors import StackFileError
from macvlan_ros.models.links import Link
from macvlan_ros.models.pools import Reservation
from macvlan_ros.models.stacks import Stack
from macvlan_ros.picture.rosgraph import address_of, read_graph
from macvlan_ros.picture.scene import Graph, Known, Pc, Scene, compose
from macvlan_ros.wire.census import Sighting


class Gatherer:
    """Takes pictures of the LAN of a pool (without one: of the only pool, else of the parent).

    `stack` names the other PCs and the master; `master` is a URI that goes before the stack's. With
    `scan` the LAN is asked who is there, at most once in `scan_every` seconds.
    """

    def __init__(
        self,
        app: App,
        *,
        pool: str | None = None,
        stack: Stack | None = None,
        master: str = "",
        scan: bool = True,
        scan_every: float = 30.0,
    ) -> None:
        self._app = app
        self._pool = app.ipam.choose_pool(pool)
        self._parent = app.parent(str(self._pool.subnet) if self._pool else "")
        self._stack = stack
        self._master = master
        self._scan = scan
        self._scan_every = scan_every
        self._scanned = float("-inf")
        self._sightings: tuple[Sighting, ...] | None = None

    def take(self) -> Scene:
        """The scene as it is now. A master that does not answer is a note in it."""
        app, parent = self._app, self._parent
        lan = self._pool.subnet if self._pool else _lan(parent)
        held = [one for one in app.store.reservations() if one.address in lan]
        uri = self._master_uri(held)
        graph, notes = read_graph(uri) if uri else (Graph(), ())
        return compose(
            Known(
                here=app.settings.host_name,
                lan=lan,
                taken=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                pcs=self._pcs(lan),
                reservations=held,
                running=app.links.running_macs(),
                sightings=self._look(),
                conflicts=app.strangers(),
                graph=graph,
                master=address_of(uri) if uri else None,
                notes=notes,
            )
        )

    def _look(self) -> tuple[Sighting, ...] | None:
        now = time.monotonic()
        if self._scan and now - self._scanned >= self._scan_every:
            self._sightings = self._app.scan(self._pool.name if self._pool else None)
            self._scanned = time.monotonic()
        return self._sightings

    def _pcs(self, lan: IPNetwork) -> list[Pc]:
        """This PC, those that have entered themselves in the store, and those of the stack."""
        here = self._app.settings.host_name
        found = {here: _as_pc(here, (self._parent,), lan, here=True)}
        for entry in self._app.membership.register.hosts():
            found.setdefault(entry.name, _as_pc(entry.name, entry.links, lan))
        for name, host in (self._stack.hosts if self._stack else {}).items():
            address = str(host.address) if host.address else ""
            found.setdefault(name, Pc(name, parent=host.parent, address=address))
        return list(found.values())

    def _master_uri(self, held: Sequence[Reservation]) -> str:
        """The master's URI; "" when nobody says where it is, or it has no address yet."""
        if self._master or self._stack is None:
            return self._master
        owners = {one.owner: one.address for one in held}
        services = self._stack.services.values()
        addresses = {one.name: owners[one.owner] for one in services if one.owner in owners}
        try:
            return ros.master_uri(self._stack, addresses, self._host_addresses()) or ""
        except StackFileError:
            return ""

    def _host_addresses(self) -> dict[str, IPAddress]:
        own = [each.ip for each in self._parent.addresses if not each.ip.is_link_local()]
        return {self._app.settings.host_name: own[0]} if own else {}


def _as_pc(name: str, links: Sequence[Link], lan: IPNetwork, *, here: bool = False) -> Pc:
    """A PC by its link to the LAN."""
    for link in links:
        for each in link.addresses:
            if each.ip in lan:
                return Pc(name, here=here, parent=link.name, address=str(each.ip))
    return Pc(name, here=here)


def _lan(parent: Link) -> IPNetwork:
    """The parent's subnet, IPv4 first."""
    found = [each.cidr for each in parent.addresses if not each.ip.is_link_local()]
    return min(found, key=lambda each: each.version)
