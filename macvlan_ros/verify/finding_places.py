"""Finding the places: what of a stack runs where, or without one, what runs on our networks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from netaddr import IPAddress, IPNetwork

from macvlan_ros import ros
from macvlan_ros import stack as stacks
from macvlan_ros.docker_api.values import Container
from macvlan_ros.errors import MacvlanRosError
from macvlan_ros.launching import placement
from macvlan_ros.models.containers import Service
from macvlan_ros.models.stacks import Stack
from macvlan_ros.values import dataclass
from macvlan_ros.verify import culprits
from macvlan_ros.verify.check import BAD, WARNING, Check
from macvlan_ros.verify.place import Place

if TYPE_CHECKING:
    from macvlan_ros.app import App

#: Reserved addresses by owner and version of IP.
_Held = Mapping[tuple[str, int], IPAddress]


def this_host(app: App) -> Place:
    """This PC, with its address on the LAN. Raises ParentNotFound, BadParent."""
    parent = app.parent()
    return Place(
        name=app.settings.host_name,
        address=next((one.ip for one in parent.addresses if one.version == 4), None),
        address6=next(
            (one.ip for one in parent.addresses if one.version == 6 and not one.ip.is_link_local()),
            None,
        ),
        host=app.settings.host_name,
        interface=parent.name,
    )


def on_our_networks(app: App) -> tuple[Place, ...]:
    """The running containers on networks of ours and of our plugin, whoever made them."""
    return tuple(
        Place(
            name=one.name,
            address=next((a for a in one.addresses if a.version == 4), None),
            address6=next((a for a in one.addresses if a.version == 6), None),
            names=(one.name,),
            host=app.settings.host_name,
            pid=one.pid,
            mac=one.mac,
            ros=ros.told(culprits.environment(one.pid)),
        )
        for one in app.engine.on_our_networks()
    )


def of_stack(app: App, stack: Stack, names: Sequence[str]) -> tuple[Place, ...]:
    """The stack's services, or the named ones, that are on the LAN; with their containers where
    these run here.

    Raises ServiceNotFound, and what the engine and the store raise.
    """
    chosen = stacks.select(stack, names) if names else stacks.enabled(stack)
    services = [one for one in chosen if not one.off_lan]
    running = {one.service: one for one in app.engine.containers(stack=stack.name) if one.running}
    missing = {one.container_name: one.name for one in services if one.name not in running}
    for name, other in app.engine.named(missing).items():
        if other.running:  # not ours, but docker compose's from the same file
            running[missing[name]] = other
    held = _held(app, services, six=stack.ipv6)
    host = app.settings.host_name
    lan = Lan(stack.network, app.parent().addresses)
    places = [_place(service, running.get(service.name), held, host, lan) for service in services]
    images = {service.name: service.image for service in services}
    # what one container of an image has, those that cannot be looked into have, too
    of_image = {images[one.name]: one.ros for one in places if one.ros in ("1", "2") and one.pid}
    return tuple(
        one if one.ros else replace(one, ros=of_image.get(images[one.name], "")) for one in places
    )


@dataclass(frozen=True, slots=True)
class Lan:
    """By what a container on the LAN is known: the stack's network, or an address of the LAN."""

    network: str
    subnets: Sequence[IPNetwork]


def _held(app: App, services: Sequence[Service], *, six: bool) -> _Held:
    """The reserved addresses of services whose address the file does not fix."""
    owners = {one.owner for one in services if one.address is None or (six and not one.address6)}
    if not owners:
        return {}
    return {
        (held.owner, held.address.version): held.address
        for held in app.store.reservations()
        if held.owner in owners
    }


def _place(
    service: Service, container: Container | None, held: _Held, host: str, lan: Lan
) -> Place:
    names = tuple(dict.fromkeys((service.name, service.container_name)))
    here = placement.is_here(service, host)
    pid = container.pid if container else 0
    wrong, mend = fault(container, lan) if container else ("", "")
    there = None if wrong else container
    return Place(
        name=service.name,
        address=(there.address if there else None)
        or service.address
        or held.get((service.owner, 4)),
        address6=(there.address6 if there else None)
        or service.address6
        or held.get((service.owner, 6)),
        names=names,
        others=tuple(one for one in container.networks.values() if one) if container else (),
        host=host if here else service.host,
        pid=pid,
        mac=there.mac if there else "",
        ros=service.ros or ros.told({**service.environment, **culprits.environment(pid)}),
        variables=service.environment,
        wrong=wrong,
        mend=mend,
    )


def fault(container: Container, lan: Lan) -> tuple[str, str]:
    """What keeps a container from being looked from, and what to do."""
    name, address = container.name, container.address
    if container.state == "paused":
        return "its container is paused", f"docker unpause {name}"
    if container.state == "restarting":
        return "its container ends again and again", f"see why: docker logs {name}"
    if lan.network in container.networks or any(address in one for one in lan.subnets if address):
        return "", ""
    where = ", ".join(container.networks) or "no network"
    return (
        f"its container is not on the LAN, but on {where}",
        f"docker rm -f {name}; then: macvlan-ros launch",
    )


def absent(places: Iterable[Place], host: str) -> list[Check]:
    """A check for each service that should run here and does not, or is nowhere to be found."""
    found = []
    for one in places:
        if one.host == host and not one.inside and one.name != host:
            text, remedy = (
                one.wrong or "it does not run",
                one.mend or "start it: macvlan-ros launch",
            )
            found.append(Check("runs", host, one.name, BAD, text, remedy))
        elif one.address is None and one.address6 is None:
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
        addresses, hosts = _addresses(app, stack, places, stack.master)
        return ros.master_uri(stack, addresses, hosts) or ""
    told = [culprits.environment(one.pid).get("ROS_MASTER_URI", "") for one in places if one.pid]
    known = [uri for uri in told if uri.strip()]
    return max(known, key=known.count) if known else environ


def graph_of(app: App, stack: Stack, places: Sequence[Place]) -> ros.Graph:
    """How the stack's ROS 2 nodes find one another. Raises StackFileError when the address of
    its discovery server or router is not known."""
    return ros.graph(stack, *_addresses(app, stack, places, stack.discovery.place))


def _addresses(
    app: App, stack: Stack, places: Sequence[Place], wanted: str
) -> tuple[dict[str, IPAddress], dict[str, IPAddress]]:
    """The addresses of the services and of this PC, of the family that ROS speaks; that of `wanted`
    too, if it is a service that was not asked for."""
    version = 6 if stack.ros_over == "ipv6" else 4
    known = {one.name for one in places}
    more = of_stack(app, stack, [wanted]) if wanted in stack.services.keys() - known else ()
    found = {one.name: at for one in (*places, *more) if (at := one.at(version)) is not None}
    own = this_host(app)
    at = own.at(version)
    return found, {own.name: at} if at is not None else {}


def in_words(place: Place, error: MacvlanRosError, kind: str = "runs") -> Check:
    """That a place could not be looked from, or something not be looked at there."""
    text, _, remedy = str(error).partition("; ")
    return Check(kind, place.name, place.name, BAD, text, remedy or "run it as root: sudo")
