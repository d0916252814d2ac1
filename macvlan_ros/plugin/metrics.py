"""Metrics: what the service counts, for Prometheus. Its library is loaded only when asked for."""

from __future__ import annotations

import ipaddress
import socket
import socketserver
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from macvlan_ros.addresses import size
from macvlan_ros.errors import InvalidRequest, MacvlanRosError, Unavailable
from macvlan_ros.plugin.counting import Metrics
from macvlan_ros.plugin.sockets import bind
from macvlan_ros.stores.base import Store

__all__ = ["exposed"]

_READ_SECONDS = 5.0
# From a request that only reads memory to one that waits for the LAN and is given up.
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class _Prometheus:
    """Counts with Prometheus's official library; pools are read from the store when asked."""

    def __init__(self, store: Store) -> None:
        try:
            import prometheus_client as prometheus
            from prometheus_client.core import GaugeMetricFamily
        except ImportError as error:
            raise Unavailable(
                "--metrics needs Prometheus's library; install it with: pip install "
                "'macvlan-ros[metrics]'"
            ) from error
        self._store = store
        self._generate = prometheus.generate_latest
        self._family = GaugeMetricFamily
        self.registry = prometheus.CollectorRegistry()
        self._requests = prometheus.Histogram(
            "macvlan_ros_request_seconds",
            "Time to answer one of Docker's requests.",
            ["call"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._outcomes = prometheus.Counter(
            "macvlan_ros_requests",
            "Requests of Docker's by call and outcome.",
            ["call", "outcome"],
            registry=self.registry,
        )
        self._probes = prometheus.Counter(
            "macvlan_ros_probes",
            "Addresses that were asked for on the LAN.",
            registry=self.registry,
        )
        self._conflicts = prometheus.Counter(
            "macvlan_ros_conflicts",
            "Addresses that somebody on the LAN answered for.",
            registry=self.registry,
        )
        self._strangers = prometheus.Counter(
            "macvlan_ros_strangers",
            "Strangers that were heard with addresses of ours, once a minute each.",
            registry=self.registry,
        )
        self.registry.register(self)

    def request(self, call: str, outcome: str, seconds: float) -> None:
        self._requests.labels(call).observe(seconds)
        self._outcomes.labels(call, outcome).inc()

    def probe(self, conflict: bool) -> None:
        self._probes.inc()
        if conflict:
            self._conflicts.inc()

    def conflict(self) -> None:
        self._strangers.inc()

    def collect(self) -> Iterable[Any]:
        """Size and use of each pool, now; none while the store is away."""
        sizes = self._family("macvlan_ros_pool_size", "Addresses of a pool.", labels=["pool"])
        held = self._family(
            "macvlan_ros_pool_held", "Addresses that are held.", labels=["pool", "kind"]
        )
        try:
            for pool in self._store.pools():
                sizes.add_metric([pool.name], size(pool))
                kinds = [each.kind for each in self._store.reservations(pool.name)]
                for kind in ("static", "dynamic", "network"):
                    held.add_metric([pool.name, kind], kinds.count(kind))
        except MacvlanRosError:
            return []
        return [sizes, held]

    def text(self) -> bytes:
        """All of it, in Prometheus's text format."""
        return bytes(self._generate(self.registry))


@contextmanager
def exposed(where: str, store: Store) -> Iterator[Metrics]:
    """Metrics that Prometheus can fetch at `where`: HOST:PORT on the loopback, or a socket's path.

    Raises InvalidRequest, Unavailable, and what `sockets.bind` raises.
    """
    metrics = _Prometheus(store)

    class Handler(_Handler):
        text = staticmethod(metrics.text)

    server = _Server(_listener(where), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.5,), daemon=True)
    thread.start()
    try:
        yield metrics
    finally:
        server.shutdown()
        server.server_close()
        if where.startswith("/"):
            Path(where).unlink(missing_ok=True)


def _listener(where: str) -> socket.socket:
    if where.startswith("/"):
        return bind(Path(where))
    host, _, port = where.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
        number = int(port)
        if not address.is_loopback or not 0 < number < 65536:
            raise ValueError("not on the loopback")
    except ValueError as error:
        raise InvalidRequest(
            f"--metrics {where}: give a port of the loopback, such as 127.0.0.1:9733, or the "
            "absolute path of a socket"
        ) from error
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    try:
        return socket.create_server((str(address), number), family=family)
    except OSError as error:
        raise Unavailable(
            f"--metrics {where}: the port cannot be had ({error.strerror}); name another"
        ) from error


class _Server(socketserver.ThreadingMixIn, socketserver.BaseServer):
    """Serves on a socket of whatever family that listens already."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, listener: socket.socket, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(listener.getsockname(), handler)
        self.socket = listener

    def fileno(self) -> int:
        return self.socket.fileno()

    def get_request(self) -> tuple[socket.socket, Any]:
        return self.socket.accept()

    def shutdown_request(self, request: Any) -> None:
        self.close_request(request)

    def close_request(self, request: Any) -> None:
        request.close()

    def server_close(self) -> None:
        self.socket.close()


class _Handler(BaseHTTPRequestHandler):
    timeout = _READ_SECONDS

    @staticmethod
    def text() -> bytes:
        raise NotImplementedError

    def do_GET(self) -> None:
        if self.path.partition("?")[0] not in ("/", "/metrics"):
            self.send_error(404, "There is /metrics")
            return
        data = self.text()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as inherited
        """Nothing: a line every few seconds tells nobody anything."""
