"""Sandboxes: what is done inside a container's network namespace, in passing.

A container's process may end while one is on the way, and its id go to another process, even to
one of the host itself. So nothing is done in a namespace that has no link with the container's MAC.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from netaddr import IPAddress, IPNetwork

from macvlan_ros.docker_api.attached import Attached
from macvlan_ros.errors import BadSubnet, Forbidden, KernelRefused, MacvlanRosError, NotFound
from macvlan_ros.kernel.namespaces import inside
from macvlan_ros.links import Links
from macvlan_ros.reaching.guiding import guide, leave_alone
from macvlan_ros.values import dataclass
from macvlan_ros.wire.arp import open_wire

#: How many containers are visited side by side.
_AT_ONCE = 8
_EVERYWHERE, _EVERYWHERE6 = IPNetwork("0.0.0.0/0"), IPNetwork("::/0")


@dataclass(frozen=True, slots=True)
class Errand:
    """What to do in a container: lead it to the addresses `host` by way of `via`, and announce it.

    With `back` the ways to `host` are taken away instead. With `no_router6` the IPv6 default route
    goes that Docker made by way of what it took for a gateway: the network has none, and whoever
    follows that route waits for an answer that never comes.
    """

    host: tuple[IPAddress, ...] = ()
    via: tuple[IPAddress, ...] = ()
    announce: bool = False
    back: bool = False
    no_router6: bool = False


class Visits:
    """Errands in containers. It remembers what was done in which, so that once is enough."""

    def __init__(self) -> None:
        self._done: dict[str, Errand] = {}

    def forget(self) -> None:
        """From now on every errand is done anew."""
        self._done.clear()

    def run(
        self, errand: Errand, containers: Sequence[Attached], *, announce: Collection[str] | None
    ) -> tuple[str, ...]:
        """Do the errand in those containers in which it is not done yet, side by side.

        `announce` names those to be announced, None means those that were never visited. Returns a
        sentence for each in which it could not be done. One that has ended is passed over.
        """
        todo: list[tuple[Attached, Errand]] = []
        for container in containers:
            done = self._done.get(container.endpoint)
            loud = done is None if announce is None else container.name in announce
            wanted = replace(errand, announce=loud)
            if loud or done != wanted:
                todo.append((container, wanted))
        if not todo:
            return ()
        if len(todo) == 1:
            outcomes = [_try(todo[0])]
        else:
            with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="visit") as visitors:
                outcomes = list(visitors.map(_try, todo))
        for (container, wanted), outcome in zip(todo, outcomes, strict=True):
            if outcome is True:
                self._done[container.endpoint] = replace(wanted, announce=False)
        return tuple(outcome for outcome in outcomes if isinstance(outcome, str))

    def keep(self, endpoints: Collection[str]) -> None:
        """Forget all containers but those with these endpoints."""
        self._done = {name: done for name, done in self._done.items() if name in endpoints}


def _try(job: tuple[Attached, Errand]) -> bool | str:
    container, errand = job
    try:
        return run(errand, container)
    except MacvlanRosError as error:
        return f"{container.name} cannot reach this host: {error}"


def run(errand: Errand, container: Attached) -> bool:
    """Do it; False when the container has ended, or has no link of its own yet.

    Without the right to send frames, or a carrier, nothing is announced. Raises Forbidden,
    KernelRefused.
    """
    namespace = Path(f"/proc/{container.pid}/ns/net")
    try:
        return inside(namespace, lambda: _do(errand, container))
    except NotFound:
        return False


def _do(errand: Errand, container: Attached) -> bool:
    """What `run` does, by a thread that is in the container's namespace."""
    with Links() as links:
        found = (one for one in links.macvlans() if one.mac == container.mac)
        link = next((one.name for one in found if one.up), "")
        if not link:
            return False
        if container.gateway is not None:
            # Docker gives it to the network whose name comes first
            links.replace_route(_EVERYWHERE, via=container.gateway)
        if errand.no_router6 and container.gateway6 is not None:
            links.remove_route(_EVERYWHERE6, via=container.gateway6, foreign=True)
        if errand.back:
            leave_alone(links, host=errand.host, via=errand.via)
        elif errand.host:
            guide(links, host=errand.host, via=errand.via)
    if errand.announce:
        _announce(link, container)
    return True


def _announce(link: str, container: Attached) -> None:
    """Say where the container is now, on the LAN and to the containers over the same parent."""
    with suppress(Forbidden, BadSubnet, KernelRefused), open_wire(link) as wire:
        for address in container.addresses:
            wire.announce(address, container.mac)
