"""Frames: what ARP and IPv6 neighbour discovery look like on the wire, built and read.

Pure: bytes in, values out. IPv4 follows RFC 826 and RFC 5227, IPv6 follows RFC 4861 and RFC 4862.
Both families are read into one `Heard`, so that whoever listens needs no second set of rules.
"""

from __future__ import annotations

import enum
import struct

from netaddr import IPAddress

from macvlan_ros.values import dataclass

ETH_ARP = 0x0806
ETH_IPV4 = 0x0800
ETH_IPV6 = 0x86DD
BROADCAST = b"\xff" * 6
NOBODY = b"\x00" * 6

_REQUEST, _REPLY = 1, 2
_ETHERNET = struct.Struct("!6s6sH")
_ARP = struct.Struct("!HHBBH6sI6sI")
_IPV6 = struct.Struct("!IHBB16s16s")
_ND = struct.Struct("!BBHI16s")
_ICMPV6, _SOLICITATION, _ADVERTISEMENT, _UDP = 58, 135, 136, 17
_ECHO, _ECHO_REPLY = 128, 129
_SOURCE_LINK, _TARGET_LINK = 1, 2
_SOLICITED, _OVERRIDE = 0x40000000, 0x20000000
_ALL_NODES = bytes.fromhex("ff020000000000000000000000000001")
_SOLICITED_NODE = bytes.fromhex("ff0200000000000000000001ff")
_UNSPECIFIED = bytes(16)
# Ethernet's smallest frame without its check sum; a short one would go out padded with whatever
# lies in the driver's memory.
_SMALLEST = 60


class Kind(enum.Enum):
    """What a frame says about an address."""

    PROBE = "probe"  # "does anybody hold it? I may take it": sender 0.0.0.0, or ::
    REQUEST = "request"  # "who holds it?", from somebody who has an address
    REPLY = "reply"  # "I hold it", to the one who asked
    ANNOUNCEMENT = "announcement"  # "I hold it now", to everybody


@dataclass(frozen=True, slots=True)
class Heard:
    """One ARP or neighbour discovery frame.

    `sender` is the address that the sender claims as its own, None for a probe. `target` is the
    address that the frame is about. `mac` is the sender's as the frame's body says it, `source`
    the one in the Ethernet header; the two differ when somebody answers for another.
    """

    kind: Kind
    sender: IPAddress | None
    target: IPAddress
    mac: str
    source: str


def mac_text(mac: bytes) -> str:
    """Six bytes as `02:00:5e:00:53:01`."""
    return mac.hex(":")


def mac_bytes(mac: str) -> bytes:
    """`02:00:5e:00:53:01` as six bytes. Raises ValueError for anything else."""
    packed = bytes.fromhex(mac.replace(":", ""))
    if len(packed) != 6 or mac.count(":") != 5:
        raise ValueError(f"{mac!r} is not a MAC address")
    return packed


def probe(address: IPAddress, mac: str) -> bytes:
    """ "Does anybody hold this address?", from a sender that has none yet.

    An ARP probe (RFC 5227, section 2.1.1), or a neighbour solicitation as duplicate address
    detection sends it (RFC 4862, section 5.4.2). `mac` is the sending interface's.
    """
    if address.version == 6:
        return _solicitation(address, mac_bytes(mac))
    return _arp(_REQUEST, (mac_bytes(mac), 0), (NOBODY, int(address)), BROADCAST)


def request(address: IPAddress, *, sender: IPAddress, mac: str) -> bytes:
    """ "Who holds this address?", asked by `sender` with `mac` (RFC 826). IPv4 only."""
    return _arp(_REQUEST, (mac_bytes(mac), int(sender)), (NOBODY, int(address)), BROADCAST)


def announcement(address: IPAddress, mac: str, *, source: str = "") -> bytes:
    """ "I hold this address now", to everybody.

    An ARP announcement (RFC 5227, section 2.3), or an unsolicited neighbour advertisement that
    overrides what caches hold (RFC 4861, section 7.2.6). `source` is the Ethernet sender when it
    is not `mac`.
    """
    own = mac_bytes(mac)
    outer = mac_bytes(source or mac)
    if address.version == 6:
        return _advertisement(address, own, _OVERRIDE, source=outer)
    return _arp(_REQUEST, (own, int(address)), (NOBODY, int(address)), BROADCAST, source=outer)


