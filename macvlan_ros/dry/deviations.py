"""Deviations: what on this host is not as the stack wants it. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from macvlan_ros.dry.app import DryApp
from macvlan_ros.errors import NetworkNotFound
from macvlan_ros.models.stacks import Stack
from macvlan_ros.values import dataclass

__all__ = ["Deviation", "find_deviations"]


@dataclass(frozen=True, slots=True)
class Deviation:
    """One thing that is to be done, and the command that does it."""

    text: str
    remedy: str


def find_deviations(app: DryApp, stack: Stack) -> tuple[Deviation, ...]:
    """What a launch would change, and what is wrong beside that. Raises what a launch raises."""
    app.launcher.up(stack)
    # where there is more in the file than `launch` knows, it would refuse
    remedy = "macvlan-ros compose up -d" if stack.forgiven else "macvlan-ros launch"
    changes = [Deviation(change, remedy) for change in app.changes]
    return (*changes, *_shim(app, stack, remedy), *_health(app, stack))


def _shim(app: DryApp, stack: Stack, remedy: str) -> Iterator[Deviation]:
    if app.settings.shim != "yes":
        return
    try:
        shown = app.reach.show(app.engine.network(stack.network))
    except NetworkNotFound:
        return
    # what is still to be made, network or shim, is among the changes already
    if shown.objection or not shown.network.id or shown.shim is None:
        return
    for one in shown.containers:
        if not set(one.addresses) <= set(shown.routed):
            yield Deviation(f"lead '{one.name}' to this PC", remedy)


def _health(app: DryApp, stack: Stack) -> Iterator[Deviation]:
    for row in app.running.status(stack):
        if row.health == "unhealthy":
            yield Deviation(f"'{row.service}' is unhealthy", f"macvlan-ros logs {row.service}")
        if row.conflict:
            yield Deviation(
                f"{row.conflict} was heard with the address of '{row.service}'",
                "macvlan-ros doctor",
            )
