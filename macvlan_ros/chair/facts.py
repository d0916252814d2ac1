"""Facts: what is known here of another host's interfaces, and where from.

Its service has written it into the store, or a container of our image there says it. Where there
is neither, what the file says has to do: the interface's name and the host's address.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable

from netaddr import AddrFormatError, IPAddress, IPNetwork

from macvlan_ros.chair.errands import Errands
from macvlan_ros.chair.seats import Seat
from macvlan_ros.errors import MacvlanRosError, Unavailable
from macvlan_ros.kernel import parents
from macvlan_ros.models.links import Link
from macvlan_ros.values import dataclass

#: An interface's name, as against a MAC or a subnet.
_NAME = re.compile(r"[^/:\s]{1,15}\Z")


@dataclass(frozen=True, slots=True)
class Lan:
    """The LAN that all hosts stand on, as another host has it."""

    subnet: IPNetwork
    gateway: IPAddress | None


class Facts:
    """The interfaces of one other host. `known` gives what its service wrote into the store, ()
    if nothing; `lan` the LAN, None if nobody knows; `ipv6` says that its IPv6 has to be known, too;
    `note` hears what had to be assumed."""

    def __init__(
        self,
        seat: Seat,
        *,
        errands: Errands,
        known: Callable[[str], tuple[Link, ...]],
        lan: Callable[[], Lan | None],
        note: Callable[[str], None],
        ipv6: bool = False,
    ) -> None:
        self._seat = seat
        self._errands = errands
        self._known = known
        self._lan = lan
        self._note = note
        self._ipv6 = ipv6

    def parent(self, wanted: str = "") -> Link:
        """The parent by name, MAC or subnet, "" is the one that the host itself would take.

        Raises what `parents.find_parent` raises, and Unavailable when too little is known.
        """
        links, why = self.links()
        if not links:
            return self._assume(wanted, why)
        return parents.pick(links, wanted)

    def links(self) -> tuple[tuple[Link, ...], str]:
        """The host's interfaces, else why they are not known."""
        known = self._known(self._seat.name)
        if known:
            return known, ""
        image = self._errands.image
        why = f"no macvlan-ros service there has said, and its engine has no image {image}"
        try:
            if self._errands.can_run(self._seat):
                return self._errands.links(self._seat), ""
        except Unavailable as error:
            why = str(error)
        return (), why

    def _assume(self, wanted: str, why: str) -> Link:
        name = self._seat.name
        key = f"x-macvlan-ros.hosts.{name}"
        if not _NAME.match(wanted):
            raise Unavailable(
                f"nobody knows the interfaces of '{name}' ({why}); write the name of its interface"
                f" at {key}.parent"
            )
        if self._ipv6:
            raise Unavailable(
                f"nobody knows its IPv6 addresses ({why}); on that PC run: macvlan-ros plugin"
                f" install; or give its engine the image {self._errands.image}"
            )
        lan = self._lan()
        own = _address(self._seat)
        if lan is None or own is None or own not in lan.subnet:
            raise Unavailable(
                f"nobody knows the address of '{name}' on the LAN ({why}); write it at"
                f" {key}.address, and the LAN at x-macvlan-ros.subnet"
            )
        self._note(f"{name}: that its interface {wanted} is on the LAN is taken for granted: {why}")
        on_lan = IPNetwork(f"{own}/{lan.subnet.prefixlen}")
        return Link(wanted, addresses=(on_lan,), gateway=lan.gateway)


def _address(seat: Seat) -> IPAddress | None:
    """The host's address as the file says it, or as its engine's URL does."""
    if seat.entry.address is not None:
        return seat.entry.address
    host = seat.engine.endpoint.host if seat.engine.endpoint.scheme != "unix" else ""
    try:
        return IPAddress(host) if host else None
    except (AddrFormatError, ValueError):
        pass
    try:
        return IPAddress(socket.gethostbyname(host))
    except (OSError, UnicodeError):
        return None


def lan_of(link: Link) -> Lan | None:
    """The IPv4 LAN that an interface is on."""
    own = next((each for each in link.addresses if each.version == 4), None)
    return Lan(own.cidr, link.gateway) if own is not None else None


def first_lan(*sources: Callable[[], Lan | None]) -> Lan | None:
    """What the first of them knows that knows anything."""
    for source in sources:
        try:
            found = source()
        except MacvlanRosError:
            continue
        if found is not None:
            return found
    return None