def answer(heard: Heard, mac: str, *, source: str = "", address: IPAddress | None = None) -> bytes:
    """ "`mac` holds it", to the one who sent `heard`.

    `address` is the one that is answered for: by default the frame's target. To an ARP sender
    the answer goes to it alone; a neighbour advertisement goes to everybody, for the sender of a
    solicitation from :: has no address to answer to (RFC 4861, section 7.2.4).
    """
    own, outer = mac_bytes(mac), mac_bytes(source or mac)
    held = heard.target if address is None else address
    if held.version == 6:
        return _advertisement(held, own, _OVERRIDE, source=outer)
    asker = mac_bytes(heard.mac)
    there = (asker, int(heard.sender) if heard.sender is not None else 0)
    return _arp(_REPLY, (own, int(held)), there, asker, source=outer)


def solicited_node(address: IPAddress) -> IPAddress:
    """The multicast group in which `address` is asked for (RFC 4291, section 2.7.1)."""
    return IPAddress(int.from_bytes(_SOLICITED_NODE + address.packed[-3:], "big"), 6)


def parse(frame: bytes) -> Heard | None:
    """What a frame says, or None when it is no valid ARP or neighbour discovery frame.

    Never raises, whatever the bytes: they come from strangers.
    """
    if len(frame) < _ETHERNET.size:
        return None
    _, source, ethertype = _ETHERNET.unpack_from(frame)
    if ethertype == ETH_ARP:
        return _parse_arp(frame, source)
    if ethertype == ETH_IPV6:
        return _parse_nd(frame, source)
    return None


def internet_checksum(data: bytes) -> int:
    """The ones' complement sum of 16-bit words (RFC 1071); 0 over data that carries its own."""
    if len(data) % 2:
        data += b"\x00"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _arp(
    operation: int,
    sender: tuple[bytes, int],
    target: tuple[bytes, int],
    destination: bytes,
    *,
    source: bytes = b"",
) -> bytes:
    header = _ETHERNET.pack(destination, source or sender[0], ETH_ARP)
    body = _ARP.pack(1, ETH_IPV4, 6, 4, operation, *sender, *target)
    return (header + body).ljust(_SMALLEST, b"\x00")


def _parse_arp(frame: bytes, source: bytes) -> Heard | None:
    if len(frame) < _ETHERNET.size + _ARP.size:
        return None
    hardware, protocol, mac_length, ip_length, operation, mac, sender, _, target = _ARP.unpack_from(
        frame, _ETHERNET.size
    )
    if (hardware, protocol, mac_length, ip_length) != (1, ETH_IPV4, 6, 4):
        return None
    kind = _arp_kind(operation, sender, target)
    if kind is None:
        return None
    claimed = IPAddress(sender, 4) if sender else None
    return Heard(kind, claimed, IPAddress(target, 4), mac_text(mac), mac_text(source))


def _arp_kind(operation: int, sender: int, target: int) -> Kind | None:
    if operation not in (_REQUEST, _REPLY):
        return None
    if sender and sender == target:
        return Kind.ANNOUNCEMENT
    if operation == _REQUEST:
        return Kind.REQUEST if sender else Kind.PROBE
    return Kind.REPLY if sender else None


def _solicitation(address: IPAddress, mac: bytes) -> bytes:
    group = _SOLICITED_NODE + address.packed[-3:]
    body = _ND.pack(_SOLICITATION, 0, 0, 0, address.packed)
    # No source link-layer option: a solicitation from :: must not carry one (RFC 4861, 4.3).
    return _ipv6(mac, b"\x33\x33" + group[-4:], _UNSPECIFIED, group, body)


def _advertisement(address: IPAddress, mac: bytes, flags: int, *, source: bytes) -> bytes:
    option = struct.pack("!BB6s", _TARGET_LINK, 1, mac)
    body = _ND.pack(_ADVERTISEMENT, 0, 0, flags, address.packed) + option
    return _ipv6(source, b"\x33\x33" + _ALL_NODES[-4:], address.packed, _ALL_NODES, body)


def _ipv6(source: bytes, destination: bytes, src: bytes, dst: bytes, body: bytes) -> bytes:
    checksum = internet_checksum(_pseudo_header(src, dst, len(body)) + body)
    body = body[:2] + struct.pack("!H", checksum) + body[4:]
    header = _IPV6.pack(6 << 28, len(body), _ICMPV6, 255, src, dst)
    return _ETHERNET.pack(destination, source, ETH_IPV6) + header + body


