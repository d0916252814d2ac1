"""Places: whom the checks are about, and from where they can be made."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from netaddr import IPAddress

from macvlan_ros.errors import BadParent, NotFound, ParentNotFound
from macvlan_ros.kernel import interfaces
from macvlan_ros.kernel.worker import Worker
from macvlan_ros.values import dataclass

#: Seconds in which a namespace must have been entered.
_TIMEOUT = 5.0
#: The MTU of Ethernet, for what tells none.
_USUAL_MTU = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A service, or a PC, with its address on the LAN; `address6` is the IPv6 one beside it.

    `names` are those by which the others call it, `others` its addresses on
    other networks. `host` is the PC it belongs to. `pid` is its
    container's first process where that runs on this PC, else 0; `mac` is its link's there. `ros`
    is "1", "2", "none" or "", `variables` those that the file gives it. `interface` is this PC's
    own on the LAN, for the PC alone. `wrong` is why its container cannot be looked from although it
    is there, and `mend` what to do about it.
    """

    name: str
    address: IPAddress | None
    address6: IPAddress | None = None
    names: tuple[str, ...] = ()
    others: tuple[IPAddress, ...] = ()
    host: str = ""
    pid: int = 0
    mac: str = ""
    ros: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    interface: str = ""
    wrong: str = ""
    mend: str = ""

    @property
    def inside(self) -> bool:
        """Whether its container runs on this PC as it should, so that it can be looked from."""
        return bool(self.pid) and not self.wrong

    def at(self, version: int) -> IPAddress | None:
        """Its address of that version of IP, 4 or 6."""
        return self.address6 if version == 6 else self.address


class _Room:
    """The inside of a namespace: its interface on the LAN, that one's MTU and its number."""

    def __init__(self, place: Place) -> None:
        self.interface, self.mtu, self.index = "", _USUAL_MTU, 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for _, name in socket.if_nameindex():
                if _is_its(place, sock, name):
                    self.interface, self.mtu = name, interfaces.mtu(sock, name)
                    self.index = interfaces.index(sock, name)
        if place.pid and not self.interface:
            # the process has ended, and another one may have its number by now
            raise NotFound(f"{place.name} has no link with the MAC {place.mac}; has it ended?")

    def close(self) -> None:
        """Nothing is held open."""


class Vantage:
    """A place that can be looked from: its sockets are in its network namespace.

    Usable once made; `close` gives its thread back. Raises NotFound when the container has ended,
    Forbidden without the right to enter its namespace, KernelRefused, Unavailable.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.name = place.name
        self.address = place.address
        self._worker = Worker(
            lambda: _Room(place),
            namespace=Path(f"/proc/{place.pid}/ns/net") if place.pid else None,
            timeout=_TIMEOUT,
            what=f"the network of {place.name}",
        )
        try:
            room = self._worker.run(lambda room: room)
        except BaseException:
            self._worker.close()
            raise
        self.interface, self.mtu, self.index = room.interface, room.mtu, room.index

    def __repr__(self) -> str:
        return f"Vantage({self.name!r})"

    @property
    def is_host(self) -> bool:
        """Whether it is this PC itself."""
        return not self.place.pid

    def socket(self, kind: int, protocol: int = 0, *, version: int = 4) -> socket.socket:
        """A socket of that place, for IPv4 or IPv6, with a timeout of 0."""
        family = socket.AF_INET if version == 4 else socket.AF_INET6

        def make(_room: _Room) -> socket.socket:
            made = socket.socket(family, kind, protocol)
            made.setblocking(False)
            return made

        return self._worker.run(make)

    def close(self) -> None:
        """Closing twice is fine."""
        self._worker.close()


def _is_its(place: Place, sock: socket.socket, name: str) -> bool:
    if place.interface:
        return name == place.interface
    try:
        return bool(place.mac) and interfaces.mac(sock, name) == place.mac
    except (BadParent, ParentNotFound):  # the loopback, or one that has just gone
        return False
