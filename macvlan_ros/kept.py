"""Kept: the addresses that wait for services without a container, for whoever looks at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from macvlan_ros.ipam import Ipam
from macvlan_ros.running import ServiceStatus

#: States of containers that have their address.
_RUNS = ("running", "restarting", "paused")


def fill(rows: Sequence[ServiceStatus], ipam: Ipam) -> tuple[ServiceStatus, ...]:
    """The rows, with the reserved IPv4 address and its MAC where no container runs that has one.

    Raises what the store raises.
    """
    waiting = sorted({row.container for row in rows if _waits(row)})
    held = {
        one.owner: one
        for pool in (ipam.pools() if waiting else ())
        for one in ipam.held(pool.name, waiting)
        if one.address.version == 4
    }

    def filled(row: ServiceStatus) -> ServiceStatus:
        kept = held.get(row.container) if _waits(row) else None
        if kept is None or row.address not in ("", str(kept.address)):
            return row
        return replace(row, address=str(kept.address), mac=kept.mac)

    return tuple(map(filled, rows))


def _waits(row: ServiceStatus) -> bool:
    return not row.mac and row.state not in _RUNS
