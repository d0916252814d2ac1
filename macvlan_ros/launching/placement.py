"""Placement: which services of a stack belong to this host, and in which order they start."""

from __future__ import annotations

from collections.abc import Sequence

from macvlan_ros import stack as stacks
from macvlan_ros.errors import InvalidRequest, StackFileError
from macvlan_ros.models.containers import Service
from macvlan_ros.models.stacks import Stack


def select(stack: Stack, names: Sequence[str], *, host: str) -> tuple[Service, ...]:
    """The services to start on `host`: the named ones (all, when none is named) and those that
    they depend on, as far as they belong to this host, each after what it depends on.

    Raises ServiceNotFound, InvalidRequest for a named service that belongs elsewhere, and
    StackFileError when the file leaves open which of several hosts a service belongs to.
    """
    chosen = stacks.select(stack, names)
    _check_host(stack, host)
    for service in chosen:
        _check_is_placed(stack, service)
        if service.name in names and not is_here(service, host):
            raise InvalidRequest(
                f"the service '{service.name}' belongs to the host '{service.host}', and this is"
                f" '{host}'; do it there, launch it from here with --all-hosts, or change its"
                " x-macvlan-ros.host"
            )
    here = tuple(service for service in chosen if is_here(service, host))
    check_complete(here)
    return here


def check_complete(services: Sequence[Service]) -> None:
    """Raises StackFileError for one that names what is not there."""
    for service in services:
        if service.missing:
            raise StackFileError(service.missing)


def is_here(service: Service, host: str) -> bool:
    """Whether the service belongs to this host; one that names no host belongs to any."""
    return service.host in ("", host)


def waves(services: Sequence[Service]) -> tuple[tuple[Service, ...], ...]:
    """The services in groups: all of a group can start at once when the groups before it have.

    `services` are in the order of dependence already.
    """
    level: dict[str, int] = {}
    for service in services:
        before = [level[d.service] for d in service.depends_on if d.service in level]
        level[service.name] = max(before, default=-1) + 1
    return tuple(
        tuple(service for service in services if level[service.name] == n)
        for n in range(max(level.values(), default=-1) + 1)
    )


def _check_host(stack: Stack, host: str) -> None:
    if stack.hosts and host not in stack.hosts:
        raise InvalidRequest(
            f"this PC is called '{host}', and the hosts of the stack '{stack.name}' are"
            f" {', '.join(stack.hosts)}; say which one this is with --host, or add it to"
            " x-macvlan-ros.hosts"
        )


def _check_is_placed(stack: Stack, service: Service) -> None:
    """Started on each of several hosts, a service would be there twice, on one address."""
    if len(stack.hosts) > 1 and not service.host:
        raise StackFileError(
            f"{stack.files[0]}: services.{service.name}: the stack has {len(stack.hosts)} hosts,"
            " and nothing says on which of them this one runs; add x-macvlan-ros:"
            f" {{host: {next(iter(stack.hosts))}}}"
        )
