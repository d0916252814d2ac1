"""Asking with frames: send the questions, and hear what comes until the time is over."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from netaddr import IPAddress

from macvlan_ros.wire import bpf, frames
from macvlan_ros.wire.frames import Kind
from macvlan_ros.wire.probing import Pace, Tally

if TYPE_CHECKING:
    from macvlan_ros.wire.packet_port import Port

_SENT_AT_ONCE = 32
_PACES_A_SECOND = 50


class FrameAsker:
    """Asks with ARP probes or neighbour solicitations through one port; an `Exchange`."""

    def __init__(self, port: Port, version: int) -> None:
        self._port = port
        self._version = version
        self._asked: dict[IPAddress, float] = {}
        self._lost = 0

    def __call__(
        self,
        addresses: Sequence[IPAddress],
        seconds: float,
        tally: Tally,
        *,
        rivals: bool = False,
        pace: Pace | None = None,
    ) -> int:
        # Only what is still open comes in: a flood about the others costs nothing.
        claims = tally.open
        asked = claims if rivals else ()
        build = bpf.arp if self._version == 4 else bpf.neighbour_discovery
        self._port.filter(build(claims=claims, asked=asked))
        self._ask(addresses, tally, pace)
        end = time.monotonic() + seconds
        while not (addresses and tally.finished) and (left := end - time.monotonic()) > 0:
            self._hear(self._port.receive(left), tally)
        return self._port.lost()

    def _ask(self, addresses: Sequence[IPAddress], tally: Tally, pace: Pace | None) -> None:
        rate = pace.rate if pace else 0.0
        handful = max(1, int(rate / _PACES_A_SECOND)) if rate else _SENT_AT_ONCE
        start = time.monotonic()
        for first in range(0, len(addresses), handful):
            some = addresses[first : first + handful]
            for address in some:
                self._asked[address] = time.monotonic()
                self._port.send(frames.probe(address, self._port.mac))
            if pace:
                pace.asked(len(some))
            due = start + (first + len(some)) / rate if rate else 0.0
            while True:
                self._hear(self._port.receive(due - time.monotonic()), tally)
                if time.monotonic() >= due:
                    break

    def _hear(self, received: Iterable[bytes], tally: Tally) -> None:
        now = time.monotonic()
        for frame in received:
            heard = frames.parse(frame)
            if heard is None or self._port.mac in (heard.mac, heard.source):
                continue
            # a probe reaches us only when the filter lets rivals in
            address = heard.target if heard.kind is Kind.PROBE else heard.sender
            if address is not None:
                late = now - self._asked.get(address, now)
                tally.hear(address, heard.mac, late, sent_by=heard.source)
