"""The examination: which rooms are visited, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from macvlan_ros.doctor import (
    clocks,
    engine,
    firewall,
    kernel,
    lan,
    machine,
    manager,
    mtus,
    overlaps,
    parent,
    plugin,
    ros_variables,
    shims,
    store,
)
from macvlan_ros.doctor.finding import OK, Finding, guarded
from macvlan_ros.models.links import Link
from macvlan_ros.models.stacks import Stack

if TYPE_CHECKING:
    from macvlan_ros.app import App

Check = Callable[["App"], Iterable[Finding]]
ParentCheck = Callable[["App", Link], Iterable[Finding]]

#: Checks that need nothing but the App, by the name that their findings have.
CHECKS: tuple[tuple[str, Check], ...] = (
    ("rights", kernel.check_rights),
    ("kernel", kernel.check),
    ("store", store.check),
    ("docker", engine.check),
)
#: Checks of the parent and of what is on its LAN.
PARENT_CHECKS: tuple[tuple[str, ParentCheck], ...] = (
    ("parent", parent.check),
    ("machine", machine.check),
    ("manager", manager.check),
    ("mtu", mtus.check),
    ("arp", shims.check_arp),
    ("firewall", firewall.check),
    ("network", overlaps.check_networks),
    ("twice", overlaps.check_twice),
    ("lan", lan.check),
)
#: Checks that come last.
LAST_CHECKS: tuple[tuple[str, Check], ...] = (
    ("pool", overlaps.check_pools),
    ("shim", shims.check),
    ("leases", store.check_leases),
    ("strangers", lan.check_strangers),
    ("plugin", plugin.check),
    ("ros", ros_variables.check),
    ("clock", clocks.check),
)
#: What only Docker can say: where it does not answer, one finding says so.
_DOCKERS = ("network", "twice", "pool", "shim")


def examine(
    app: App, *, dhcp: bool = True, read_stack: Callable[[], Stack | None] = lambda: None
) -> Iterator[Finding]:
    """Every finding, as it is made. `dhcp` asks the LAN for its DHCP servers, which takes 4 s;
    the other PCs of the stack that `read_stack` returns are asked for their time."""
    silent: set[str] = set()
    for name, check in CHECKS:
        for finding in guarded(name, partial(check, app)):
            if name == "docker" and finding.level != OK:
                silent.update(_DOCKERS)
            yield finding
    parents: list[Link] = []
    yield from guarded("parent", partial(_find, app, parents))
    rest: list[tuple[str, Callable[[], Iterable[Finding]]]] = [
        *((name, partial(check, app, link)) for link in parents for name, check in PARENT_CHECKS),
        *(("dhcp", partial(lan.check_dhcp, app, link)) for link in parents if dhcp),
        *((name, partial(check, app)) for name, check in LAST_CHECKS),
        ("stack", partial(_check_stack, app, read_stack)),
    ]
    for name, make in rest:
        if name not in silent:
            yield from guarded(name, make)


def _check_stack(app: App, read_stack: Callable[[], Stack | None]) -> Iterator[Finding]:
    """What the stack's other PCs are like; a file with an error in it is a finding."""
    stack = read_stack()
    if stack is not None:
        yield from clocks.check_hosts(app, stack)


def _find(app: App, parents: list[Link]) -> Iterable[Finding]:
    """Put the parent into `parents`; that there is none is an error, which says what to do."""
    parents.append(app.parent())
    return ()
