"""The order over all hosts: who starts before whom, the master before every other ROS node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from macvlan_ros.models.containers import Dependency, Service
from macvlan_ros.models.stacks import Stack

#: A condition of ours: the service was brought up, and if it is the master, it has been waited for.
BROUGHT_UP = "brought-up"


def depends_on(stack: Stack, chosen: Sequence[Service]) -> dict[str, tuple[Dependency, ...]]:
    """What each of the chosen services waits for, among them, on whichever host.

    Every ROS 1 service waits for the master's, unless that one waits for it; where the master
    cannot be brought up the others are started all the same.
    """
    names = {service.name for service in chosen}
    waits = {
        service.name: tuple(one for one in service.depends_on if one.service in names)
        for service in chosen
    }
    if stack.master not in names:
        return waits
    before = _needed_by(stack.master, waits)
    for service in chosen:
        own = {one.service for one in waits[service.name]}
        speaks = service.ros in ("", "1")
        if speaks and service.name not in before and stack.master not in own:
            waits[service.name] += (Dependency(stack.master, BROUGHT_UP, required=False),)
    return waits


def _needed_by(name: str, waits: Mapping[str, Sequence[Dependency]]) -> set[str]:
    """The service and all that it waits for."""
    found: set[str] = set()
    todo = [name]
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            todo += [each.service for each in waits[one]]
    return found
