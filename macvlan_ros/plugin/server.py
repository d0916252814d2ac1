"""The server: libnetwork's calls over HTTP on a Unix socket, each one bounded.

dockerd waits for a plugin as long as the plugin takes, and holds locks meanwhile. So nothing
here may hang: reading a request, doing it and answering it each have a limit, and when the limit
is reached the caller gets an error while the stuck work stays behind on its own thread.

One thread takes a request, does it, answers it, and takes the next: most take a millisecond, and
threads that wait for one another's turn would cost Python as much again. When one takes longer,
another thread goes on with those behind it.
"""

from __future__ import annotations

import json
import logging
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping

from macvlan_ros.plugin.counting import Metrics, NoMetrics
from macvlan_ros.plugin.exchange import Exchange, Limits, Route

__all__ = ["Server"]

log = logging.getLogger("macvlan_ros.plugin")

# Seconds: after so long a request no longer holds up those behind it, and so often that is looked
# at while there are any.
_SOON = 0.01
_LOOK = 0.005


class Server:
    """Serves `routes`, path by path, on a socket that is bound and listens already."""

    def __init__(
        self,
        listener: socket.socket,
        routes: Mapping[str, Route],
        *,
        limits: Limits | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        listener.setblocking(False)
        self._listener = listener
        self._routes = routes
        self._limits = limits or Limits()
        self._metrics: Metrics = metrics or NoMetrics()
        self._changed = threading.Condition()
        self._running: set[Exchange] = set()
        # What the thread that takes connections has in hand.
        self._front: Exchange | None = None
        self._taking = False
        # Readable once the rope is closed: the server shall stop.
        self._bell, self._rope = socket.socketpair()

    def start(self) -> None:
        """Begin to serve, on threads of its own."""
        self._taking = True
        self._begin(self._attend)
        self._begin(self._watch)

    def stop(self, seconds: float) -> bool:
        """Serve who has connected already, and wait so long for what is running. False when that
        was not long enough."""
        self._rope.close()
        with self._changed:
            return self._changed.wait_for(self._has_ended, timeout=seconds)

    def _has_ended(self) -> bool:
        return not self._taking and all(each.answered for each in self._running)

    def _begin(self, work: Callable[[], None]) -> None:
        # Daemons, so that what is stuck cannot keep the process alive.
        threading.Thread(target=work, name="macvlan-ros server", daemon=True).start()

    def _attend(self) -> None:
        """Serve one connection after the other, until another thread does."""
        while (connection := self._take()) is not None:
            exchange = Exchange(
                connection,
                self._routes,
                limits=self._limits,
                metrics=self._metrics,
                step_aside=self._step_aside,
            )
            with self._changed:
                full = len(self._running) >= self._limits.connections
                if not full:
                    self._front = exchange
                    self._running.add(exchange)
                    self._changed.notify_all()
            if full:
                exchange.turn_away()
                continue
            exchange.serve()
            with self._changed:
                self._running.remove(exchange)
                self._changed.notify_all()
                if self._front is not exchange:
                    return
                self._front = None
        self._bell.close()
        with self._changed:
            self._taking = False
            self._changed.notify_all()

    def _step_aside(self, slow: Exchange) -> None:
        """Have another thread take the connections behind this one."""
        with self._changed:
            if self._front is slow:
                try:
                    self._begin(self._attend)
                except RuntimeError as error:  # the system gives no more threads
                    log.warning("call=- outcome=NoThread detail=%s", json.dumps(str(error)))
                else:
                    self._front = None

    def _take(self) -> socket.socket | None:
        """The next connection; None when there is none and the server stops."""
        waited_for = (self._listener, self._bell)
        while self._listener in select.select(waited_for, (), ())[0]:
            if (connection := self._accept()) is not None:
                return connection
        return None

    def _accept(self) -> socket.socket | None:
        """A connection that waits already, if there is one."""
        try:
            return self._listener.accept()[0]
        except BlockingIOError:
            return None
        except OSError as error:
            log.warning("call=- outcome=NotTaken detail=%s", json.dumps(str(error)))
            time.sleep(_LOOK)  # there may be no descriptor left
            return None

    def _watch(self) -> None:
        """Answer in place of what is stuck, and let nobody wait behind what takes long."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._running or not self._taking)
                if not self._running:
                    return
            time.sleep(_LOOK)
            now = time.monotonic()
            with self._changed:
                front, running = self._front, tuple(self._running)
            if front is not None and now - front.began > _SOON:
                self._step_aside(front)
            for each in running:
                each.watch(now)
            with self._changed:
                self._changed.notify_all()
