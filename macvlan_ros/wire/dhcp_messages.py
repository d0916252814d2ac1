"""DHCP messages as whole Ethernet frames, built and read (RFC 2131, RFC 2132). Pure.

Reading never raises, whatever the bytes: anybody on the LAN can send us some.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence

from netaddr import IPAddress

from macvlan_ros.values import dataclass
from macvlan_ros.wire import frames

__all__ = [
    "ACK",
    "CLIENT_PORT",
    "DECLINE",
    "DISCOVER",
    "NAK",
    "OFFER",
    "RELEASE",
    "REQUEST",
    "Message",
    "build",
    "host_name",
    "parse",
]

DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE = 1, 2, 3, 4, 5, 6, 7
MASK, ROUTER, HOST_NAME, WANTED_ADDRESS, LEASE, OVERLOAD, TYPE = 1, 3, 12, 50, 51, 52, 53
SERVER, WANTED, TEXT, T1, T2, CLIENT_ID = 54, 55, 56, 58, 59, 61
#: What every question asks for.
ASKED = bytes([MASK, ROUTER, LEASE, T1, T2])

SERVER_PORT, CLIENT_PORT = 67, 68
_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_UDP = struct.Struct("!HHHH")
_BOOTP = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s4s")
_COOKIE = b"\x63\x82\x53\x63"
_HEADERS = 14 + _IPV4.size + _UDP.size
_BROADCAST_FLAG = 0x8000
_NOWHERE, _EVERYWHERE = bytes(4), b"\xff" * 4
# The smallest that old relays pass on.
_SMALLEST = 300
_LONGEST_LABEL = 63


@dataclass(frozen=True, slots=True)
class Message:
    """A server's answer. `mac` is the client's that it is for, `source` the one that the frame
    came from, a relay's perhaps; `address` is what the client gets (None in a NAK)."""

    kind: int
    transaction: int
    mac: str
    source: str
    address: IPAddress | None
    server: IPAddress
    options: Mapping[int, bytes]

    def address_in(self, option: int) -> IPAddress | None:
        """The first address of an option (a list of routers has several)."""
        return _address(self.options.get(option, b""))

    def seconds_in(self, option: int) -> int | None:
        """A time of an option, in seconds; None when it is not there or is no time."""
        raw = self.options.get(option, b"")
        return int.from_bytes(raw, "big") if len(raw) == 4 else None

    @property
    def text(self) -> str:
        """What the server says for people to read, as far as it can be printed."""
        said = self.options.get(TEXT, b"").decode("ascii", "replace")
        return "".join(each for each in said if each.isprintable()).strip("\ufffd ")


def host_name(owner: str) -> str:
    """The owner's name as one label of a host's name (RFC 1123): a server takes what stands after
    a dot for its domain, and would have all of 'camera.left' and 'camera.right' as 'camera'."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", owner)[:_LONGEST_LABEL]


def build(
    kind: int,
    *,
    transaction: int,
    mac: str,
    source: str,
    options: Sequence[tuple[int, bytes]] = (),
    current: IPAddress | None = None,
    to: tuple[str, IPAddress] | None = None,
) -> bytes:
    """A client's message. `mac` is the client's, `source` that of the interface which sends it.

    The answer is asked for by broadcast, for nobody may have `mac` yet. `current` is the address
    that the client has (the field ciaddr). `to` are a server's MAC and address; None is everybody.
    """
    own = current.packed if current is not None else _NOWHERE
    body = _BOOTP.pack(
        *(1, 1, 6, 0, transaction, 0, _BROADCAST_FLAG, own, _NOWHERE, _NOWHERE, _NOWHERE),
        *(frames.mac_bytes(mac).ljust(16, b"\x00"), b"", b"", _COOKIE),
    )
    for number, value in ((TYPE, bytes([kind])), *options):
        body += bytes([number, len(value)]) + value
    body = (body + b"\xff").ljust(_SMALLEST, b"\x00")
    target = _EVERYWHERE if to is None else to[1].packed
    packet = _datagram(own, target, body)
    receiver = frames.BROADCAST if to is None else frames.mac_bytes(to[0])
    return receiver + frames.mac_bytes(source) + struct.pack("!H", frames.ETH_IPV4) + packet


def parse(frame: bytes) -> Message | None:
    """A server's answer in an Ethernet frame; None for anything else.

    Check sums are not looked at: between containers of one host the kernel leaves them out.
    """
    if len(frame) < _HEADERS + _BOOTP.size:
        return None
    body = frame[_HEADERS:]
    fields = _BOOTP.unpack_from(body)
    operation, hardware_kind, length, _, transaction = fields[:5]
    given, hardware, server_name, file, cookie = (fields[index] for index in (8, 11, 12, 13, 14))
    if (operation, hardware_kind, length, cookie) != (2, 1, 6, _COOKIE):
        return None
    options = _all_options(body[_BOOTP.size :], file, server_name)
    server = _address(options.get(SERVER, b"")) or _address(frame[26:30])
    if server is None or len(options.get(TYPE, b"")) != 1:
        return None
    return Message(
        kind=options[TYPE][0],
        transaction=transaction,
        mac=frames.mac_text(hardware[:6]),
        source=frames.mac_text(frame[6:12]),
        address=_address(given),
        server=server,
        options=options,
    )


def _datagram(source: bytes, target: bytes, body: bytes) -> bytes:
    """An IPv4 packet with `body` from the client's port to the server's."""
    length = _UDP.size + len(body)
    ports = _UDP.pack(CLIENT_PORT, SERVER_PORT, length, 0)
    pseudo = source + target + struct.pack("!HH", 17, length)
    checksum = frames.internet_checksum(pseudo + ports + body)
    ports = _UDP.pack(CLIENT_PORT, SERVER_PORT, length, checksum or 0xFFFF)
    header = _IPV4.pack(0x45, 0, _IPV4.size + length, 0, 0, 64, 17, 0, source, target)
    checksum = frames.internet_checksum(header)
    return header[:10] + struct.pack("!H", checksum) + header[12:] + ports + body


def _all_options(data: bytes, file: bytes, server_name: bytes) -> dict[int, bytes]:
    """The options, with those that overflowed into other fields (RFC 2132, section 9.3)."""
    options = _options(data)
    overload = options.get(OVERLOAD, b"\x00")[:1]
    for bit, field in ((1, file), (2, server_name)):
        if overload and overload[0] & bit:
            options = {**_options(field), **options}
    return options


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
    return IPAddress(int.from_bytes(raw[:4], "big"), 4) if len(raw) >= 4 and any(raw[:4]) else None
