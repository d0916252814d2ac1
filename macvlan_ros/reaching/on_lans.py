"""Who of this host is on which LAN: the running containers by the parent they hang off."""

from __future__ import annotations

from netaddr import IPAddress

from macvlan_ros.docker_api.attached import Attached
from macvlan_ros.engine import Engine
from macvlan_ros.state import State

__all__ = ["OnLans"]


class OnLans:
    """Looks at the networks that we or our plugin made here. It remembers what it saw, so that
    looking again costs one listing for each network."""

    def __init__(self, engine: Engine, state: State) -> None:
        self._engine = engine
        self._state = state
        self._known: dict[str, tuple[Attached, ...]] = {}

    def look(self) -> dict[str, dict[str, tuple[IPAddress, ...]]]:
        """The containers' addresses there, IPv4 first, by parent and name; by their services' names
        too, where no container has that name. Raises what engine and store raise."""
        parents = {network.id: network.parent for network in self._engine.networks()}
        plugins = self._state.networks()
        names = self._engine.network_names() if plugins else {}
        parents |= {network.id: network.parent for network in plugins if network.id in names}
        self._known = {
            id_: self._engine.attached(id_, known=self._known.get(id_, ())) for id_ in parents
        }
        found: dict[str, dict[str, tuple[IPAddress, ...]]] = {}
        for id_, parent in parents.items():
            here = found.setdefault(parent, {})
            for one in self._known[id_]:
                here[one.name] = (*here.get(one.name, ()), *one.addresses)
        for id_, parent in parents.items():
            here = found[parent]
            for one in self._known[id_]:
                for alias in one.aliases:
                    here.setdefault(alias, here[one.name])
        return found
