"""The head of an HTTP request: its first line, and the two headers that say where its body ends.

The standard library's parser brings TLS and mail with it: 8 MiB and a tenth of the service's start,
for one method and a peer on the same machine. So it is read here, within the same limits.
"""

from __future__ import annotations

import re
from typing import Protocol

from macvlan_ros.values import dataclass

__all__ = ["BadHttp", "Head", "read_head"]

# The standard library's own limits (http.server, http.client).
_LINE = 65536
_HEADERS = 100

_FIRST = re.compile(rb"([!-~]+) ([!-~]+) HTTP/1\.[0-9]\Z")
_HEADER = re.compile(rb"([!-9;-~]+):(.*)\Z", re.DOTALL)


class BadHttp(ValueError):
    """It is no request that can be served; `status` is HTTP's word for that."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"HTTP {status}: {message}; send POST with a JSON body")
        self.status = status


class Lines(Protocol):
    """Where a request comes from."""

    def readline(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Head:
    """What was asked for. `lengths` are the values of Content-Length, `encoded` whether there is a
    Transfer-Encoding."""

    path: str
    lengths: tuple[str, ...]
    encoded: bool


def read_head(stream: Lines) -> Head | None:
    """The head, up to its empty line; None when the peer left without a word.

    Raises BadHttp, and what the stream raises.
    """
    line = _line(stream, 414)
    if not line:
        return None
    first = _FIRST.match(line)
    if first is None:
        raise BadHttp(400, "bad request line")
    headers = _headers(stream)
    if first[1] != b"POST":
        raise BadHttp(501, f"unsupported method {first[1][:20].decode()}")
    return Head(
        path=first[2].decode(),
        lengths=tuple(value for name, value in headers if name == "content-length"),
        encoded=any(name == "transfer-encoding" for name, _ in headers),
    )


def _headers(stream: Lines) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    while line := _line(stream, 431):
        header = _HEADER.match(line)
        if header is None:
            raise BadHttp(400, "bad header line")
        if len(found) == _HEADERS:
            raise BadHttp(431, "too many headers")
        found.append((header[1].decode().lower(), header[2].strip().decode("latin-1")))
    return found


def _line(stream: Lines, too_long: int) -> bytes:
    line = stream.readline(_LINE + 1)
    if len(line) > _LINE:
        raise BadHttp(too_long, "line too long")
    return line.rstrip(b"\r\n")
