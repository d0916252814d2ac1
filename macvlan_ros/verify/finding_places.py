"""Finding the places: what of a stack runs where, or without one, what runs on our networks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from netaddr import IPAddress

from macvlan_ros import placement
from macvlan_ros import stack as stacks
from macvlan_ros.docker_values import Container
from macvlan_ros.errors import MacvlanRosError
from macvlan_ros.models import Service, Stack
from macvlan_ros.verify import culprits
from macvlan_ros.verify.check import BAD, WARNING, Check
from macvlan_ros.verify.place import Place

if TYPE_CHECKING:
    from macvlan_ros.app import App


def this_host(app: App) -> Place:
    """This PC, with its address on the LAN. Raises ParentNotFound, BadParent."""
    parent = app.parent()
    own = next((one.ip for one in parent.addresses if one.version == 4), None)
    return Place(
        name=app.settings.host_name,
        address=own,
        host=app.settings.host_name,
        interface=parent.name,
    )


def on_our_networks(app: App) -> tuple[Place, ...]:
    """The running containers on networks of ours and of our plugin, whoever made them."""
    return tuple(
        Place(
            name=one.name,
            address=next((a for a in one.addresses if a.version == 4), None),
            names=(one.name,),
            host=app.settings.host_name,
            pid=one.pid,
            mac=one.mac,
            ros=_ros_of(one.pid, ""),
        )
        for one in app.engine.on_our_networks()
    )


def of_stack(app: App, stack: Stack, names: Sequence[str]) -> tuple[Place, ...]:
    """The stack's services, or the named ones; with their containers where these run here.

    Raises ServiceNotFound, and what the engine and the store raise.
    """
    services = stacks.select(stack, names) if names else stacks.enabled(stack)
    running = {
        one.service: one
        for one in app.engine.containers(stack=stack.name)
        if one.state == "running"
    }
    missing = {one.container_name: one.name for one in services if one.name not in running}
    for name, other in app.engine.named(missing).items():
        if other.state == "running":  # not ours, but docker compose's from the same file
            running[missing[name]] = other
    held = _held(app, [one for one in services if one.address is None])
    host = app.settings.host_name
    return tuple(
        _place(service, running.get(service.name), held.get(service.owner), host)
        for service in services
    )


def _held(app: App, services: Sequence[Service]) -> dict[str, IPAddress]:
    """The reserved addresses of services whose address the file does not fix."""
    if not services:
        return {}
    owners = {service.owner for service in services}
    return {held.owner: held.address for held in app.store.reservations() if held.owner in owners}


def _place(
    service: Service, container: Container | None, held: IPAddress | None, host: str
) -> Place:
    names = tuple(dict.fromkeys((service.name, service.container_name)))
    here = placement.is_here(service, host)
    pid = container.pid if container else 0
    return Place(
        name=service.name,
        address=(container.address if container else None) or service.address or held,
        names=names,
        others=tuple(one for one in container.networks.values() if one) if container else (),
        host=host if here else service.host,
        pid=pid,
        mac=container.mac if container else "",
        ros=_ros_of(pid, service.ros),
    )


def _ros_of(pid: int, said: str) -> str:
    """Which ROS a container has: what the file says, else what its own environment does."""
    if said or not pid:
        return said
    found = culprits.environment(pid).get("ROS_VERSION", "")
    return found if found in ("1", "2") else ""


def absent(places: Iterable[Place], host: str) -> list[Check]:
    """A check for each service that should run here and does not, or is nowhere to be found."""
    found = []
    for one in places:
        if one.host == host and not one.pid and one.name != host:
            found.append(
                Check(
                    "runs", host, one.name, BAD, "it does not run", "start it: macvlan-ros launch"
                )
            )
        elif one.address is None:
            found.append(
                Check(
                    "runs",
                    host,
                    one.name,
                    WARNING,
                    f"its address on {one.host} is not known here, so nothing was looked at",
                    "fix it in the stack file with x-macvlan-ros: {address: ...}, or share a store",
                )
            )
    return found


def master_of(app: App, stack: Stack | None, places: Sequence[Place], environ: str) -> str:
    """The URI of the master: the stack's, else the one that most containers here are told, else
    `environ`, this process's own ROS_MASTER_URI; "" without any.

    Raises StackFileError when the stack's master has no address yet.
    """
    if stack is not None and stack.master:
        from macvlan_ros import ros

        addresses = {one.name: one.address for one in places if one.address is not None}
        addresses |= _others(app, stack, addresses)
        own = this_host(app)
        hosts = {own.name: own.address} if own.address is not None else {}
        return ros.master_uri(stack, addresses, hosts) or ""
    told = [culprits.environment(one.pid).get("ROS_MASTER_URI", "") for one in places if one.pid]
    known = [uri for uri in told if uri.strip()]
    return max(known, key=known.count) if known else environ


def _others(app: App, stack: Stack, known: Iterable[str]) -> dict[str, IPAddress]:
    """The addresses of services that were not asked for; the master may be one of them."""
    if stack.master in known or stack.master not in stack.services:
        return {}
    (place,) = of_stack(app, stack, [stack.master])[-1:]
    return {place.name: place.address} if place.address is not None else {}


def in_words(place: Place, error: MacvlanRosError) -> Check:
    """That a place could not be looked from."""
    text, _, remedy = str(error).partition("; ")
    return Check("runs", place.name, place.name, BAD, text, remedy or "run it as root: sudo")
