"""Rows of a status, completed: the addresses that wait for services without a container, and which
addresses answer this PC."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

from netaddr import IPAddress

from macvlan_ros.ipam import Ipam
from macvlan_ros.launching.running import ServiceStatus

#: States of containers that have their address.
_RUNS = ("running", "restarting", "paused")
#: How often all of them together are asked, for a quarter of a second each.
_TIMES = 2
#: Seconds after which nobody is asked any more, however busy this PC is.
_LIMIT = 5.0
_ASKED = ("running", "elsewhere")


def with_kept_addresses(rows: Sequence[ServiceStatus], ipam: Ipam) -> tuple[ServiceStatus, ...]:
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


def with_answers(rows: Sequence[ServiceStatus]) -> tuple[ServiceStatus, ...]:
    """The rows with `reached`: whether the address answers a ping from this PC.

    None stays where there is nothing to ask: no address, an IPv6 one, a container that is down, or
    no right to send ICMP. Waits for 0.5 s, and not at all when all answer.
    """
    from macvlan_ros.verify import echo
    from macvlan_ros.verify.place import Place, Vantage

    asked = {
        row.address: IPAddress(row.address)
        for row in rows
        if row.state in _ASKED and row.address and ":" not in row.address
    }
    if not asked:
        return tuple(rows)
    with closing(Vantage(Place(name="this PC", address=None))) as here:
        try:
            until = time.monotonic() + _LIMIT
            there = echo.answering(here, asked.values(), until=until, times=_TIMES)
        except OSError:
            return tuple(rows)
    return tuple(
        replace(row, reached=asked[row.address] in there) if row.address in asked else row
        for row in rows
    )
