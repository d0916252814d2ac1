"""Packet sockets: frames of one interface, in and out. The only ones are here."""

from __future__ import annotations

import errno
import select
import socket
import struct
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from netaddr import IPAddress

from macvlan_ros.closing import Closing
from macvlan_ros.errors import MacvlanRosError, ParentNotFound
from macvlan_ros.kernel import interfaces
from macvlan_ros.kernel.namespaces import inside
from macvlan_ros.wire import bpf, frames

__all__ = ["Port"]

_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, _PACKET_STATISTICS = 263, 1, 6
_PACKET_MR_MULTICAST = 0
_SO_RCVBUFFORCE = 33
_RECEIVE_BYTES = 1 << 20
_LARGEST_FRAME = 2048
_BATCH = 64
_SEND_PATIENCE = 1.0


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
