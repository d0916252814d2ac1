"""One exchange: a request is read, done and answered, each within its time, and answered once.

The thread that does the work may get stuck in it (a kernel lock, a disk that does not answer). Then
another one, which watches the time, answers in its place; what the work comes to later is undone.
"""

from __future__ import annotations

import io
import json
import logging
import math
import socket
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from macvlan_ros.errors import InvalidRequest, MacvlanRosError
from macvlan_ros.plugin.answers import Answer
from macvlan_ros.plugin.counting import Metrics
from macvlan_ros.plugin.fields import Fields
from macvlan_ros.plugin.head import BadHttp, Head, read_head
from macvlan_ros.values import dataclass

__all__ = ["Exchange", "Limits", "Route"]

log = logging.getLogger("macvlan_ros.plugin")

CONTENT_TYPE = "application/vnd.docker.plugins.v1.2+json"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds, in seconds, bytes and numbers of things.

    Doing and answering take less than the 5 s within which Docker shall have an answer.
    """

    read_seconds: float = 5.0
    work_seconds: float = 4.0
    write_seconds: float = 1.0
    body_bytes: int = 1 << 20
    connections: int = 64


@dataclass(frozen=True, slots=True)
class Route:
    """How one call is read, done, and undone when its answer came too late to be used. It may take
    `longer` than others, in seconds; when it `waits` by nature, those behind it go on at once."""

    read: Callable[[Fields], Any]
    handle: Callable[[Any], Answer]
    undo: Callable[[Any, Any], None] | None = None
    may_be_empty: bool = False
    longer: float = 0.0
    waits: bool = False


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    body: Mapping[str, object]
    outcome: str
    detail: str = ""
    undo: Callable[[], None] | None = None

    def send(self, connection: socket.socket) -> None:
        data = json.dumps(self.body).encode()
        head = f"HTTP/1.0 {self.status} {self.outcome}\r\nContent-Type: {CONTENT_TYPE}\r\n"
        connection.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)


def _refusal(status: int, outcome: str, message: str) -> _Reply:
    # NetworkDriver's client reads Err, IpamDriver's reads Error, and both read Err alone when
    # the status is not 200: with both keys and 500 nobody takes an error for a success.
    return _Reply(status, {"Err": message, "Error": message}, outcome, message)


class Exchange:
    """One connection, which is one request: HTTP/1.0 leaves no idle connections behind to wait
    for at the end, and a new one on a Unix socket costs next to nothing."""

    def __init__(
        self,
        connection: socket.socket,
        routes: Mapping[str, Route],
        *,
        limits: Limits,
        metrics: Metrics,
        step_aside: Callable[[Exchange], None],
    ) -> None:
        self._connection = connection
        self._routes = routes
        self._limits = limits
        self._metrics = metrics
        self._step_aside = step_aside
        self._call = "-"
        #: When it began, of the monotonic clock.
        self.began = time.monotonic()
        self._limit = 0.0
        self._end = math.inf
        # Whoever takes it answers; it is never given back.
        self._pen = threading.Lock()
        #: Whether the peer has its answer, or never gets one.
        self.answered = False

    def serve(self) -> None:
        """Read, do and answer the request. It does not raise: the log has what went wrong."""
        try:
            reply = self._reply()
            if not self._answer(reply) and reply is not None and reply.undo is not None:
                reply.undo()
        except Exception:
            log.exception("call=%s outcome=Broken", _plain(self._call))
            message = f"{self._call} failed: the program has an error of its own; its log has the"
            self._answer(_refusal(500, "Broken", f"{message} details (journalctl -u macvlan-ros)"))

    def turn_away(self) -> None:
        """Answer at once, without reading, that there is no place."""
        message = "macvlan-ros is busy: too many connections at once; repeat the command"
        self._answer(_refusal(500, "Busy", message))

    def watch(self, now: float) -> None:
        """Answer in place of work whose time is over; `now` is of the monotonic clock."""
        if now > self._end:
            message = (
                f"{self._call} did not end within {self._limit:g} s; see what keeps it in the log "
                "of the macvlan-ros service (journalctl -u macvlan-ros), then repeat the command"
            )
            self._answer(_refusal(500, "TooLate", message))

    def _answer(self, reply: _Reply | None) -> bool:
        """Answer and hang up; False when another thread does."""
        if not self._pen.acquire(blocking=False):
            return False
        with self._connection as connection:
            if reply is not None:
                self._count(reply)
                try:
                    connection.settimeout(self._limits.write_seconds)
                    reply.send(connection)
                    connection.shutdown(socket.SHUT_WR)
                except OSError as error:
                    self._log("Disconnected", str(error))
        self.answered = True
        return True

    def _reply(self) -> _Reply | None:
        """What is to be answered; None when the peer is gone."""
        stream = io.BufferedReader(_Deadline(self._connection, self._limits.read_seconds))
        try:
            head = read_head(stream)
            if head is None:
                return None
            self._call = head.path.lstrip("/")
            body = self._body(head, stream)
        except BadHttp as error:
            return _refusal(error.status, "BadHttp", str(error))
        except InvalidRequest as error:
            return _refusal(500, type(error).__name__, str(error))
        except (ConnectionError, TimeoutError) as error:
            self._log("Disconnected", str(error))
            return None
        route = self._routes.get(head.path)
        if route is None:
            message = f"macvlan-ros has no call {self._call}; it serves Docker's plugin protocol"
            return _refusal(404, "Unknown", message)
        try:
            return self._do(route, body)
        except MacvlanRosError as error:
            return _refusal(500, type(error).__name__, str(error))

    def _do(self, route: Route, body: bytes) -> _Reply:
        request = route.read(Fields.parse(self._call, body, may_be_empty=route.may_be_empty))
        self._limit = self._limits.work_seconds + route.longer
        self._end = time.monotonic() + self._limit
        if route.waits:
            self._step_aside(self)
        answer = route.handle(request)
        undo = None if route.undo is None else partial(route.undo, request, answer)
        return _Reply(200, answer.body(), "ok", undo=undo)

    def _body(self, head: Head, stream: io.BufferedIOBase) -> bytes:
        """The request's body. It is read before anything is answered, or the peer, still
        writing, would see a broken pipe in place of the answer."""
        if head.encoded:
            raise InvalidRequest(
                f"{self._call}: Transfer-Encoding is not taken; send Content-Length"
            )
        given = head.lengths or ("0",)
        if len(given) != 1 or not (given[0].isascii() and given[0].isdigit()):
            raise InvalidRequest(f"{self._call}: Content-Length must be one whole number")
        most = self._limits.body_bytes
        length = int(given[0]) if len(given[0]) < 12 else most + 1
        if length > most:
            raise InvalidRequest(f"{self._call}: the request's body may have {most} bytes at most")
        try:
            body = stream.read(length)
        except TimeoutError as error:
            raise InvalidRequest(f"{self._call}: {error}") from error
        if len(body) < length:
            raise InvalidRequest(
                f"{self._call}: the request broke off after {len(body)} of {length} bytes"
            )
        return body

    def _count(self, reply: _Reply) -> None:
        """Log the outcome, and have it in the metrics."""
        self._log(reply.outcome, reply.detail)
        if self._call != "-":
            known = self._call if f"/{self._call}" in self._routes else "unknown"
            self._metrics.request(known, reply.outcome, time.monotonic() - self.began)

    def _log(self, outcome: str, detail: str) -> None:
        level = logging.INFO if outcome == "ok" else logging.WARNING
        spent = (time.monotonic() - self.began) * 1000
        tail = f" detail={json.dumps(detail)}" if detail else ""
        log.log(level, "call=%s outcome=%s ms=%.1f%s", _plain(self._call), outcome, spent, tail)


class _Deadline(io.RawIOBase):
    """A socket's bytes until a moment. A time-out alone is not enough: a byte now and then
    outlives it for ever."""

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self._connection = connection
        self._end = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request took too long to arrive")
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


def _plain(call: str) -> str:
    """A call's name fit for a log line: what a stranger sends must not forge lines."""
    return "".join(letter if letter.isalnum() or letter in "._-" else "?" for letter in call[:80])
