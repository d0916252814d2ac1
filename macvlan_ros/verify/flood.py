"""Flooding: whether multicast reaches a container that can be looked at, but not looked from.

Nothing there needs to listen: an echo request for its own address is put into a frame for a group
that every host belongs to, or that whoever runs DDS has joined. It is answered if that frame came,
for Linux looks at the address of the datagram (RFC 1122, section 3.3.6, allows to drop it; the
setting drop_unicast_in_l2_multicast is off unless somebody turned it on).
"""

from __future__ import annotations

import secrets
import socket
import struct
from collections.abc import Iterable
from pathlib import Path

from netaddr import IPAddress

from macvlan_ros.errors import MacvlanRosError
from macvlan_ros.verify import echo
from macvlan_ros.verify.patience import Patience
from macvlan_ros.verify.place import Vantage
from macvlan_ros.wire.packet_port import Port

#: Who heard it: nobody, every host of the link, or also those who joined the group of DDS.
NOBODY, LINK, DDS = "", "link", "dds"
# 224.0.0.1 and ff02::1, which switches always pass on, and 239.255.0.1 and DDS's groups of IPv6,
# all of which end in efff:1, which they may keep to those who joined
_GROUPS = {
    4: {LINK: "01:00:5e:00:00:01", DDS: "01:00:5e:7f:00:01"},
    6: {LINK: "33:33:00:00:00:01", DDS: "33:33:ef:ff:00:01"},
}
_ETHERTYPE = {4: 0x0800, 6: 0x86DD}
_ICMP = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}
_IP = struct.Struct("!BBHHHBBH4s4s")
_IP6 = struct.Struct("!IHBB16s16s")
_PSEUDO6 = struct.Struct("!16s16sII")
_SIZE = 64
_TIMES, _AGAIN = 3, 0.2


def ask(
    source: Vantage, targets: Iterable[IPAddress], *, until: float, version: int = 4
) -> dict[IPAddress, str]:
    """Whom multicast of `source` reaches over that version of IP, by address; empty without the
    right to send frames."""
    questions = [(one, group) for one in targets for group in _GROUPS[version]]
    own = source.place.at(version)
    answered: set[tuple[IPAddress, str]] = set()
    if not questions or source.is_host or own is None:
        return {}
    namespace = Path(f"/proc/{source.place.pid}/ns/net")
    token = secrets.token_bytes(8)
    try:
        port = Port(source.interface, 0, namespace=namespace)
    except MacvlanRosError:
        return {}
    try:
        with source.socket(socket.SOCK_RAW, _ICMP[version], version=version) as sock:
            for _ in range(_TIMES):
                _send(port, own, questions, token)
                patience = Patience(_AGAIN, until=until)
                while len(answered) < len(questions) and patience.wait([sock]):
                    answered |= {
                        questions[number]
                        for number, sender in echo.heard(sock, token)
                        if number < len(questions) and questions[number][0] == sender
                    }
    except (OSError, MacvlanRosError):  # it went while it was asked
        return {}
    finally:
        port.close()
    return {one: _farthest(one, answered) for one, _ in questions}


def _farthest(target: IPAddress, answered: set[tuple[IPAddress, str]]) -> str:
    return next((group for group in (DDS, LINK) if (target, group) in answered), NOBODY)


def _send(
    port: Port, source: IPAddress, questions: list[tuple[IPAddress, str]], token: bytes
) -> None:
    own = bytes.fromhex(port.mac.replace(":", ""))
    for number, (target, group) in enumerate(questions):
        to = bytes.fromhex(_GROUPS[target.version][group].replace(":", ""))
        kind = struct.pack("!H", _ETHERTYPE[target.version])
        port.send(to + own + kind + datagram(source, target, number, token))


def datagram(source: IPAddress, target: IPAddress, number: int, token: bytes) -> bytes:
    """An echo request with its IP header (RFC 791, RFC 8200); it goes no farther than the link."""
    body = echo.request(number, token, _SIZE, target.version)
    ends = (source.packed, target.packed)
    if target.version == 6:
        pseudo = _PSEUDO6.pack(*ends, len(body), socket.IPPROTO_ICMPV6)
        body = body[:2] + struct.pack("!H", echo.checksum(pseudo + body)) + body[4:]
        return _IP6.pack(6 << 28, len(body), socket.IPPROTO_ICMPV6, 1, *ends) + body
    fields = (0x45, 0, 20 + len(body), 0, 0x4000, 1, socket.IPPROTO_ICMP)
    return _IP.pack(*fields, echo.checksum(_IP.pack(*fields, 0, *ends)), *ends) + body
