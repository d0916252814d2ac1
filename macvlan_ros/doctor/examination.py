"""The examination: which rooms are visited, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from macvlan_ros.doctor import engine, lan, parent, store
from macvlan_ros.doctor.finding import Finding, guarded
from macvlan_ros.models import Link

if TYPE_CHECKING:
    from macvlan_ros.app import App

Check = Callable[["App"], Iterable[Finding]]
ParentCheck = Callable[["App", Link], Iterable[Finding]]

#: Checks that need nothing but the App, by the name that their findings have.
CHECKS: tuple[tuple[str, Check], ...] = (("store", store.check), ("docker", engine.check))
#: Checks of the parent and of what is on its LAN.
PARENT_CHECKS: tuple[tuple[str, ParentCheck], ...] = (
    ("parent", parent.check),
    ("lan", lan.check),
)
#: Checks that come last.
LAST_CHECKS: tuple[tuple[str, Check], ...] = (
    ("leases", store.check_leases),
    ("strangers", lan.check_strangers),
)


def examine(app: App, *, dhcp: bool = True) -> Iterator[Finding]:
    """Every finding, as it is made. `dhcp` asks the LAN for its DHCP servers, which takes 4 s."""
    for name, check in CHECKS:
        yield from guarded(name, partial(check, app))
    parents: list[Link] = []
    yield from guarded("parent", partial(_find, app, parents))
    for link in parents:
        for name, check_parent in PARENT_CHECKS:
            yield from guarded(name, partial(check_parent, app, link))
        if dhcp:
            yield from guarded("dhcp", partial(lan.check_dhcp, app, link))
    for name, check in LAST_CHECKS:
        yield from guarded(name, partial(check, app))


def _find(app: App, parents: list[Link]) -> Iterable[Finding]:
    """Put the parent into `parents`; that there is none is an error, which says what to do."""
    parents.append(app.parent())
    return ()
