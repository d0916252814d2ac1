"""DHCPv6: which servers the LAN has, and what they would lease. Takes no lease.

A SOLICIT (RFC 8415) that is never followed by a REQUEST, and that does not ask for a rapid commit:
what a server advertises it has given to nobody.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from netaddr import IPAddress

from macvlan_ros.kernel import procnet
from macvlan_ros.kernel.namespaces import inside
from macvlan_ros.wire import bpf, dhcp, frames
from macvlan_ros.wire.dhcp import Offer
from macvlan_ros.wire.packet_port import Port

#: A server answers a SOLICIT at once; a client waits one second for a better one (SOL_TIMEOUT).
PATIENCE = 2.0

CLIENT_PORT, SERVER_PORT = 546, 547
_SOLICIT, _ADVERTISE = 1, 2
_CLIENT_ID, _ADDRESSES, _ADDRESS, _ELAPSED = 1, 3, 5, 8
_DUID_LL, _ETHERNET = 3, 1
_SERVERS = IPAddress("ff02::1:2")
_FRONT = 14 + 40 + 8
# Before an IA_NA's own options stand its number and two times, before an address's two times.
_IA_NA, _IA_ADDRESS = 12, 24


def find_servers(
    interface: str, *, seconds: float = PATIENCE, namespace: Path | None = None
) -> tuple[Offer, ...]:
    """What each DHCPv6 server on the interface's LAN advertises to a client that it does not know:
    one offer for each address.

    Always takes `seconds`, but none on an interface without IPv6. Takes CAP_NET_RAW. Raises
    Forbidden, ParentNotFound, BadParent, KernelRefused.
    """
    own = link_local(interface, namespace)
    with Port(interface, frames.ETH_IPV6, namespace=namespace) as port:
        if own is None:
            return ()
        port.filter(bpf.udp6_to(CLIENT_PORT))
        transaction, client = random.getrandbits(24), dhcp.client_mac(port.mac)
        return dhcp.gather(
            port,
            solicit(transaction, client, source=port.mac, sender=own),
            partial(parse_advertise, transaction=transaction, mac=client),
            seconds=seconds,
        )


def link_local(interface: str, namespace: Path | None = None) -> IPAddress | None:
    """The interface's own IPv6 address for its LAN alone, which servers answer to; or None."""
    own = inside(namespace, procnet.host_addresses)
    found = (one.address for one in own if one.interface == interface and one.address.version == 6)
    return next((address for address in found if address.is_link_local()), None)


def solicit(transaction: int, mac: str, *, source: str, sender: IPAddress) -> bytes:
    """A SOLICIT for one address as a whole frame. `mac` is the client's, by which it calls itself;
    `source` and `sender` are those of the interface which sends it."""
    body = struct.pack("!I", _SOLICIT << 24 | transaction)
    body += _option(_CLIENT_ID, _duid(mac)) + _option(_ELAPSED, bytes(2))
    body += _option(_ADDRESSES, struct.pack("!III", transaction, 0, 0))
    return frames.udp6(
        body,
        source=(source, sender, CLIENT_PORT),
        target=("33:33:00:01:00:02", _SERVERS, SERVER_PORT),
    )


def parse_advertise(frame: bytes, *, transaction: int, mac: str) -> tuple[Offer, ...]:
    """The addresses in a frame, if it is an ADVERTISE for this client and transaction.

    Never raises, whatever the bytes.
    """
    if len(frame) < _FRONT + 4:
        return ()
    body = frame[_FRONT:]
    options = list(_options(body[4:]))
    said = struct.unpack_from("!I", body)[0]
    if said != _ADVERTISE << 24 | transaction or (_CLIENT_ID, _duid(mac)) not in options:
        return ()
    server = IPAddress(int.from_bytes(frame[22:38], "big"), 6)
    return tuple(
        Offer(
            server,
            IPAddress(int.from_bytes(value[:16], "big"), 6),
            frames.mac_text(frame[6:12]),
            lease_s=int.from_bytes(value[20:24], "big"),
        )
        for number, association in options
        if number == _ADDRESSES
        for kind, value in _options(association[_IA_NA:])
        if kind == _ADDRESS and len(value) >= _IA_ADDRESS
    )


def _duid(mac: str) -> bytes:
    return struct.pack("!HH", _DUID_LL, _ETHERNET) + frames.mac_bytes(mac)


def _option(number: int, value: bytes) -> bytes:
    return struct.pack("!HH", number, len(value)) + value


def _options(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Options with their values; what stands after a broken one is lost."""
    place = 0
    while place + 4 <= len(data):
        number, length = struct.unpack_from("!HH", data, place)
        place += 4
        if place + length > len(data):
            return
        yield number, data[place : place + length]
        place += length
