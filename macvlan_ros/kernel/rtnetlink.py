"""One request to rtnetlink, and the kernel's answer, in the calling thread (rtnetlink(7)).

For what pyroute2 cannot say; for what takes the kernel long, so that it is not to stand in the
queue for pyroute2's one socket; and for what somebody waits for: pyroute2's socket takes 60 ms to
import, and a message of its a millisecond of processor time, in which no other thread runs, one of
these a tenth of that.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator

from macvlan_ros.errors import Unavailable

__all__ = [
    "CREATE",
    "HEADER",
    "LINK",
    "REPLACE",
    "add_macvlan",
    "ask",
    "attribute",
    "change",
    "delete_link",
    "dump",
]

#: struct nlmsghdr: length, type, flags, sequence number, port. Each message begins with one.
HEADER = struct.Struct("=IHHII")

#: struct ifinfomsg: family, type, index, flags, change.
LINK = struct.Struct("=BxHiII")

#: What `change` shall do with what is there, or not there, already (netlink(7)).
REPLACE, _EXCLUSIVE, CREATE = 0x100, 0x200, 0x400

_NETLINK_ROUTE = 0
_RTM_NEWLINK, _RTM_DELLINK = 16, 17
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_REQUEST, _AND_ACK, _DUMP = 0x1, 0x4, 0x300
_DUMP_INTERRUPTED = 0x10
# linux/if_link.h
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINK, _IFLA_LINKINFO = 1, 3, 4, 5, 18
_IFLA_INFO_KIND, _IFLA_INFO_DATA = 1, 2
_IFLA_MACVLAN_MODE = 1
_MODES = {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8}
_SECONDS = 5.0
_BUFFER = 1 << 16
_TRIES = 20


def change(kind: int, body: bytes, *, flags: int = 0) -> None:
    """Send one message of that kind. Raises OSError with the kernel's reason."""
    ask(kind, body, flags=_AND_ACK | flags)


def ask(kind: int, body: bytes, *, flags: int = 0) -> bytes:
    """Send one message of that kind; the kernel's one answer, with its header. Raises OSError with
    the kernel's reason."""
    with _socket() as kernel:
        kernel.send(_message(kind, _REQUEST | flags, body))
        answer = kernel.recv(_BUFFER)
    _, answered, *_ = HEADER.unpack_from(answer)
    if answered == _NLMSG_ERROR:
        _check(answer[HEADER.size :])
    return answer


def dump(kind: int, body: bytes) -> tuple[bytes, ...]:
    """A whole table: its messages, each with its header. The kernel marks a table that changed
    while it was read; then it is read again. Raises OSError, Unavailable."""
    with _socket() as kernel:
        for _ in range(_TRIES):
            kernel.send(_message(kind, _REQUEST | _DUMP, body))
            found = tuple(_messages(kernel))
            if not any(HEADER.unpack_from(each)[2] & _DUMP_INTERRUPTED for each in found):
                return found[:-1]
    raise Unavailable("the interfaces change faster than they can be read; try again")


def _socket() -> socket.socket:
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
    kernel = socket.socket(socket.AF_NETLINK, kind, _NETLINK_ROUTE)
    kernel.settimeout(_SECONDS)
    return kernel


def _message(kind: int, flags: int, body: bytes) -> bytes:
    return HEADER.pack(HEADER.size + len(body), kind, flags, 1, 0) + body


def _messages(kernel: socket.socket) -> Iterator[bytes]:
    """The messages of one answer, and the one that ends it. Raises OSError."""
    while True:
        data = kernel.recv(_BUFFER)
        at = 0
        while at < len(data):
            length, kind, *_ = HEADER.unpack_from(data, at)
            message = data[at : at + length]
            if kind in (_NLMSG_ERROR, _NLMSG_DONE):
                _check(message[HEADER.size :])
                yield message
                return
            yield message
            at += length + -length % 4


def _check(content: bytes) -> None:
    (code,) = struct.unpack_from("=i", content)
    if code < 0:
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
