"""One question to a Docker Engine over a bare socket, and its answer.

Importing the Docker SDK takes a fifth of the time that a launch needs before its first container,
`http.client` alone a third of that. HTTP/1.0 takes neither: an answer ends where its connection
does (RFC 1945, section 7.2.2).
"""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from macvlan_ros.docker_api.context import Endpoint, Tls

__all__ = ["NotDocker", "Refused", "Wire"]

_log = logging.getLogger(__name__)

#: A listing of ten thousand networks is about 8 MB.
_MOST = 64 << 20
_PART = 1 << 16


class Refused(Exception):
    """The engine answered with that status (400 and up), and said why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class NotDocker(Exception):
    """What answered does not speak as Docker does."""


class Wire:
    """Asks one engine. `socket_path` tells the socket of one on this PC, or of a tunnel that ends
    on it, "" for one that is at the endpoint's host and port. Any number of threads may ask."""

    def __init__(self, endpoint: Endpoint, *, socket_path: Callable[[], str]) -> None:
        self._endpoint = endpoint
        self._socket_path = socket_path
        #: The newest version of the API that the engine speaks, "" before its first answer.
        self.api_version = ""

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        kind: str = "application/json",
        timeout: float,
    ) -> bytes:
        """What the engine answers, within `timeout` seconds in all. Raises OSError, `Refused`,
        `NotDocker`."""
        # behind a proxy an engine's URL may have a path of its own
        before = self._endpoint.path if self._endpoint.scheme == "tcp" else ""
        lines = [f"{method} {before}{path} HTTP/1.0", "Host: docker"]
        if method != "GET":
            lines += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
        request = "\r\n".join([*lines, "", ""]).encode() + body
        answer = self._exchange(request, time.monotonic() + timeout)
        if not answer:
            raise ConnectionResetError("it ended the connection without an answer")
        _log.debug("%s %s: %s", method, path, _first_line(answer))
        return self._read(answer)

    def _read(self, answer: bytes) -> bytes:
        head, _, body = answer.partition(b"\r\n\r\n")
        _, *lines = head.decode("latin-1").split("\r\n")
        words = _first_line(answer).split(None, 2)
        if len(words) < 2 or not (words[0].startswith("HTTP/") and words[1].isdecimal()):
            raise NotDocker
        pairs = (line.partition(":") for line in lines)
        fields = {name.strip().lower(): value.strip() for name, _, value in pairs}
        status = int(words[1])
        if status >= 400:
            raise Refused(status, _message(body))
        if "location" in fields:  # Docker sends on whoever asks for a name like a//b
            raise Refused(404, "there can be nothing of that name")
        length = fields.get("content-length", "")
        if length.isdecimal() and len(body) < int(length):
            raise ConnectionResetError("it ended the connection within its answer")
        self.api_version = fields.get("api-version", self.api_version)
        return body

    def _exchange(self, request: bytes, deadline: float) -> bytes:
        with self._connect(deadline) as connection:
            connection.sendall(request)
            answer = bytearray()
            while len(answer) < _MOST:
                connection.settimeout(_left(deadline))
                part = connection.recv(_PART)
                if not part:
                    return bytes(answer)
                answer += part
        raise OSError("its answer has no end")

    def _connect(self, deadline: float) -> socket.socket:
        path = self._socket_path()
        if not path:
            at = (self._endpoint.host, self._endpoint.port or 2375)
            connection = socket.create_connection(at, _left(deadline))
        else:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(_left(deadline))
            if path:
                connection.connect(path)
            elif self._endpoint.tls is not None:
                connection = _secured(connection, self._endpoint.tls, self._endpoint.host)
        except BaseException:
            connection.close()
            raise
        return connection


def _secured(connection: socket.socket, tls: Tls, host: str) -> socket.socket:
    import ssl  # 13 ms, which a socket of this PC need not wait for

    context = ssl.create_default_context(cafile=tls.ca)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.cert and tls.key:
        context.load_cert_chain(tls.cert, tls.key)
    return context.wrap_socket(connection, server_hostname=host)


def _first_line(answer: bytes) -> str:
    return answer.partition(b"\r\n")[0].decode("latin-1")


def _message(body: bytes) -> str:
    """Docker's own words; those of whatever stands before it are no JSON."""
    text = body.decode(errors="replace")
    try:
        content = json.loads(text)
    except ValueError:
        return text
    return str(content.get("message") or "") if isinstance(content, dict) else text


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left
