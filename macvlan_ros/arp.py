"""The wire: questions, answers and announcements as frames. The only packet sockets are here."""

from __future__ import annotations

import errno
import random
import select
import socket
import struct
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

from netaddr import IPAddress, IPNetwork

from macvlan_ros import bpf, frames, interfaces, procnet
from macvlan_ros.asking import FrameAsker
from macvlan_ros.closing import Closing
from macvlan_ros.errors import Forbidden, MacvlanRosError, ParentNotFound
from macvlan_ros.frames import ETH_ARP, ETH_IPV6
from macvlan_ros.kernel_wire import KernelWire
from macvlan_ros.namespaces import inside
from macvlan_ros.prober import LARGEST_SCAN, Prober
from macvlan_ros.probing import Exchange

__all__ = ["Port", "Wire", "open_wire"]

_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, _PACKET_STATISTICS = 263, 1, 6
_PACKET_MR_MULTICAST = 0
_SO_RCVBUFFORCE = 33
_RECEIVE_BYTES = 1 << 20
_LARGEST_FRAME = 2048
_BATCH = 64
_SEND_PATIENCE = 1.0
_IDLE_PORTS = 2
# RFC 5227 has two seconds between two announcements, for which no command could wait
_ANNOUNCE_INTERVAL = 0.02
_ECHO_REPLY, _PINGS = 129, 3


class Port(Closing):
    """A packet socket on one interface, which receives what its filter keeps: at first nothing.

    Usable from one thread at a time. Raises Forbidden without CAP_NET_RAW, ParentNotFound for no
    such interface, BadParent for one that is not Ethernet, KernelRefused for one that is down.
    """

    def __init__(self, interface: str, protocol: int, *, namespace: Path | None = None) -> None:
        self.interface = interface
        self.mac = ""
        self._namespace = namespace
        self._groups: socket.socket | None = None
        self._socket = inside(namespace, lambda: _packet_socket(interface))
        try:
            self._socket.setblocking(False)
            _enlarge(self._socket)
            self.filter(bpf.NOTHING)
            self._index = interfaces.index(self._socket, interface)
            self._socket.bind((interface, protocol))
            self.check()
        except OSError as error:
            self.close()
            raise interfaces.refusal("listen on", interface, error) from error
        except MacvlanRosError:
            self.close()
            raise
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)

    def fileno(self) -> int:
        """For select and poll."""
        return self._socket.fileno()

    def check(self) -> None:
        """Raise unless the interface is the one that was opened, is up and has a carrier.

        Reads its MAC anew. Raises ParentNotFound, KernelRefused.
        """
        if interfaces.index(self._socket, self.interface) != self._index:
            raise ParentNotFound(f"{self.interface} was replaced by another interface; try again")
        self.mac = interfaces.mac(self._socket, self.interface)
        interfaces.require_carrier(self._socket, self.interface)

    def filter(self, program: Sequence[bpf.Instruction]) -> None:
        """From now on receive only what `program` keeps."""
        bpf.attach(self._socket, program)

    def send(self, frame: bytes) -> None:
        """Put a frame on the wire; waits up to a second for room. Raises KernelRefused."""
        end = time.monotonic() + _SEND_PATIENCE
        while True:
            try:
                self._socket.send(frame)
                return
            except OSError as error:
                full = error.errno in (errno.ENOBUFS, errno.EAGAIN)
                if not full or time.monotonic() >= end:
                    raise self._refused("send on", error) from error
            # the queue that is full is the interface's own, which poll does not know of
            time.sleep(0.001)

    def receive(self, seconds: float) -> list[bytes]:
        """The frames that are there, at most 64; waits up to `seconds` for the first.

        Raises ParentNotFound or KernelRefused when the interface goes.
        """
        if seconds > 0:
            self._poll.poll(max(1, round(seconds * 1000)))
        found: list[bytes] = []
        try:
            while len(found) < _BATCH:
                found.append(self._socket.recv(_LARGEST_FRAME))
        except BlockingIOError:
            pass
        except OSError as error:
            raise self._refused("listen on", error) from error
        return found

    def forget(self) -> None:
        """Hear nothing more, and drop what was heard, an error of the interface's too."""
        self.filter(bpf.NOTHING)
        for _ in range(_RECEIVE_BYTES):
            try:
                self._socket.recv(1)
            except BlockingIOError:
                break
            except OSError:  # told once: the interface went down since
                continue
        self.lost()

    def lost(self) -> int:
        """How many frames found no room since the last call (packet(7), PACKET_STATISTICS)."""
        raw = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        return int(struct.unpack("II", raw)[1])

    def join(self, address: IPAddress) -> None:
        """Hear neighbour solicitations for an IPv6 address: they go to a group of its own."""
        group = frames.solicited_node(address).packed
        member = struct.pack(
            "iHH8s", self._index, _PACKET_MR_MULTICAST, 6, b"\x33\x33" + group[-4:]
        )
        with suppress(OSError):
            self._socket.setsockopt(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, member)
        # Switches that look into multicast must be told, too, and only an IPv6 socket tells them.
        # Without IPv6, or with too many groups, we still hear what is flooded.
        with suppress(OSError):
            if self._groups is None:
                self._groups = inside(
                    self._namespace, lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
                )
            membership = group + struct.pack("@I", self._index)
            self._groups.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)

    def close(self) -> None:
        """Give the sockets back. Closing twice is fine."""
        self._socket.close()
        if self._groups is not None:
            self._groups.close()

    def _refused(self, doing: str, error: OSError) -> MacvlanRosError:
        """What became of the interface, told by whether it is still there."""
        with suppress(ParentNotFound):
            if interfaces.index(self._socket, self.interface) == self._index:
                return interfaces.refusal(doing, self.interface, error)
        return ParentNotFound(
            f"{self.interface} vanished while it was in use; bring it back, then try again"
        )


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


def _packet_socket(interface: str) -> socket.socket:
    try:
        # Opened for protocol 0, which hears nothing: with another, the kernel would hook it to
        # every interface, and bind would wait 8 ms for that to be undone.
        return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    except PermissionError as error:
        raise interfaces.refusal("send frames on", interface, error) from error


def _enlarge(sock: socket.socket) -> None:
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BYTES)
    except PermissionError:  # it takes CAP_NET_ADMIN; else the system's limit holds
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)


def open_wire(
    interface: str, *, subnets: Iterable[IPNetwork] = (), namespace: Path | None = None
) -> Prober:
    """The best way of asking that this user has: a Wire, or the kernel's."""
    try:
        return Wire(interface, subnets=subnets, namespace=namespace)
    except Forbidden:
        return KernelWire(interface, subnets=subnets, namespace=namespace)
