"""XML-RPC with ROS masters and nodes: questions as bytes, answers as values. Pure.

The library's own client waits as long as the other side likes, and connects from this process's
namespace only; so its encoding is used, and `converse` talks. ROS 1 answers every question with a
code, a text and a value (wiki.ros.org, "ROS/Master_Slave_APIs").
"""

from __future__ import annotations

import errno
import os
import re
import xmlrpc.client
from typing import Any
from urllib.parse import urlsplit
from xml.parsers.expat import ExpatError

from macvlan_ros.values import dataclass
from macvlan_ros.verify.converse import Reply

#: Who asks, as the other side's log shows it.
CALLER = "/macvlan_ros_verify"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)[ \t]*\r\n", re.IGNORECASE)
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")


@dataclass(frozen=True, slots=True)
class Uri:
    """An XML-RPC URI. `problem` says why it is none that ROS nodes can use, "" when it is one."""

    text: str
    host: str = ""
    port: int = 0
    path: str = "/"
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a question came to.

    `problem` is "" (then `value` holds), refused, silent (not even a connection), hangs (a
    connection, and no answer in time), foreign (no XML-RPC), fault (`text` says which), or late
    (there was no time left to ask). `seconds` is how long it took.
    """

    problem: str = ""
    value: Any = None
    text: str = ""
    seconds: float = 0.0
    code: int = 0


def parse_uri(text: str) -> Uri:
    """A URI that a node registered, or the master's."""
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return Uri(text, problem="is no URI")
    if parts.scheme != "http":
        scheme = parts.scheme or "none"
        return Uri(text, host, port or 0, problem=f"has the scheme {scheme}, where ROS has http")
    if not host or not port:
        return Uri(text, host, port or 0, problem=f"names no {'port' if host else 'host'}")
    return Uri(text, host, port, parts.path or "/")


def question(uri: Uri, method: str, *parameters: Any, caller: str = CALLER) -> bytes:
    """The HTTP request that asks; HTTP/1.0, so that the other side closes behind its answer."""
    body = xmlrpc.client.dumps((caller, *parameters), method).encode()
    head = (
        f"POST {uri.path} HTTP/1.0\r\nHost: {uri.host}:{uri.port}\r\n"
        f"Content-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("utf-8", errors="replace") + body


def is_whole(data: bytearray) -> bool:
    """Whether an HTTP answer has come to its end, as far as it says how long it is."""
    head, found, _ = bytes(data[: 1 << 14]).partition(b"\r\n\r\n")
    if not found:
        return False
    length = _LENGTH.search(head + b"\r\n")
    return bool(length) and len(data) - len(head) - 4 >= int(length[1]) if length else False


def read(reply: Reply) -> Answer:
    """What the other side said."""
    if reply.code:
        return Answer(_failure(reply), seconds=reply.seconds, code=reply.code)
    head, _, body = reply.data.partition(b"\r\n\r\n")
    status = _STATUS.match(head)
    if status is None:
        return Answer("foreign", text="what answers does not speak HTTP", seconds=reply.seconds)
    if status[1] != b"200":
        said = head.split(b"\r\n")[0].decode("ascii", "replace")[:60]
        return Answer("foreign", text=f"a web server answers: {said}", seconds=reply.seconds)
    try:
        (value,), _ = xmlrpc.client.loads(body)
    except xmlrpc.client.Fault as fault:
        return Answer("fault", text=str(fault.faultString)[:200], seconds=reply.seconds)
    except (xmlrpc.client.Error, ExpatError, ValueError, LookupError, TypeError, AttributeError):
        # the library's decoder raises what it meets in a malformed answer
        return Answer("foreign", text="its answer is no XML-RPC", seconds=reply.seconds)
    return _of_ros(value, reply.seconds)


def _of_ros(value: object, seconds: float) -> Answer:
    if not isinstance(value, (list, tuple)) or len(value) != 3 or not isinstance(value[0], int):
        return Answer("foreign", text="it answers, but not as ROS does", seconds=seconds)
    if value[0] != 1:
        return Answer("fault", text=str(value[1])[:200], seconds=seconds)
    return Answer(value=value[2], seconds=seconds)


def _failure(reply: Reply) -> str:
    if reply.code == errno.ECANCELED:
        return "late"
    if reply.connected:
        # a connection that is cut is no node's either
        return "hangs" if reply.code == errno.ETIMEDOUT else "foreign"
    return "refused" if reply.code == errno.ECONNREFUSED else "silent"


def why(answer: Answer) -> str:
    """A failed answer in words."""
    if answer.text:
        return answer.text
    return {
        "refused": "nothing listens there",
        "hangs": "it takes the connection, and does not answer",
        "foreign": "it cuts the connection",
        "late": "there was no time left to ask",
    }.get(answer.problem, f"nobody answers there ({os.strerror(answer.code)})")
