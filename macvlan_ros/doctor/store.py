"""The doctor on the store: whether it answers, and what stands in it about leases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from macvlan_ros.doctor.finding import BAD, OK, Finding

if TYPE_CHECKING:
    from macvlan_ros.app import App


def check(app: App) -> Iterator[Finding]:
    """Whether the store can be read, and contradicts itself nowhere."""
    from macvlan_ros.stores.audit import find_faults

    held = app.store.reservations()
    faults = find_faults(app.store)
    for fault in faults:
        remedy = (
            "look at: macvlan-ros store check; put a backup back: macvlan-ros store restore FILE"
        )
        yield Finding("store", BAD, f"{fault.where}: {fault.text}", remedy)
    if not faults:
        yield Finding("store", OK, f"{app.settings.store}: {_counted(held)}")


def check_leases(app: App) -> Iterator[Finding]:
    """Leases that could not be had or kept; nothing when no pool takes any."""
    leases = app.leases.book.everybodys()
    for lease in leases:
        if lease.trouble:
            text, _, remedy = lease.trouble.partition("; ")
            yield Finding("leases", BAD, f"'{lease.owner}' ({lease.address}): {text}", remedy)
    if leases and not any(lease.trouble for lease in leases):
        yield Finding("leases", OK, f"{len(leases)} leases are held")


def _counted(held: Sequence[object]) -> str:
    return f"{len(held)} reservation{'' if len(held) == 1 else 's'}"
