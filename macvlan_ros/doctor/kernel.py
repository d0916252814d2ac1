"""The doctor on the kernel and on this process's rights: macvlan, and whether links may be made."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

from macvlan_ros.doctor.finding import BAD, OK, WARNING, Finding
from macvlan_ros.kernel import rights

if TYPE_CHECKING:
    from macvlan_ros.app import App

_RTM_NEWLINK, _NLMSG_ERROR = 16, 2
_REQUEST, _ACK, _CREATE, _EXCLUSIVE = 0x1, 0x4, 0x400, 0x200
_IFLA_LINKINFO, _IFLA_INFO_KIND = 18, 1
_HEADER = struct.Struct("=IHHII")
_LINK = struct.Struct("=BxHiII")
_SECONDS = 5.0


def check(_app: App) -> Iterator[Finding]:
    """Whether the kernel makes macvlan links."""
    code = refusal("macvlan")
    if code in (errno.EPERM, errno.EACCES):
        yield Finding("kernel", OK, "whether it has macvlan is not told without root")
    elif code == errno.EOPNOTSUPP:
        yield Finding(
            "kernel",
            BAD,
            f"the kernel {os.uname().release} has no macvlan",
            "load it with: modprobe macvlan; where there is none, install the distribution's whole"
            " kernel (Ubuntu: linux-modules-extra-$(uname -r))",
        )
    else:
        yield Finding("kernel", OK, f"the kernel {os.uname().release} has macvlan")


def check_rights(_app: App) -> Iterator[Finding]:
    """Whether this process may do what launch does."""
    if rights.may_change_links():
        yield Finding("rights", OK, "links, addresses and routes may be changed")
    else:
        yield Finding(
            "rights",
            WARNING,
            "without root neither the shim nor announcements nor verify work",
            "run it with sudo",
        )


def refusal(kind: str) -> int:
    """Why the kernel makes no link of that kind (errno), asked with a request that lacks what any
    such link needs: nothing is made. EOPNOTSUPP says that the kernel does not know the kind."""
    name = _attribute(_IFLA_INFO_KIND, kind.encode() + b"\0")
    body = _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0) + _attribute(_IFLA_LINKINFO, name)
    flags = _REQUEST | _ACK | _CREATE | _EXCLUSIVE
    message = _HEADER.pack(_HEADER.size + len(body), _RTM_NEWLINK, flags, 1, 0) + body
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:
        kernel.settimeout(_SECONDS)
        kernel.send(message)
        answer = kernel.recv(8192)
    (code,) = struct.unpack_from("=i", answer, _HEADER.size)
    return -int(code) if _HEADER.unpack_from(answer)[1] == _NLMSG_ERROR else 0


def _attribute(kind: int, payload: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(payload), kind) + payload + b"\0" * (-len(payload) % 4)
