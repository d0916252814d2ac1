"""DHCP: which servers the LAN has, and what they offer. Takes no lease.

A DISCOVER (RFC 2131) that is never followed by a REQUEST: a server that offered an address takes
it back by itself.
"""

from __future__ import annotations

import random
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from netaddr import IPAddress

from macvlan_ros import bpf, frames
from macvlan_ros.arp import Port

#: dnsmasq pings an address for three seconds before it offers it.
PATIENCE = 4.0
_ASK_EVERY = 1.0
_SERVER_PORT, _CLIENT_PORT = 67, 68
_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_UDP = struct.Struct("!HHHH")
_BOOTP = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s4s")
_COOKIE = b"\x63\x82\x53\x63"
_HEADERS = 14 + _IPV4.size + _UDP.size
_BROADCAST_FLAG = 0x8000
_DISCOVER, _OFFER = 1, 2
_MASK, _ROUTER, _LEASE, _OVERLOAD, _TYPE, _SERVER, _WANTED = 1, 3, 51, 52, 53, 54, 55
_MOST_OFFERS = 64


@dataclass(frozen=True, slots=True)
class Offer:
    """What one server offers. `mac` is the one that the offer came from, a relay's perhaps.

    `lease_s` is seconds; what the server left out is None.
    """

    server: IPAddress
    address: IPAddress
    mac: str
    netmask: IPAddress | None = None
    router: IPAddress | None = None
    lease_s: int | None = None


def find_servers(
    interface: str, *, seconds: float = PATIENCE, namespace: Path | None = None
) -> tuple[Offer, ...]:
    """What each DHCP server on the interface's LAN offers to a client that it does not know.

    Always takes `seconds`: a second server is worth waiting for. Takes CAP_NET_RAW. Raises
    Forbidden, ParentNotFound, BadParent, KernelRefused.
    """
    found: dict[IPAddress, Offer] = {}
    port = Port(interface, frames.ETH_IPV4, namespace=namespace)
    try:
        port.filter(bpf.udp_to(_CLIENT_PORT))
        transaction, client = random.getrandbits(32), client_mac(port.mac)
        end = time.monotonic() + seconds
        ask_at = 0.0
        while (now := time.monotonic()) < end:
            if now >= ask_at:
                port.send(discover(transaction, client, source=port.mac))
                ask_at = now + _ASK_EVERY
            for frame in port.receive(min(end, ask_at) - now):
                offer = parse_offer(frame, transaction, client)
                if offer is not None and len(found) < _MOST_OFFERS:
                    found.setdefault(offer.server, offer)
    finally:
        port.close()
    return tuple(found.values())


def client_mac(mac: str) -> str:
    """The MAC of a client that no server knows, the same each time for an interface.

    With the interface's own the server would offer the host's own lease again, and with one at
    random each question would leave one more client in its table.
    """
    raw = frames.mac_bytes(mac)
    return frames.mac_text(bytes([(raw[0] ^ 0x04) | 0x02]) + raw[1:])


def discover(transaction: int, mac: str, *, source: str = "") -> bytes:
    """A DISCOVER as a whole frame. The answer is asked for by broadcast: nobody has `mac`."""
    options = bytes([_TYPE, 1, _DISCOVER, _WANTED, 3, _MASK, _ROUTER, _LEASE, 255])
    hardware = frames.mac_bytes(mac).ljust(16, b"\x00")
    zero = bytes(4)
    body = _BOOTP.pack(
        *(1, 1, 6, 0, transaction, 0, _BROADCAST_FLAG, zero, zero, zero, zero, hardware),
        *(b"", b"", _COOKIE),
    )
    body = (body + options).ljust(300, b"\x00")  # the smallest that old relays pass on
    length = _UDP.size + len(body)
    addresses = zero + b"\xff" * 4
    ports = _UDP.pack(_CLIENT_PORT, _SERVER_PORT, length, 0)
    checksum = frames.internet_checksum(addresses + struct.pack("!HH", 17, length) + ports + body)
    ports = _UDP.pack(_CLIENT_PORT, _SERVER_PORT, length, checksum or 0xFFFF)
    header = _IPV4.pack(0x45, 0, 20 + length, 0, 0, 64, 17, 0, addresses[:4], addresses[4:])
    checksum = frames.internet_checksum(header)
    header = header[:10] + struct.pack("!H", checksum) + header[12:]
    ethernet = b"\xff" * 6 + frames.mac_bytes(source or mac) + struct.pack("!H", frames.ETH_IPV4)
    return ethernet + header + ports + body


def parse_offer(frame: bytes, transaction: int, mac: str) -> Offer | None:
    """The offer in a frame, if it is one for this client and transaction; None for the rest.

    Never raises, whatever the bytes. Check sums are not looked at: between containers of one host
    the kernel leaves them out.
    """
    if len(frame) < _HEADERS + _BOOTP.size:
        return None
    body = frame[_HEADERS:]
    fields = _BOOTP.unpack_from(body)
    operation, kind, length, _, number = fields[:5]
    offered, hardware, server_name, file, cookie = (fields[index] for index in (8, 11, 12, 13, 14))
    ours = (number, hardware[:6]) == (transaction, frames.mac_bytes(mac))
    if (operation, kind, length, cookie) != (2, 1, 6, _COOKIE) or not ours:
        return None
    options = _options(body[_BOOTP.size :])
    overload = options.get(_OVERLOAD, b"\x00")[:1]
    for bit, field in ((1, file), (2, server_name)):
        if overload and overload[0] & bit:
            options = {**_options(field), **options}
    if options.get(_TYPE) != bytes([_OFFER]) or not any(offered):
        return None
    server = _address(options.get(_SERVER, b"")) or _address(frame[26:30])
    if server is None:
        return None
    lease = options.get(_LEASE, b"")
    return Offer(
        server,
        IPAddress(int.from_bytes(offered, "big"), 4),
        frames.mac_text(frame[6:12]),
        netmask=_address(options.get(_MASK, b"")),
        router=_address(options.get(_ROUTER, b"")),
        lease_s=int.from_bytes(lease, "big") if len(lease) == 4 else None,
    )


def _options(data: bytes) -> dict[int, bytes]:
    """Options by number, the first of each; what stands after a broken one is lost."""
    found: dict[int, bytes] = {}
    place = 0
    while place < len(data) and data[place] != 255:
        if data[place] == 0:
            place += 1
            continue
        if place + 2 > len(data) or place + 2 + data[place + 1] > len(data):
            break
        end = place + 2 + data[place + 1]
        found.setdefault(data[place], data[place + 2 : end])
        place = end
    return found


def _address(raw: bytes) -> IPAddress | None:
    """The first address of an option (a list of routers has several)."""
    return IPAddress(int.from_bytes(raw[:4], "big"), 4) if len(raw) >= 4 and any(raw[:4]) else None
