"""The wire: questions, answers and announcements as frames."""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from netaddr import IPAddress, IPNetwork

from macvlan_ros.errors import Forbidden, ParentNotFound
from macvlan_ros.kernel import procnet
from macvlan_ros.kernel.namespaces import inside
from macvlan_ros.wire import bpf, frames
from macvlan_ros.wire.asking import FrameAsker
from macvlan_ros.wire.frames import ETH_ARP, ETH_IPV6
from macvlan_ros.wire.kernel_wire import KernelWire
from macvlan_ros.wire.packet_port import Port
from macvlan_ros.wire.prober import LARGEST_SCAN, Prober
from macvlan_ros.wire.probing import Exchange

__all__ = ["Wire", "open_wire"]

_IDLE_PORTS = 2
# RFC 5227 has two seconds between two announcements, for which no command could wait
_ANNOUNCE_INTERVAL = 0.02
_ECHO_REPLY, _PINGS = 129, 3


class Wire(Prober):
    """Probes, scans and announces with frames of its own. Takes CAP_NET_RAW.

    Usable from many threads: each call takes one of the ports that are kept open, or opens
    another, so that nobody waits for anybody else's probe.
    """

    def __init__(
        self, interface: str, *, subnets: Iterable[IPNetwork] = (), namespace: Path | None = None
    ) -> None:
        super().__init__(interface, subnets=subnets, namespace=namespace)
        self._idle: dict[int, list[Port]] = {ETH_ARP: [], ETH_IPV6: []}
        self._lock = Lock()
        self._closed = False
        self._put_back(ETH_ARP, Port(interface, ETH_ARP, namespace=namespace))

    def announce(self, address: IPAddress, mac: str, *, count: int = 2) -> None:
        """Tell everybody on the LAN that `mac` holds `address` now (RFC 5227, section 2.3).

        Sent on a parent it reaches the LAN, but not the parent's own macvlan links; sent in a
        container's namespace, on its own link, it reaches both. Raises BadSubnet,
        ParentNotFound, KernelRefused.
        """
        self._home(address, self.reachable())
        frame = frames.announcement(address, mac)
        with self._port(_protocol(address.version)) as port:
            for number in range(count):
                if number:
                    time.sleep(_ANNOUNCE_INTERVAL)
                port.send(frame)

    def _present(self, subnet: IPNetwork) -> Collection[IPAddress]:
        """Each machine answers with one address, which is of the subnet when we ask from there."""
        own = inside(self.namespace, procnet.host_addresses)
        sender = next(
            (
                one.address
                for one in own
                if one.interface == self.interface and one.address in subnet
            ),
            None,
        )
        if sender is None:
            return super()._present(subnet)
        number, found = random.getrandbits(16), set[IPAddress]()
        with self._port(ETH_IPV6) as port:
            port.filter(bpf.icmp6(_ECHO_REPLY))
            for _ in range(_PINGS):
                port.send(frames.ping_everybody(sender, port.mac, number))
                end = time.monotonic() + self.scan_window
                while (left := end - time.monotonic()) > 0 and len(found) < LARGEST_SCAN:
                    answers = (frames.ping_answered(one, number) for one in port.receive(left))
                    found.update(one for one in answers if one is not None and one in subnet)
        return found

    def close(self) -> None:
        with self._lock:
            self._closed = True
            ports = [port for idle in self._idle.values() for port in idle]
            self._idle = {protocol: [] for protocol in self._idle}
        for port in ports:
            port.close()

    @contextmanager
    def _asking(self, version: int, *, rivals: Collection[IPAddress] = ()) -> Iterator[Exchange]:
        with self._port(_protocol(version)) as port:
            if version == 6:
                for address in rivals:
                    port.join(address)
            yield FrameAsker(port, version)

    @contextmanager
    def _port(self, protocol: int) -> Iterator[Port]:
        """A port that nobody else uses meanwhile; it is kept only if all went well."""
        port = self._take(protocol)
        try:
            yield port
            port.forget()
        except BaseException:
            port.close()
            raise
        self._put_back(protocol, port)

    def _take(self, protocol: int) -> Port:
        with self._lock:
            port = self._idle[protocol].pop() if self._idle[protocol] else None
        if port is None:
            return Port(self.interface, protocol, namespace=self.namespace)
        try:
            port.forget()
            port.check()
        except ParentNotFound:  # it may be there again, under another number
            port.close()
            return Port(self.interface, protocol, namespace=self.namespace)
        except BaseException:
            port.close()
            raise
        return port

    def _put_back(self, protocol: int, port: Port) -> None:
        with self._lock:
            if not self._closed and len(self._idle[protocol]) < _IDLE_PORTS:
                self._idle[protocol].append(port)
                return
        port.close()


def _protocol(version: int) -> int:
    return ETH_ARP if version == 4 else ETH_IPV6


def open_wire(
    interface: str, *, subnets: Iterable[IPNetwork] = (), namespace: Path | None = None
) -> Prober:
    """The best way of asking that this user has: a Wire, or the kernel's."""
    try:
        return Wire(interface, subnets=subnets, namespace=namespace)
    except Forbidden:
        return KernelWire(interface, subnets=subnets, namespace=namespace)
