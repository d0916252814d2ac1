"""One message to rtnetlink, and the kernel's answer, in the calling thread (rtnetlink(7)).

For what pyroute2 cannot say, and for what takes the kernel long, so that it is not to stand in the
queue for pyroute2's one socket.
"""

from __future__ import annotations

import errno
import os
import socket
import struct

__all__ = ["LINK", "attribute", "change", "delete_link"]

#: struct ifinfomsg: family, type, index, flags, change.
LINK = struct.Struct("=BxHiII")

_NETLINK_ROUTE = 0
_RTM_DELLINK = 17
_NLMSG_ERROR = 2
_REQUEST_AND_ACK = 0x1 | 0x4
_HEADER = struct.Struct("=IHHII")
_SECONDS = 5.0


def change(kind: int, body: bytes) -> None:
    """Send one message of that kind. Raises OSError with the kernel's reason."""
    header = _HEADER.pack(_HEADER.size + len(body), kind, _REQUEST_AND_ACK, 1, 0)
    flags = socket.SOCK_RAW | socket.SOCK_CLOEXEC
    with socket.socket(socket.AF_NETLINK, flags, _NETLINK_ROUTE) as kernel:
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
