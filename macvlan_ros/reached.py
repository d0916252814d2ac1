"""Reached: whether the containers of a stack answer this PC, for whoever looks at them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

from netaddr import IPAddress

from macvlan_ros.running import ServiceStatus

#: How often all of them together are asked, for a quarter of a second each.
_TIMES = 2
#: Seconds after which nobody is asked any more, however busy this PC is.
_LIMIT = 5.0
_ASKED = ("running", "elsewhere")


def mark(rows: Sequence[ServiceStatus]) -> tuple[ServiceStatus, ...]:
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
