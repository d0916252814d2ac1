"""Something between a client and a real etcd that loses answers, or writes them in another way."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from macvlan_ros.stores.etcd_address import Member

#: Gets the path, the request and etcd's answer; None: the answer is lost.
Change = Callable[[str, bytes, bytes], "bytes | None"]


@contextlib.contextmanager
def between(etcd: str, change: Change) -> Iterator[str]:
    """The address of a gateway in front of the etcd, `HOST:PORT` both."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = self.rfile.read(int(self.headers["Content-Length"]))
            upstream = HTTPConnection(etcd, timeout=20)
            upstream.request("POST", self.path, request, {"Content-Type": "application/json"})
            with contextlib.closing(upstream), upstream.getresponse() as response:
                answer = change(self.path, request, response.read())
                if answer is None:
                    self.close_connection = True
                    return
                self.send_response(response.status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    serving = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    serving.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


@contextlib.contextmanager
def deaf() -> Iterator[Member]:
    """A member that takes connections and requests, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield Member("127.0.0.1", listening.getsockname()[1])


@contextlib.contextmanager
def dripping(answer: bytes, *, pause: float) -> Iterator[Member]:
    """A member that answers each connection byte by byte."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.recv(65536)
                        for byte in answer:
                            connection.sendall(bytes([byte]))
                            time.sleep(pause)

        serving = Thread(target=serve, daemon=True)
        serving.start()
        yield Member("127.0.0.1", listening.getsockname()[1])
        listening.shutdown(socket.SHUT_RDWR)
    serving.join(30)


class Relay:
    """The way to a server, over TCP: it can be cut in two ways, and mended."""

    def __init__(self, server: str) -> None:
        self._goal = server
        self._silent = False
        self._open: list[socket.socket] = []
        self._listening: socket.socket | None = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def forward(self) -> None:
        """As at first."""
        self._silent = False
        self._cut()
        if self._listening is None:
            host, _, port = self.address.partition(":")
            self._listening = socket.create_server((host, int(port)))
            Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def lead_to(self, server: str) -> None:
        """From now on to another server."""
        self._goal = server
        self.forward()

    def refuse(self) -> None:
        """Connections end, and no new one is taken."""
        listening, self._listening = self._listening, None
        if listening is not None:
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            listening.close()
        self._cut()

    def silence(self) -> None:
        """Nothing comes through any more, in either direction, as when a cable is pulled."""
        self._silent = True

    def close(self) -> None:
        self.refuse()

    def _cut(self) -> None:
        while self._open:
            each = self._open.pop()
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self, listening: socket.socket) -> None:
        host, _, port = self._goal.partition(":")
        with contextlib.suppress(OSError):
            while True:
                near, _ = listening.accept()
                host, _, port = self._goal.partition(":")
                far = socket.create_connection((host, int(port)), 5)
                far.settimeout(None)
                self._open += [near, far]
                for pair in ((near, far), (far, near)):
                    Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not self._silent:
                    target.sendall(data)
            target.shutdown(socket.SHUT_WR)
