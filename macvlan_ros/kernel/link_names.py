"""The names of the links that macvlan-ros makes: by them it knows its own again."""

from __future__ import annotations

import os
import socket
import time
from base64 import b32hexdecode, b32hexencode

__all__ = [
    "SHIM_PREFIX",
    "endpoint_link",
    "endpoint_links",
    "is_fresh",
    "link_exists",
    "question_link",
    "shim_links",
    "shim_name",
]

#: How the names of shims begin, the host's own macvlan links.
SHIM_PREFIX = "mvr-"
_ENDPOINT_PREFIX = "mvr"
_QUESTION_PREFIX = "mvrask-"
_LONGEST = 15
# A question takes less than a second, on a machine that is busy a few.
_QUESTION_SECONDS = 30
_CLOCK = 1 << 24


def shim_name(parent: str) -> str:
    """The name of the shim over a parent: the same always, at most 15 characters."""
    name = SHIM_PREFIX + parent
    if len(name) <= _LONGEST:
        return name
    # Imported here, for it brings OpenSSL along.
    from hashlib import sha256

    return (SHIM_PREFIX + sha256(parent.encode()).hexdigest())[:_LONGEST]


def shim_links() -> frozenset[str]:
    """The names of links here that look like shims, without asking netlink."""
    return frozenset(name for name in _names() if name.startswith(SHIM_PREFIX))


def endpoint_link(endpoint_id: str) -> str:
    """The name that an endpoint's link has in the host's namespace."""
    return _ENDPOINT_PREFIX + endpoint_id[: _LONGEST - len(_ENDPOINT_PREFIX)]


def endpoint_links() -> list[str]:
    """The names of links here that look like those of endpoints and of questions, without asking
    netlink. A shim's name may be as long."""
    return [
        name
        for name in _names()
        if name.startswith(_ENDPOINT_PREFIX)
        and len(name) == _LONGEST
        and not name.startswith(SHIM_PREFIX)
    ]


def question_link() -> str:
    """The name of a link that is made for one question and deleted after it: another each time,
    and it tells when it was made."""
    made = int(time.time()) % _CLOCK
    return _QUESTION_PREFIX + b32hexencode(made.to_bytes(3, "big") + os.urandom(2)).decode()


def is_fresh(name: str) -> bool:
    """Whether the link is one of a question that may still be under way."""
    if not name.startswith(_QUESTION_PREFIX):
        return False
    try:
        told = b32hexdecode(name.removeprefix(_QUESTION_PREFIX), casefold=True)
    except ValueError:
        return False
    made = int.from_bytes(told[:3], "big")
    return (int(time.time()) - made) % _CLOCK < _QUESTION_SECONDS


def link_exists(name: str) -> bool:
    """Whether the interface is in this namespace, without asking netlink."""
    try:
        socket.if_nametoindex(name)
    except OSError:
        return False
    return True


def _names() -> list[str]:
    return [name for _, name in socket.if_nameindex()]
