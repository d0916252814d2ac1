"""Addresses that were asked for before anybody wants them."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from netaddr import IPAddress, IPNetwork

from macvlan_ros.lookahead import Lookahead
from macvlan_ros.models import Pool

LAB = Pool("lab", IPNetwork("192.168.50.0/24"))


def test_who_asks_ahead_may_take_longer_than_who_is_waited_for() -> None:
    asked: list[tuple[str, int]] = []
    done = threading.Event()

    def at_once(_: Pool, addresses: Sequence[IPAddress]) -> tuple[IPAddress, ...]:
        asked.append(("at once", len(addresses)))
        return tuple(addresses)

    def carefully(_: Pool, addresses: Sequence[IPAddress]) -> tuple[IPAddress, ...]:
        asked.append(("carefully", len(addresses)))
        done.set()
        return tuple(addresses)

    def supply(count: int) -> list[IPAddress]:
        return [LAB.subnet[number] for number in range(1, count + 1)]

    lookahead = Lookahead(at_once, ahead=carefully)
    lookahead.start()
    assert lookahead.proven(LAB, supply) == ()
    assert done.wait(10)
    assert lookahead.sift(LAB, supply(3)) == tuple(supply(3))
    lookahead.stop()
    assert [how for how, _ in asked] == ["carefully", "at once"]
    assert asked[0][1] > 3
