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

from macvlan_ros.arp import Port
from macvlan_ros.errors import MacvlanRosError
from macvlan_ros.verify import echo
from macvlan_ros.verify.patience import Patience
from macvlan_ros.verify.place import Vantage

#: Who heard it: nobody, every host of the link, or also those who joined the group of DDS.
NOBODY, LINK, DDS = "", "link", "dds"
# 224.0.0.1, which switches always pass on, and 239.255.0.1, which they may keep to those who joined
_GROUPS = {LINK: "01:00:5e:00:00:01", DDS: "01:00:5e:7f:00:01"}
_ETH_IPV4 = 0x0800
_IP = struct.Struct("!BBHHHBBH4s4s")
_SIZE = 64
_TIMES, _AGAIN = 3, 0.2


def ask(source: Vantage, targets: Iterable[IPAddress], *, until: float) -> dict[IPAddress, str]:
    """Whom multicast of `source` reaches, by address; empty without the right to send frames."""
    questions = [(one, group) for one in targets if one.version == 4 for group in _GROUPS]
    answered: set[tuple[IPAddress, str]] = set()
    if not questions or source.is_host or source.address is None:
        return {}
    namespace = Path(f"/proc/{source.place.pid}/ns/net")
    token = secrets.token_bytes(8)
    try:
        port = Port(source.interface, 0, namespace=namespace)
    except MacvlanRosError:
        return {}
    try:
        with source.socket(socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
            for _ in range(_TIMES):
                _send(port, source.address, questions, token)
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
        to = bytes.fromhex(_GROUPS[group].replace(":", ""))
        port.send(to + own + struct.pack("!H", _ETH_IPV4) + datagram(source, target, number, token))


def datagram(source: IPAddress, target: IPAddress, number: int, token: bytes) -> bytes:
    """An echo request with its IP header (RFC 791); it goes no farther than the link."""
    body = echo.request(number, token, _SIZE)
    fields = (0x45, 0, 20 + len(body), 0, 0x4000, 1, socket.IPPROTO_ICMP)
    ends = (source.packed, target.packed)
    return _IP.pack(*fields, echo.checksum(_IP.pack(*fields, 0, *ends)), *ends) + body
