"""Which services of a stack start here, and in which order. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence

from macvlan_ros.errors import InvalidRequest, ServiceNotFound, StackFileError
from macvlan_ros.models import Service, Stack


def select(
    stack: Stack, names: Sequence[str], *, host: str, profiles: Collection[str] = ()
) -> tuple[Service, ...]:
    """The services to start on `host`: the named ones (all, when none is named) and those that
    they depend on, as far as they belong to this host, each after what it depends on.

    Raises ServiceNotFound, InvalidRequest for a service that belongs elsewhere, and
    StackFileError when the file leaves open which of several hosts a service belongs to.
    """
    for name in names:
        require(stack, name)
    _check_hosts(stack, host)
    if names:
        wanted = list(names)
        for name in names:
            _check_is_here(stack.services[name], host)
    else:
        wanted = [s.name for s in stack.services.values() if _active(s, profiles)]
    chosen: dict[str, None] = {}
    for name in wanted:
        _add(stack, name, host=host, chosen=chosen, path=())
    return tuple(stack.services[name] for name in chosen)


def require(stack: Stack, name: str) -> Service:
    """One service. Raises ServiceNotFound with the nearest name."""
    if name in stack.services:
        return stack.services[name]
    close = difflib.get_close_matches(name, stack.services, 1)
    hint = f"did you mean '{close[0]}'?" if close else f"it has: {', '.join(stack.services)}"
    raise ServiceNotFound(f"the stack '{stack.name}' has no service '{name}'; {hint}")


def is_here(service: Service, host: str) -> bool:
    """Whether the service belongs to this host; one that names no host belongs to any."""
    return service.host in ("", host)


def waves(services: Sequence[Service]) -> tuple[tuple[Service, ...], ...]:
    """The services in groups: all of a group can start at once when the groups before it have."""
    here = {service.name: service for service in services}
    level: dict[str, int] = {}
    for service in services:  # already in the order of dependence
        before = [level[d.service] for d in service.depends_on if d.service in here]
        level[service.name] = max(before, default=-1) + 1
    return tuple(
        tuple(s for s in services if level[s.name] == n)
        for n in range(max(level.values(), default=-1) + 1)
    )


def _active(service: Service, profiles: Collection[str]) -> bool:
    return not service.profiles or "*" in profiles or bool(set(service.profiles) & set(profiles))


def _check_hosts(stack: Stack, host: str) -> None:
    if not stack.hosts:
        return
    if host not in stack.hosts:
        raise InvalidRequest(
            f"this PC is called '{host}', and the hosts of the stack '{stack.name}' are"
            f" {', '.join(stack.hosts)}; say which one this is with --host, or add it to"
            " x-macvlan-ros.hosts"
        )
    if len(stack.hosts) > 1:
        for service in stack.services.values():
            if not service.host:
                raise StackFileError(
                    f"{stack.files[0]}: services.{service.name}: the stack has"
                    f" {len(stack.hosts)} hosts, and nothing says on which of them this one runs;"
                    f" add x-macvlan-ros: {{host: {next(iter(stack.hosts))}}}"
                )


def _check_is_here(service: Service, host: str) -> None:
    if not is_here(service, host):
        raise InvalidRequest(
            f"the service '{service.name}' belongs to the host '{service.host}', and this is"
            f" '{host}'; launch it there, or change its x-macvlan-ros.host"
        )


def _add(
    stack: Stack, name: str, *, host: str, chosen: dict[str, None], path: tuple[str, ...]
) -> None:
    if name in path:
        circle = " -> ".join([*path[path.index(name) :], name])
        raise StackFileError(f"{stack.files[0]}: depends_on goes round in a circle: {circle}")
    service = stack.services[name]
    if name in chosen or not is_here(service, host):
        return
    for dependency in service.depends_on:
        if dependency.service in stack.services:
            _add(stack, dependency.service, host=host, chosen=chosen, path=(*path, name))
    chosen[name] = None
