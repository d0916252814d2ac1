"""One message to rtnetlink, and the kernel's answer, in the calling thread (rtnetlink(7)).

For what pyroute2 cannot say; for what takes the kernel long, so that it is not to stand in the
queue for pyroute2's one socket; and for what Docker waits for: a message of pyroute2's takes a
millisecond of processor time, in which no other thread runs, one of these a tenth of that.
"""

from __future__ import annotations

import errno
import os
import socket
import struct

__all__ = ["CREATE", "LINK", "REPLACE", "add_macvlan", "attribute", "change", "delete_link"]

#: struct ifinfomsg: family, type, index, flags, change.
LINK = struct.Struct("=BxHiII")

#: What `change` shall do with what is there, or not there, already (netlink(7)).
REPLACE, _EXCLUSIVE, CREATE = 0x100, 0x200, 0x400

_NETLINK_ROUTE = 0
_RTM_NEWLINK, _RTM_DELLINK = 16, 17
_NLMSG_ERROR = 2
_REQUEST_AND_ACK = 0x1 | 0x4
# linux/if_link.h
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINK, _IFLA_LINKINFO = 1, 3, 4, 5, 18
_IFLA_INFO_KIND, _IFLA_INFO_DATA = 1, 2
_IFLA_MACVLAN_MODE = 1
_MODES = {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8}
_HEADER = struct.Struct("=IHHII")
_SECONDS = 5.0


def change(kind: int, body: bytes, *, flags: int = 0) -> None:
    """Send one message of that kind. Raises OSError with the kernel's reason."""
    header = _HEADER.pack(_HEADER.size + len(body), kind, _REQUEST_AND_ACK | flags, 1, 0)
    with socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_ROUTE
    ) as kernel:
        kernel.settimeout(_SECONDS)
        kernel.send(header + body)
        answer = kernel.recv(4096)
    _, kind, *_ = _HEADER.unpack_from(answer)
    (code,) = struct.unpack_from("=i", answer, _HEADER.size)
    if kind != _NLMSG_ERROR or code != 0:
        raise OSError(-code, os.strerror(-code))


def attribute(kind: int, payload: bytes) -> bytes:
    """A netlink attribute: length, type, payload, filled up to four bytes."""
    return struct.pack("=HH", 4 + len(payload), kind) + payload + b"\0" * (-len(payload) % 4)


def add_macvlan(parent: int, name: str, *, mac: str, mode: str, mtu: int | None) -> None:
    """Make a macvlan link over the interface of that index, down. An empty `mac` leaves it to the
    kernel, None as `mtu` to the parent. Raises OSError, EEXIST when the name is taken."""
    kind = attribute(_IFLA_INFO_KIND, b"macvlan")
    data = attribute(_IFLA_INFO_DATA, _number(_IFLA_MACVLAN_MODE, _MODES[mode]))
    wanted = [
        attribute(_IFLA_IFNAME, name.encode() + b"\0"),
        _number(_IFLA_LINK, parent),
        attribute(_IFLA_LINKINFO, kind + data),
    ]
    if mac:
        wanted.append(attribute(_IFLA_ADDRESS, bytes.fromhex(mac.replace(":", ""))))
    if mtu is not None:
        wanted.append(_number(_IFLA_MTU, mtu))
    body = LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0) + b"".join(wanted)
    change(_RTM_NEWLINK, body, flags=CREATE | _EXCLUSIVE)


def _number(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=I", value))


def delete_link(name: str) -> bool:
    """Delete an interface of the calling thread's namespace; False when there was none.

    The kernel takes 20 ms, most of it waiting, so that deletions side by side cost little more
    than one. Raises OSError with the kernel's reason.
    """
    try:
        index = socket.if_nametoindex(name)
    except OSError:
        return False
    try:
        change(_RTM_DELLINK, LINK.pack(socket.AF_UNSPEC, 0, index, 0, 0))
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise
        return False
    return True
