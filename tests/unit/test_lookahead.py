"""Addresses that were asked for before anybody wants them."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from netaddr import IPAddress, IPNetwork

from macvlan_ros.models.pools import Pool
from macvlan_ros.reserving.lookahead import Lookahead

LAB = Pool("lab", IPNetwork("192.168.50.0/24"))


def test_many_are_asked_for_ahead_and_whoever_wants_one_waits_for_nobody() -> None:
    asked: list[int] = []
    done = threading.Event()

    def ask(_: Pool, addresses: Sequence[IPAddress]) -> tuple[IPAddress, ...]:
        asked.append(len(addresses))
        done.set()
        return tuple(addresses)

    def supply(count: int) -> list[IPAddress]:
        return [LAB.subnet[number] for number in range(1, count + 1)]

    lookahead = Lookahead(ask)
    lookahead.start()
    assert lookahead.proven(LAB, supply) == ()
    assert done.wait(10)
    end = time.monotonic() + 10
    while not (proven := lookahead.proven(LAB, supply)):
        assert time.monotonic() < end
        time.sleep(0.01)
    assert proven == tuple(supply(asked[0]))
    lookahead.take(LAB, proven[0])
    assert lookahead.proven(LAB, supply) == proven[1:]
    lookahead.stop()
    assert len(asked) == 1
