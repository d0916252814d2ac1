"""The picture live: a small web server that shows and changes nothing.

It answers only requests for a name that it was told to listen on, so that no web page elsewhere can
read the LAN through the user's browser (DNS rebinding).
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from urllib.parse import urlsplit

from macvlan_ros.errors import InvalidRequest, KernelRefused, MacvlanRosError
from macvlan_ros.picture import page, svg
from macvlan_ros.picture.scene import Scene

#: Seconds that a look at the LAN is shown before the next one is taken.
FRESH = 2.0
_IDLE = 10.0  # seconds that a silent browser is waited for
DEFAULT_PORT = 8311

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; connect-src 'self'; script-src 'nonce-{}'"


def parse_listen(text: str) -> tuple[str, int]:
    """ADDRESS:PORT, a PORT or an ADDRESS; loopback and 8311 where one is missing.

    Raises InvalidRequest.
    """
    if not text or (text.isascii() and text.isdecimal() and len(text) < 10):
        host, port = "127.0.0.1", int(text or DEFAULT_PORT)
    else:
        try:
            ip_address(text.strip("[]"))  # a bare IPv6 address has colons of its own
            host, port = text.strip("[]"), DEFAULT_PORT
        except ValueError:
            host, port = _split(text)
    if not 0 <= port <= 65535:
        raise InvalidRequest(f"--serve {text}: a port is at most 65535; take {DEFAULT_PORT}")
    return host, port


def _split(text: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
        ip_address(host or "")
    except ValueError:
        raise InvalidRequest(
            f"--serve {text}: write ADDRESS:PORT, as in 127.0.0.1:{DEFAULT_PORT}"
        ) from None
    return str(host), DEFAULT_PORT if port is None else port


class Latest:
    """The newest scene, taken anew when somebody asks and the last one is no longer fresh."""

    def __init__(self, look: Callable[[], Scene]) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._scene: Scene | None = None
        self._at = 0.0

    def scene(self) -> Scene:
        with self._lock:
            if self._scene is None or time.monotonic() - self._at >= FRESH:
                self._scene = self._look()
                self._at = time.monotonic()
            return self._scene


def open_server(host: str, port: int, look: Callable[[], Scene]) -> ThreadingHTTPServer:
    """A server that is bound and not yet running. Raises KernelRefused when the port is taken."""
    latest = Latest(look)

    class Handler(_Handler):
        timeout = _IDLE

        def scene(self) -> Scene:
            return latest.scene()

    class Server(ThreadingHTTPServer):
        address_family = 10 if ":" in host else 2  # AF_INET6, AF_INET
        daemon_threads = True

        def handle_error(self, *_request: object) -> None:
            """A browser that went away in the middle of an answer is no news."""

    try:
        return Server((host, port), Handler)
    except OSError as error:
        raise KernelRefused(
            f"{host}:{port} cannot be listened on ({error.strerror}); take another: --serve PORT",
            error.errno or 0,
        ) from error


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "macvlan-ros"
    sys_version = ""

    def scene(self) -> Scene:
        raise NotImplementedError

    def do_GET(self) -> None:
        if not self._is_for_us():
            self._answer(421, "text/plain", "this server is asked for by its address\n")
            return
        try:
            self._show(urlsplit(self.path).path)
        except MacvlanRosError as error:
            self._answer(503, "text/plain", f"{error}\n")

    def do_HEAD(self) -> None:
        self.do_GET()

    def _show(self, path: str) -> None:
        if path == "/":
            nonce = secrets.token_urlsafe(16)
            self._answer(200, "text/html", page.render(self.scene(), nonce=nonce), nonce=nonce)
        elif path == "/scene":
            self._answer(200, "text/html", page.body(self.scene()))
        elif path == "/map.svg":
            self._answer(200, "image/svg+xml", svg.render(self.scene()))
        else:
            self._answer(404, "text/plain", "there are: /, /scene, /map.svg\n")

    def _is_for_us(self) -> bool:
        try:
            name = urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
        except ValueError:
            return False
        return name == "localhost" or name == self.connection.getsockname()[0]

    def _answer(self, code: int, kind: str, text: str, *, nonce: str = "none") -> None:
        data = text.encode()
        self.send_response(code)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", _POLICY.format(nonce))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_words: object) -> None:
        """Who looked is nobody's business."""
