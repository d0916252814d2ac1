"""TCPROS: the headers and messages that ROS 1 publishers and subscribers exchange. Pure.

Sources: wiki.ros.org, "ROS/TCPROS" and "ROS/Connection Header"; the checksums are those of the
message definitions of std_msgs and rosgraph_msgs.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from macvlan_ros.values import dataclass

_LENGTH = struct.Struct("<I")
#: The longest message that is read, in bytes.
_LONGEST = 1 << 20
_INFO = 2  # rosgraph_msgs/Log: the level


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic with its type and that one's checksum."""

    name: str
    kind: str
    checksum: str
    definition: str


def string_topic(name: str) -> Topic:
    """A topic of std_msgs/String."""
    checksum = "992ce8a1687cec8c8bd883ec73ca41d1"
    return Topic(name, "std_msgs/String", checksum, "string data\n")


def log_topic(name: str) -> Topic:
    """A topic of rosgraph_msgs/Log, as /rosout and /rosout_agg are."""
    return Topic(name, "rosgraph_msgs/Log", "acffd30cd6b6de30f120938c17c593fb", "")


def pack_header(fields: Mapping[str, str]) -> bytes:
    """A connection header."""
    entries = [f"{key}={value}".encode() for key, value in fields.items()]
    body = b"".join(_LENGTH.pack(len(entry)) + entry for entry in entries)
    return _LENGTH.pack(len(body)) + body


def read_header(body: bytes) -> dict[str, str]:
    """A connection header without its own length; what is malformed is left out."""
    found = {}
    place = 0
    while place + 4 <= len(body):
        (length,) = _LENGTH.unpack_from(body, place)
        entry = body[place + 4 : place + 4 + length].decode("utf-8", errors="replace")
        key, equals, value = entry.partition("=")
        if equals:
            found[key] = value
        place += 4 + length
    return found


def split(data: bytes) -> tuple[list[bytes], bytes]:
    """The whole parts of a stream, each without its length, and what is left over.

    Raises ValueError for a part that is longer than a megabyte.
    """
    parts = []
    place = 0
    while place + 4 <= len(data):
        (length,) = _LENGTH.unpack_from(data, place)
        if length > _LONGEST:
            raise ValueError(f"a message of {length} bytes")
        if place + 4 + length > len(data):
            break
        parts.append(data[place + 4 : place + 4 + length])
        place += 4 + length
    return parts, data[place:]


def string_message(text: str) -> bytes:
    """A std_msgs/String, with its length before it."""
    return _framed(_text(text))


def log_message(node: str, text: str) -> bytes:
    """A rosgraph_msgs/Log, with its length before it."""
    header = struct.pack("<III", 0, 0, 0) + _text("")
    body = header + struct.pack("<B", _INFO) + _text(node) + _text(text)
    return _framed(body + _text("") + _text("") + struct.pack("<II", 0, 0))


def _framed(body: bytes) -> bytes:
    return _LENGTH.pack(len(body)) + body


def _text(text: str) -> bytes:
    raw = text.encode()
    return _LENGTH.pack(len(raw)) + raw
