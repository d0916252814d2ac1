"""How this host and the containers of the plugin's networks reach each other.

The plugin's service sees to them: Docker makes the ways that it says when a container starts. What
it could not say then, in time, is made up for from here, for the service may enter no container.
"""

from __future__ import annotations

from collections.abc import Sequence

from netaddr import IPAddress

from macvlan_ros.docker_api.attached import Attached
from macvlan_ros.engine import Engine
from macvlan_ros.kernel.sandbox import Errand, Visits
from macvlan_ros.lan_networks import shim_objection
from macvlan_ros.links import Links
from macvlan_ros.models.networks import Network
from macvlan_ros.reaching.reach import Reached, usual_addresses
from macvlan_ros.reaching.shim import show_shim
from macvlan_ros.state import DockerNetwork, Endpoint, State
from macvlan_ros.stores.base import Store

__all__ = ["Guide", "show"]


class Guide:
    """Leads containers of the plugin's networks to this host that have no way to it: the shim was
    late when they started, or the host has got another address since. It remembers whom it has led.
    """

    def __init__(self, store: Store, *, host: str, engine: Engine, links: Links) -> None:
        self._state = State(store, host=host)
        self._engine = engine
        self._links = links
        self._visits = Visits()
        self._known: dict[str, tuple[Attached, ...]] = {}

    def lead(self) -> tuple[str, ...]:
        """Do so; a sentence for each container that cannot be led. Raises what the parts raise."""
        joined = [each for each in self._state.endpoints() if each.sandbox]
        refused: list[str] = []
        for network in self._state.networks() if joined else ():
            if not shim_objection(network):
                refused += self._lead(network, joined)
        return tuple(refused)

    def _lead(self, network: DockerNetwork, joined: Sequence[Endpoint]) -> tuple[str, ...]:
        shim = show_shim(self._links, parent=network.parent)
        if shim is None:
            return ()
        via = tuple(a for a in shim.addresses if any(a in net for net, _ in network.subnets))
        versions = {address.version for address in via}
        usual = usual_addresses(self._links, network.parent)
        host = tuple(address for address in usual if address.version in versions)
        lost = {
            own.ip
            for endpoint in joined
            if endpoint.network == network.id and not set(host) <= _led(endpoint.sandbox, joined)
            for own in endpoint.addresses
        }
        if not lost:
            return ()
        found = self._engine.attached(network.id, known=self._known.get(network.id, ()))
        self._known[network.id] = found
        wanting = [one for one in found if lost.intersection(one.addresses)]
        return self._visits.run(Errand(host, via), wanting, announce=())


def _led(sandbox: str, joined: Sequence[Endpoint]) -> set[IPAddress]:
    """This host's addresses to which Docker made routes in the sandbox."""
    return {address for each in joined if each.sandbox == sandbox for address in each.led}


def show(store: Store, *, host: str, engine: Engine, links: Links) -> tuple[Reached, ...]:
    """Each network of the plugin that this host's Docker has, by id, with its shim and who is
    reached. Raises what the parts raise."""
    networks = State(store, host=host).networks()
    names = engine.network_names() if networks else {}
    return tuple(
        _reached(found, names[found.id], engine=engine, links=links)
        for found in networks
        if found.id in names
    )


def _reached(found: DockerNetwork, name: str, *, engine: Engine, links: Links) -> Reached:
    subnets = {subnet.version: (subnet, hop) for subnet, hop in reversed(found.subnets)}
    subnet, gateway = subnets.get(4) or subnets[6]
    network = Network(
        name, found.parent, subnet, gateway, None, mode=found.mode, id=found.id, ours=True
    )
    shim = show_shim(links, parent=found.parent)
    containers = engine.attached(found.id)
    reached = shim.containers if shim else ()
    routed = tuple(a for one in containers for a in one.addresses if a in reached)
    return Reached(network, shim, containers, routed, objection=_objection(found, name))


def _objection(found: DockerNetwork, name: str) -> str:
    reason = shim_objection(found)
    return f"the network {name!r} has no shim: {reason}" if reason else ""
