"""The server: libnetwork's calls over HTTP on a Unix socket, each one bounded.

dockerd waits for a plugin as long as the plugin takes, and holds locks meanwhile. So nothing
here may hang: reading a request, doing it and answering it each have a limit, and when the limit
is reached the caller gets an error while the stuck work stays behind on its own thread.
"""

from __future__ import annotations

import io
import json
import logging
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from macvlan_ros.errors import InvalidRequest, MacvlanRosError
from macvlan_ros.plugin.answers import Answer
from macvlan_ros.plugin.counting import Metrics, NoMetrics
from macvlan_ros.plugin.fields import Fields
from macvlan_ros.plugin.head import BadHttp, Head, read_head
from macvlan_ros.plugin.workers import Broken, TooLate, Workers

__all__ = ["Limits", "Route", "Server"]

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
    workers: int = 32


@dataclass(frozen=True, slots=True)
class Route:
    """How one call is read, done, and undone when its answer came too late to be used. It may take
    `longer` than others, in seconds."""

    read: Callable[[Fields], Any]
    handle: Callable[[Any], Answer]
    undo: Callable[[Any, Any], None] | None = None
    may_be_empty: bool = False
    longer: float = 0.0


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    body: Mapping[str, object]
    outcome: str
    detail: str = ""
    answer: Answer | None = None


