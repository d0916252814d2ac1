"""One connection to one member of etcd: requests and answers in HTTP, each until a deadline."""

from __future__ import annotations

import io
import socket
import ssl
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from threading import Thread
from typing import Any

from macvlan_ros.stores.etcd_address import Member

# Nobody on a LAN takes longer to say hello; what does is switched off.
_CONNECT = 1.0
# The events of one transaction come in one line, and etcd takes 1.5 MiB in one transaction.
_LONGEST_LINE = 16 << 20


class Connection:
    """A connection, made at once. For one thread at a time."""

    def __init__(self, member: Member, context: ssl.SSLContext | None, *, deadline: float) -> None:
        """Raises OSError (ssl.SSLError included)."""
        connected = _connect(member, min(deadline, time.monotonic() + _CONNECT))
        try:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context:
                connected.settimeout(_left(deadline))
                connected = context.wrap_socket(connected, server_hostname=member.host)
        except OSError:
            connected.close()
            raise
        self._timed = _TimedSocket(connected)
        self._http = HTTPConnection(member.host, member.port)
        self._http.sock = self._timed
        self.used = False

    def lines(
        self, path: str, body: bytes, *, token: str, deadline: float
    ) -> Iterator[tuple[int, bytes]]:
        """The status with each line of an answer that goes on until the deadline.

        The connection is of no use afterwards. Raises OSError (TimeoutError at the deadline),
        http.client.HTTPException.
        """
        with self._ask(path, body, token, deadline) as answer:
            while line := answer.readline(_LONGEST_LINE):
                yield answer.status, line

    def post(self, path: str, body: bytes, *, token: str, deadline: float) -> tuple[int, bytes]:
        """The status and the answer. Raises OSError, http.client.HTTPException."""
        with self._ask(path, body, token, deadline) as answer:
            status, text = answer.status, answer.read()
        self.used = True
        return status, text

    def _ask(self, path: str, body: bytes, token: str, deadline: float) -> HTTPResponse:
        self._timed.deadline = deadline
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = token
        self._http.auto_open = 0
        try:
            self._http.request("POST", path, body, headers)
        except (ssl.SSLError, ConnectionError):
            # A member that does not like our certificate says why, and closes at once (TLS 1.3).
            self._timed.receive(bytearray(1))
            raise
        return self._http.getresponse()

    @property
    def is_open(self) -> bool:
        """Whether it can be used again, as far as this side knows."""
        return self._http.sock is not None

    def close(self) -> None:
        """Closing twice is fine."""
        self._http.close()
        self._timed.close()


class _TimedSocket:
    """What http.client needs of a socket, with one deadline over everything.

    A socket's own timeout begins anew with each byte that arrives.
    """

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self.deadline = 0.0

    def sendall(self, data: Any) -> None:
        self._socket.settimeout(_left(self.deadline))
        self._socket.sendall(data)

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        return io.BufferedReader(_TimedStream(self))

    def receive(self, buffer: Any) -> int:
        self._socket.settimeout(_left(self.deadline))
        return self._socket.recv_into(buffer)

    def close(self) -> None:
        self._socket.close()


class _TimedStream(io.RawIOBase):
    def __init__(self, source: _TimedSocket) -> None:
        super().__init__()
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._source.receive(buffer)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def _connect(member: Member, deadline: float) -> socket.socket:
    failed: OSError | None = None
    for family, kind, protocol, _, place in _resolve(member, deadline):
        connecting = socket.socket(family, kind, protocol)
        try:
            connecting.settimeout(_left(deadline))
            connecting.connect(place)
            return connecting
        except OSError as error:
            connecting.close()
            failed = error
    raise failed or OSError("has no address")


def _resolve(member: Member, deadline: float) -> list[Any]:
    """What getaddrinfo says, which for names has no bound of its own."""
    numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    try:
        return socket.getaddrinfo(member.host, member.port, type=socket.SOCK_STREAM, flags=numeric)
    except socket.gaierror:
        found: list[Any] = []
    asking = Thread(target=_look_up, args=(member, found), daemon=True)
    asking.start()
    asking.join(_left(deadline))
    if not found:
        raise TimeoutError("timed out")
    if isinstance(found[0], OSError):
        raise found[0]
    return found


def _look_up(member: Member, found: list[Any]) -> None:
    try:
        found += socket.getaddrinfo(member.host, member.port, type=socket.SOCK_STREAM)
    except OSError as error:
        found.append(error)
