"""How this host and the containers of the plugin's networks reach each other.

The plugin's service sees to them; here it is only looked at, for people.
"""

from __future__ import annotations

from macvlan_ros.engine import Engine
from macvlan_ros.links import Links
from macvlan_ros.models import Network
from macvlan_ros.reach import Reached
from macvlan_ros.shim import show_shim
from macvlan_ros.state import DockerNetwork, State
from macvlan_ros.stores.base import Store

__all__ = ["show"]


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
    return Reached(network, shim, containers, routed)
