"""The watch: keeps the ways between this host and its containers as they should be.

A reboot, a parent that goes down and comes back, a container that restarts in a new namespace, a
network that somebody removes: each makes something vanish, or leaves something over. So everything
is looked at every few seconds, and what is not as it should be is made so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from netaddr import IPAddress

from macvlan_ros.engine import Engine
from macvlan_ros.errors import MacvlanRosError
from macvlan_ros.kernel.link_names import shim_links, shim_name
from macvlan_ros.links import Links
from macvlan_ros.models.networks import Network
from macvlan_ros.reaching.reach import Reach, Reached
from macvlan_ros.reaching.shim import remove_container, remove_shim

__all__ = ["Watch"]

#: The state that is about all networks.
_ALL = ""
#: What is about the plugin's networks.
_PLUGIN = "plugin"
_GUIDE_EVERY = 10.0
_FINE = "Docker answers; every network is looked at"


class Watch:
    """Looks at all networks of ours, or at the named one. `say` hears each change of state, once.
    `enter` writes this host into the register of hosts when it is time to, `names` tells its
    containers the names of the others, `lead` leads containers of the plugin's networks to this
    host that lack a way, and returns a sentence for each that it cannot. `answer` tells other hosts
    what they want to know of its LAN.

    Without Docker, the store or a right everything stays as it is until they are back.
    """

    def __init__(
        self,
        reach: Reach,
        *,
        links: Links,
        engine: Engine,
        say: Callable[[str], None],
        name: str = "",
        enter: Callable[[], object] = lambda: None,
        names: Callable[[], object] = lambda: None,
        lead: Callable[[], Sequence[str]] = tuple,
        answer: Callable[[], object] = lambda: None,
    ) -> None:
        self._reach = reach
        self._links = links
        self._engine = engine
        self._say = say
        self._name = name
        self._enter = enter
        self._names = names
        self._lead, self._led, self._trouble = lead, float("-inf"), ""
        self._answer = answer
        self._told: dict[str, str] = {}
        self._orphans: frozenset[tuple[str, IPAddress]] = frozenset()
        self._leftover: frozenset[str] = frozenset()

    def run(self, interval: float, *, ready: Callable[[], object] = lambda: None) -> None:
        """Look every `interval` seconds, for ever. `ready` is called after the first look."""
        self.look()
        ready()
        while True:
            time.sleep(interval)
            self.look()

    def look(self) -> None:
        """See that all is as it should be, and say what has changed since the last time."""
        try:
            self._enter()
            self._answer()
            networks = self._reach.networks(self._name)
            self._names()
        except MacvlanRosError as error:
            self._tell({**self._told, _ALL: _sentence(error)})
            return
        reached: list[Reached] = []
        states = {_ALL: _FINE}
        for network in networks:
            states[network.name] = self._keep(network, reached)
        if not self._name:
            try:
                self._tidy(networks, reached)
                if trouble := self._guide():
                    states[_PLUGIN] = trouble
                elif _PLUGIN in self._told:
                    states[_PLUGIN] = "its containers reach this host"
            except MacvlanRosError as error:
                states[_ALL] = _sentence(error)
        self._tell(states)

    def _keep(self, network: Network, reached: list[Reached]) -> str:
        """Keep one network as it should be; the sentence that says how it stands."""
        objection = self._reach.objection(network)
        if objection:
            return objection
        try:
            found = self._reach.up(network, announce=None, fresh=False)
        except MacvlanRosError as error:
            return _sentence(error)
        reached.append(found)
        return "; ".join((_standing(found), *found.refused))

    def _guide(self) -> str:
        """What is wrong on the plugin's networks, now and then looked at."""
        now = time.monotonic()
        if now - self._led < _GUIDE_EVERY:
            return self._trouble
        self._led, self._trouble = now, "; ".join(self._lead())
        return self._trouble

    # What is left over goes when it is seen a second time: another process may be at it.

    def _tidy(self, networks: Sequence[Network], reached: Sequence[Reached]) -> None:
        orphans = _orphans(reached)
        if orphans:
            in_use = self._engine.addresses_in_use()
            orphans = frozenset(one for one in orphans if one[1] not in in_use)
        for parent, address in orphans & self._orphans:
            remove_container(self._links, parent=parent, address=address)
        self._orphans = orphans - self._orphans
        leftover = shim_links() - {shim_name(network.parent) for network in networks}
        for name in leftover & self._leftover:
            link = self._links.macvlan(name)
            parent = link.parent if link else ""
            if parent and shim_name(parent) == name and not self._reach.is_needed(parent):
                remove_shim(self._links, parent=parent)
                self._say(f"{name}: removed, for no network of ours is on {parent} any more")
        self._leftover = leftover

    def _tell(self, states: Mapping[str, str]) -> None:
        for name, state in states.items():
            if self._told.get(name) != state and (name or state != _FINE or self._told):
                self._say(f"{name}: {state}" if name else state)
        for name in self._told.keys() - states.keys():
            self._say(f"{name}: there is no such network any more")
        self._told = dict(states)


def _orphans(reached: Sequence[Reached]) -> frozenset[tuple[str, IPAddress]]:
    """The parents and addresses of routes to which no container of ours belongs."""
    running = {a for one in reached for container in one.containers for a in container.addresses}
    return frozenset(
        (one.network.parent, address)
        for one in reached
        if one.shim
        for address in one.shim.containers
        if address not in running
    )


def _standing(found: Reached) -> str:
    shim = found.shim
    if shim is None:
        return "no shim"
    names = [one.name for one in found.containers]
    reaches = ", ".join(names) if len(names) <= 8 else f"{len(names)} containers"
    own = ", ".join(map(str, shim.addresses))
    return f"the shim {shim.link} ({own}) reaches {reaches or 'no container yet'}"


def _sentence(error: MacvlanRosError) -> str:
    return f"{error}; trying again"