def _refusal(status: int, outcome: str, message: str) -> _Reply:
    # NetworkDriver's client reads Err, IpamDriver's reads Error, and both read Err alone when
    # the status is not 200: with both keys and 500 nobody takes an error for a success.
    return _Reply(status, {"Err": message, "Error": message}, outcome, message)


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Serves `routes`, path by path, on a socket that is bound and listens already."""

    daemon_threads = True
    # An answer may be lost when a stuck request is waited for; `drain` waits with a limit.
    block_on_close = False

    def __init__(
        self,
        listener: socket.socket,
        routes: Mapping[str, Route],
        *,
        limits: Limits | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        super().__init__(listener.getsockname(), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.routes = routes
        self.limits = limits or Limits()
        self.metrics: Metrics = metrics or NoMetrics()
        self.workers = Workers(self.limits.workers)
        # To start a thread for each connection takes longer than some calls, most of all when
        # others compute: the new one must have begun before the next connection is looked at.
        self._readers = Workers(self.limits.connections)
        self._places = threading.BoundedSemaphore(self.limits.connections)
        self._idle = threading.Condition()
        self._running = 0
        self._waiting = False

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            self._turn_away(request)
            return
        with self._idle:
            self._running += 1
        self._readers.begin(lambda: self.process_request_thread(request, client_address))

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()
            with self._idle:
                self._running -= 1
                self._idle.notify_all()

    def _turn_away(self, request: socket.socket) -> None:
        log.warning("call=- outcome=Busy ms=0.0 detail=%s", json.dumps("too many connections"))
        message = "macvlan-ros is busy: too many connections at once; repeat the command"
        body = json.dumps({"Err": message, "Error": message}).encode()
        head = f"HTTP/1.0 500 Busy\r\nContent-Type: {CONTENT_TYPE}\r\n"
        try:
            request.setblocking(False)
            request.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        except OSError:
            log.debug("the connection that was turned away is gone already")
        self.shutdown_request(request)

    def serve_waiting(self) -> bool:
        """Serve one connection that waits already; False when there is none."""
        self._waiting = True
        self.timeout = 0
        self.handle_request()
        return self._waiting

    def handle_timeout(self) -> None:
        self._waiting = False

    def drain(self, seconds: float) -> bool:
        """Wait until no request is running; False when that took too long."""
        with self._idle:
            return self._idle.wait_for(lambda: self._running == 0, timeout=seconds)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        # The peer went away, or the program has an error; the next request is served either way.
        log.exception("call=- outcome=Broken")


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


class _Handler(socketserver.StreamRequestHandler):
    """One connection, which is one request: HTTP/1.0 leaves no idle connections behind to wait
    for at the end, and a new one on a Unix socket costs next to nothing."""

    server: Server

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        limit = self.server.limits.read_seconds
        self.rfile = io.BufferedReader(_Deadline(self.connection, limit))
        self.began = time.monotonic()

    def handle(self) -> None:
        try:
            self._read_and_serve()
        except (ConnectionError, TimeoutError) as error:
            self._log("-", "Disconnected", str(error))

    def _read_and_serve(self) -> None:
        try:
            head = read_head(self.rfile)
        except BadHttp as error:
            self._log("-", "BadHttp", str(error))
            self._send(_refusal(error.status, "BadHttp", str(error)))
        else:
            if head is not None:
                self._serve(head)

    def _serve(self, head: Head) -> None:
        self.began = time.monotonic()
        call = head.path.lstrip("/")
        reply = self._reply(call, head)
        seconds = time.monotonic() - self.began
        known = call if head.path in self.server.routes else "unknown"
        self.server.metrics.request(known, reply.outcome, seconds)
        self._log(call, reply.outcome, reply.detail)
        self._send(reply)

    def _reply(self, call: str, head: Head) -> _Reply:
        try:
            body = self._body(call, head)
            route = self.server.routes.get(head.path)
            if route is None:
                message = f"macvlan-ros has no call {call}; it serves Docker's plugin protocol"
                return _refusal(404, "Unknown", message)
            fields = Fields.parse(call, body, may_be_empty=route.may_be_empty)
            return self._work(call, route, route.read(fields))
        except MacvlanRosError as error:
            return _refusal(500, type(error).__name__, str(error))

    def _work(self, call: str, route: Route, request: object) -> _Reply:
        def work() -> _Reply:
            try:
                answer = route.handle(request)
            except MacvlanRosError as error:
                return _refusal(500, type(error).__name__, str(error))
            return _Reply(200, answer.body(), "ok", answer=answer)

        def undo(reply: _Reply) -> None:
            if route.undo is not None and reply.answer is not None:
                route.undo(request, reply.answer)

        limit = self.server.limits.work_seconds + route.longer
        try:
            return self.server.workers.run(work, seconds=limit, undo=undo)
        except TooLate as error:
            why = "did not end" if error.begun else "could not begin, for all workers are busy,"
            message = (
                f"{call} {why} within {limit:g} s; see what keeps it in the log of the "
                "macvlan-ros service (journalctl -u macvlan-ros), then repeat the command"
            )
            return _refusal(500, "TooLate", message)
        except Broken as error:
            return _refusal(500, "Broken", f"{call} failed: {error} (journalctl -u macvlan-ros)")

    def _body(self, call: str, head: Head) -> bytes:
        """The request's body. It is read before anything is answered, or the peer, still
        writing, would see a broken pipe in place of the answer."""
        if head.encoded:
            raise InvalidRequest(f"{call}: Transfer-Encoding is not taken; send Content-Length")
        given = head.lengths or ("0",)
        if len(given) != 1 or not (given[0].isascii() and given[0].isdigit()):
            raise InvalidRequest(f"{call}: Content-Length must be one whole number")
        length = int(given[0]) if len(given[0]) < 12 else self.server.limits.body_bytes + 1
        if length > self.server.limits.body_bytes:
            most = self.server.limits.body_bytes
            raise InvalidRequest(f"{call}: the request's body may have {most} bytes at most")
        try:
            body = self.rfile.read(length)
        except TimeoutError as error:
            raise InvalidRequest(f"{call}: {error}") from error
        if len(body) < length:
            raise InvalidRequest(
                f"{call}: the request broke off after {len(body)} of {length} bytes"
            )
        return body

    def _send(self, reply: _Reply) -> None:
        data = json.dumps(reply.body).encode()
        head = f"HTTP/1.0 {reply.status} {reply.outcome}\r\nContent-Type: {CONTENT_TYPE}\r\n"
        self.connection.settimeout(self.server.limits.write_seconds)
        self.wfile.write(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)

    def _log(self, call: str, outcome: str, detail: str) -> None:
        level = logging.INFO if outcome == "ok" else logging.WARNING
        spent = (time.monotonic() - self.began) * 1000
        tail = f" detail={json.dumps(detail)}" if detail else ""
        log.log(level, "call=%s outcome=%s ms=%.1f%s", _plain(call), outcome, spent, tail)


def _plain(call: str) -> str:
    """A call's name fit for a log line: what a stranger sends must not forge lines."""
    return "".join(letter if letter.isalnum() or letter in "._" else "?" for letter in call[:80])
