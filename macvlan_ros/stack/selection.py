"""Selection: which services of a stack a launch is about, and whether they go together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter

from macvlan_ros.errors import ServiceNotFound, StackFileError
from macvlan_ros.models.containers import Service
from macvlan_ros.models.stacks import Stack
from macvlan_ros.near import did_you_mean
from macvlan_ros.values import dataclass


@dataclass(frozen=True, slots=True)
class Clash:
    """Two services that cannot both be: `service` is the later one, `key` where it says so."""

    service: str
    key: str
    problem: str


def enabled(stack: Stack, profiles: Iterable[str] = ()) -> tuple[Service, ...]:
    """The services without a profile or with an active one, in the file's order.

    `profiles` are active beside the stack's own; "*" is all of them.
    """
    active = {*stack.profiles, *profiles}
    return tuple(
        service
        for service in stack.services.values()
        if not service.profiles or "*" in active or active & set(service.profiles)
    )


def select(stack: Stack, names: Sequence[str] = ()) -> tuple[Service, ...]:
    """The named services with all that they depend on, dependencies first; all enabled ones when
    none is named. To name a service is to activate its profiles.

    Raises ServiceNotFound for a name that is not in the stack, and StackFileError when a needed
    service is in no active profile or two selected ones cannot both be.
    """
    for name in names:
        if name not in stack.services:
            raise ServiceNotFound(
                f"no service {name!r} in the stack {stack.name!r}"
                f"{did_you_mean(name, stack.services)}; it has {', '.join(stack.services)}"
            )
    active = [profile for name in names for profile in stack.services[name].profiles]
    possible = {service.name: service for service in enabled(stack, active)}
    chosen: dict[str, Service] = {}
    waiting = list(names) or list(possible)
    while waiting:
        service = possible[waiting.pop(0)]
        if service.name in chosen:
            continue
        # an optional one that is not there is not waited for
        there = [one for one in service.depends_on if one.service in possible or one.required]
        chosen[service.name] = replace(service, depends_on=tuple(there))
        for one in there:
            if one.service not in possible:
                wanted = " or ".join(stack.services[one.service].profiles)
                raise StackFileError(
                    f"service {service.name!r} depends on {one.service!r}, whose profile is not "
                    f"active; add --profile {wanted}"
                )
            waiting.append(one.service)
    found = clash(chosen.values())
    if found is not None:
        raise StackFileError(f"service {found.service!r}, key {found.key!r} {found.problem}")
    in_file_order = {name: chosen[name] for name in stack.services if name in chosen}
    return tuple(in_file_order[name] for name in _order(in_file_order))


def _order(services: Mapping[str, Service]) -> tuple[str, ...]:
    graph = {
        name: [one.service for one in service.depends_on if one.service in services]
        for name, service in services.items()
    }
    return tuple(TopologicalSorter(graph).static_order())


def circle(services: Mapping[str, Service]) -> tuple[str, ...]:
    """Services that wait for one another, the first again at the end; () when none do."""
    try:
        _order(services)
    except CycleError as error:
        return tuple(reversed(error.args[1]))
    return ()


def clash(services: Iterable[Service]) -> Clash | None:
    """The first two services that ask for one name, address or MAC; None when all go together.

    A container's name counts whatever host it is on: its address is reserved under that name.
    """
    names: dict[str, str] = {}
    addresses: dict[str, str] = {}
    macs: dict[str, str] = {}
    for service in services:
        for seen, key, value, why in (
            (names, "container_name", service.container_name, "its address is kept under it"),
            (addresses, "address", str(service.address or ""), "an address has one holder"),
            (addresses, "networks", str(service.former_address or ""), "an address has one holder"),
            (macs, "mac", service.mac, "a MAC has one holder"),
        ):
            if value and seen.get(value, service.name) != service.name:
                problem = f"is {value}, and so is that of service {seen[value]!r}; {why}"
                return Clash(service.name, key, f"{problem}, so change one of the two")
            seen[value] = service.name
    return None


def replace_network(stack: Stack, name: str, *, driver: str) -> Stack:
    """The stack with one more network given up for the macvlan one.

    For an external network whose driver, which only the engine knows, turns out to be overlay or
    macvlan. `name` is Docker's. Fixed addresses on it become former ones, aliases are kept.
    """
    services = {key: _without(service, name) for key, service in stack.services.items()}
    if services == dict(stack.services):
        return stack
    note = f"network {name!r} ({driver}) is replaced by the macvlan network {stack.network!r}"
    return replace(stack, services=services, notes=tuple(dict.fromkeys((*stack.notes, note))))


def _without(service: Service, name: str) -> Service:
    if service.off_lan:
        return service  # it is there by its own will
    given_up = [bridge for bridge in service.bridges if bridge.name == name]
    if not given_up:
        return service
    addresses = [bridge.address for bridge in given_up if bridge.address is not None]
    aliases = [alias for bridge in given_up for alias in bridge.aliases]
    return replace(
        service,
        bridges=tuple(bridge for bridge in service.bridges if bridge.name != name),
        former_address=service.former_address or (addresses[0] if addresses else None),
        aliases=tuple(dict.fromkeys((*service.aliases, *aliases))),
    )
