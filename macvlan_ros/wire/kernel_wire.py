"""The kernel's wire: who holds an address, without the right to send frames of one's own.

A datagram to an address makes the kernel ask for it; the answer shows in its neighbour table.
"""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import TypeAlias

from netaddr import IPAddress

from macvlan_ros.errors import Forbidden
from macvlan_ros.kernel import interfaces, procnet
from macvlan_ros.kernel.namespaces import inside
from macvlan_ros.links import Links
from macvlan_ros.wire.prober import Prober
from macvlan_ros.wire.probing import Exchange, Pace, Tally, Timing

# The kernel asks at once, and again after one and two seconds (net.ipv4.neigh.*.mcast_solicit,
# retrans_time_ms), whatever the caller wants. It hears nobody else's probes.
_WINDOWS = Timing(wait=(0, 0), gaps=((0.8, 0.8),) * 2, settle=0.8, rivals=False)
_DISCARD_PORT = 9
_LOOK_EVERY = 0.02
# The kernel keeps 1024 neighbours, and refuses more unanswered questions than that.
_AT_ONCE = 256
# Errors that tell of an earlier question: nobody is there, or wants no datagrams.
_ABOUT_OTHERS = (errno.EHOSTUNREACH, errno.ECONNREFUSED, errno.EAGAIN, errno.ENOBUFS)

#: Who is in the neighbour table now: address to MAC.
Look: TypeAlias = Callable[[], Mapping[IPAddress, str]]


class KernelWire(Prober):
    """Probes and scans by way of the kernel; cannot announce. Needs no rights.

    Slower than a `Wire`: 2.4 s for a free address. An entry that the neighbour table had already
    counts as an answer, though its holder may have left a minute ago.
    """

    timings = {"fast": _WINDOWS, "rfc5227": _WINDOWS}  # noqa: RUF012
    scan_window = 0.8

    def announce(self, address: IPAddress, mac: str, *, count: int = 2) -> None:
        """Raises Forbidden: nobody announces without frames of his own."""
        del count
        raise Forbidden(
            f"may not announce that {mac} holds {address} on {self.interface}; that takes "
            "CAP_NET_RAW: run as root"
        )

    def close(self) -> None:
        """Nothing is held open."""

    @contextmanager
    def _asking(self, version: int, *, rivals: Collection[IPAddress] = ()) -> Iterator[Exchange]:
        del rivals
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        with ExitStack() as stack:
            sock = inside(self.namespace, lambda: socket.socket(family, socket.SOCK_DGRAM))
            stack.enter_context(sock)
            interfaces.index(sock, self.interface)
            interfaces.require_carrier(sock, self.interface)
            sock.setblocking(False)
            with suppress(PermissionError):  # older kernels let root only; routes must do, then
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self.interface.encode())
            look = self._look_ipv4 if version == 4 else self._look_ipv6(stack)
            yield _Asker(self.interface, sock, look)

    def _look_ipv4(self) -> Mapping[IPAddress, str]:
        table = inside(self.namespace, procnet.neighbours)
        return {one.address: one.mac for one in table if one.interface == self.interface}

    def _look_ipv6(self, stack: ExitStack) -> Look:
        """/proc has no table of IPv6 neighbours, so netlink is asked."""
        links = stack.enter_context(Links(namespace=self.namespace))
        return lambda: links.neighbours(self.interface)


class _Asker:
    """Asks through the kernel; an `Exchange`."""

    def __init__(self, interface: str, sock: socket.socket, look: Look) -> None:
        self._interface = interface
        self._socket = sock
        self._neighbours = look

    def __call__(
        self,
        addresses: Sequence[IPAddress],
        seconds: float,
        tally: Tally,
        *,
        rivals: bool = False,
        pace: Pace | None = None,
    ) -> int:
        del rivals
        for first in range(0, len(addresses), _AT_ONCE):
            some = addresses[first : first + _AT_ONCE]
            start = time.monotonic()
            for address in some:
                self._send(address)
            if pace:
                pace.asked(len(some))
            self._look(
                some, start, max(seconds, len(some) / pace.rate if pace and pace.rate else 0), tally
            )
        return 0

    def _send(self, address: IPAddress) -> None:
        try:
            self._socket.sendto(b"", (str(address), _DISCARD_PORT))
        except OSError as error:
            if error.errno in _ABOUT_OTHERS:
                return
            raise interfaces.refusal("send on", self._interface, error) from error

    def _look(
        self, addresses: Sequence[IPAddress], start: float, seconds: float, tally: Tally
    ) -> None:
        wanted = set(addresses)
        while wanted and not tally.finished:
            now = time.monotonic()
            for address, mac in self._neighbours().items():
                if address in wanted:
                    wanted.discard(address)
                    tally.hear(address, mac, now - start)
            left = start + seconds - now
            if left <= 0:
                break
            time.sleep(min(_LOOK_EVERY, left))
        interfaces.require_carrier(self._socket, self._interface)