def ping_everybody(sender: IPAddress, mac: str, number: int) -> bytes:
    """An ICMPv6 echo request to all nodes of the link (RFC 4443, section 4.1)."""
    body = struct.pack("!BBHHH", _ECHO, 0, 0, number, 0)
    return _ipv6(mac_bytes(mac), b"\x33\x33" + _ALL_NODES[-4:], sender.packed, _ALL_NODES, body)


def ping_answered(frame: bytes, number: int) -> IPAddress | None:
    """Who answered `ping_everybody`, if the frame is such an answer. Never raises."""
    start = _ETHERNET.size
    if len(frame) < start + _IPV6.size + 8:
        return None
    first, _, following, _, src, _ = _IPV6.unpack_from(frame, start)
    kind, code, _, said = struct.unpack_from("!BBHH", frame, start + _IPV6.size)
    if (first >> 28, following, kind, code, said) != (6, _ICMPV6, _ECHO_REPLY, 0, number):
        return None
    return IPAddress(int.from_bytes(src, "big"), 6)


def udp6(
    body: bytes, *, source: tuple[str, IPAddress, int], target: tuple[str, IPAddress, int]
) -> bytes:
    """An IPv6 datagram as a whole frame; both ends are a MAC, an address and a port."""
    (outer, sender, from_port), (inner, receiver, to_port) = source, target
    src, dst, length = sender.packed, receiver.packed, 8 + len(body)
    data = struct.pack("!HHHH", from_port, to_port, length, 0) + body
    checksum = internet_checksum(_pseudo_header(src, dst, length, _UDP) + data) or 0xFFFF
    header = _IPV6.pack(6 << 28, length, _UDP, 1, src, dst)
    ethernet = _ETHERNET.pack(mac_bytes(inner), mac_bytes(outer), ETH_IPV6)
    return ethernet + header + data[:6] + struct.pack("!H", checksum) + body


def _pseudo_header(src: bytes, dst: bytes, length: int, following: int = _ICMPV6) -> bytes:
    return src + dst + struct.pack("!II", length, following)


def _parse_nd(frame: bytes, source: bytes) -> Heard | None:
    """Validity is RFC 4861's, sections 7.1.1 and 7.1.2."""
    start = _ETHERNET.size
    if len(frame) < start + _IPV6.size + _ND.size:
        return None
    first, length, following, hops, src, dst = _IPV6.unpack_from(frame, start)
    body = frame[start + _IPV6.size :][:length]
    if (first >> 28, following, hops) != (6, _ICMPV6, 255) or not _ND.size <= len(body) == length:
        return None
    if internet_checksum(_pseudo_header(src, dst, length) + body):
        return None
    kind, code, _, flags, target = _ND.unpack_from(body)
    if code or target[0] == 0xFF or kind not in (_SOLICITATION, _ADVERTISEMENT):
        return None
    options = _link_options(body[_ND.size :])
    if options is None:
        return None
    return _nd_heard(kind, flags, (src, dst, target), source, options)


def _nd_heard(
    kind: int,
    flags: int,
    addresses: tuple[bytes, bytes, bytes],
    source: bytes,
    options: dict[int, bytes],
) -> Heard | None:
    src, dst, target = addresses
    asked = IPAddress(int.from_bytes(target, "big"), 6)
    outer = mac_text(source)
    if kind == _ADVERTISEMENT:
        if flags & _SOLICITED and dst[0] == 0xFF:
            return None
        mac = mac_text(options.get(_TARGET_LINK, source))
        what = Kind.REPLY if flags & _SOLICITED else Kind.ANNOUNCEMENT
        return Heard(what, asked, asked, mac, outer)
    if src == _UNSPECIFIED:
        if not dst.startswith(_SOLICITED_NODE) or _SOURCE_LINK in options:
            return None
        return Heard(Kind.PROBE, None, asked, outer, outer)
    mac = mac_text(options.get(_SOURCE_LINK, source))
    return Heard(Kind.REQUEST, IPAddress(int.from_bytes(src, "big"), 6), asked, mac, outer)


def _link_options(data: bytes) -> dict[int, bytes] | None:
    """Link-layer addresses among the options by type; None when the list is broken."""
    found: dict[int, bytes] = {}
    while data:
        size = data[1] * 8 if len(data) > 1 else 0
        if not 0 < size <= len(data):
            return None
        if size == 8:
            found[data[0]] = data[2:8]
        data = data[size:]
    return found
