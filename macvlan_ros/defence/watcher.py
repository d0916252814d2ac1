"""Watcher: defends reserved addresses that nobody uses, and sees strangers on those in use.

It listens on one interface, in a thread of its own. The kernel's filter lets in only frames about
our addresses, so that a busy LAN costs next to nothing.
"""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeAlias

from netaddr import IPAddress

from macvlan_ros.defence.guard import Addresses, Guard, HeardConflict
from macvlan_ros.errors import MacvlanRosError
from macvlan_ros.values import dataclass
from macvlan_ros.wire import bpf, frames
from macvlan_ros.wire.frames import ETH_ARP, ETH_IPV6
from macvlan_ros.wire.packet_port import Port

__all__ = ["Counts", "Watcher"]

_log = logging.getLogger(__name__)

_REFRESH_EVERY = 1.0
_RETRY_EVERY = 1.0
_PATIENCE = 5.0
# It rests after each batch, so that a thousand frames a second are fifty wake-ups and no more.
_REST = 0.02
_BATCHES = 4

#: The addresses that are defended, those that run, and the servers.
_Tuning: TypeAlias = tuple[frozenset[IPAddress], frozenset[IPAddress], frozenset[IPAddress]]

_NOTHING: _Tuning = (frozenset(), frozenset(), frozenset())


@dataclass(frozen=True, slots=True)
class Counts:
    """Since the start: frames that were read, answers that were sent, conflicting frames, and
    frames that were lost because too many came at once."""

    read: int
    answered: int
    conflicting: int
    lost: int


class Watcher:
    """Watches one interface from `start` to `stop`.

    `defended` gives the reservations whose container is down, `running` the addresses of our
    containers that run, here or on another host, both with their MACs; `macs` the MACs of this
    host's containers, which are no strangers whatever they say; `servers` are DHCP servers that are
    answered like probers. The functions are called in the watcher's thread: every second, after
    `refresh`, and before each answer, so they must be quick. An address that `running` has is never
    answered for. `on_conflict` is called in that thread, too, once a minute for each stranger and
    address; it must not raise.
    """

    def __init__(
        self,
        interface: str,
        *,
        defended: Callable[[], Addresses],
        running: Callable[[], Addresses],
        macs: Callable[[], Collection[str]] = tuple,
        servers: Collection[IPAddress] = (),
        on_conflict: Callable[[HeardConflict], None] | None = None,
        namespace: Path | None = None,
    ) -> None:
        self.interface = interface
        self._namespace = namespace
        self._guard = Guard(
            defended=defended,
            running=running,
            macs=macs,
            servers=servers,
            on_conflict=on_conflict,
        )
        self._ports: dict[int, Port] = {}
        self._tuned = _NOTHING
        self._read = self._lost = 0
        self._trouble = ""
        self._stopping, self._tried = threading.Event(), threading.Event()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._wake_lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; returns when it listens, or cannot yet. An interface that is missing or down is
        waited for. Starting twice is fine; a watcher that was stopped stays so."""
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, name=f"watch {self.interface}", daemon=True
            )
            self._thread.start()
            self._tried.wait(_PATIENCE)

    def stop(self) -> None:
        """End, and wait for the thread, at most 5 s. Stopping twice is fine."""
        with self._wake_lock:
            if self._stopping.is_set():
                return
            self._stopping.set()
            os.eventfd_write(self._wake, 1)
        if self._thread is not None:
            self._thread.join(_PATIENCE)
        if self._thread is None or not self._thread.is_alive():
            os.close(self._wake)

    def refresh(self) -> None:
        """Read the addresses now: a container has come up or gone."""
        with self._wake_lock:
            if not self._stopping.is_set():
                os.eventfd_write(self._wake, 1)

    def heed(self, servers: Collection[IPAddress]) -> None:
        """From now on answer these DHCP servers, and no others, like probers."""
        self._guard.servers = frozenset(servers)
        self.refresh()

    def conflicts(self) -> tuple[HeardConflict, ...]:
        """Every stranger that was met, the latest last; at most 1024 are kept."""
        return self._guard.conflicts()

    @property
    def counts(self) -> Counts:
        """What it has done so far."""
        guard = self._guard
        return Counts(self._read, guard.answered, guard.conflicting, self._lost)

    @property
    def thread_id(self) -> int:
        """The system's number of its thread, for who measures what it costs; 0 before start."""
        return (self._thread and self._thread.native_id) or 0

    @property
    def trouble(self) -> str:
        """Why it does not watch, or not defend, at the moment; "" when all is well."""
        return self._trouble or self._guard.trouble

    def __enter__(self) -> Watcher:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except MacvlanRosError as error:
                if str(error) != self._trouble:
                    _log.warning("cannot watch %s: %s", self.interface, error)
                self._trouble = str(error)
            finally:
                self._close_ports()
            self._tried.set()
            self._stopping.wait(_RETRY_EVERY)

    def _listen(self) -> None:
        """Until told to stop; raises when the interface goes."""
        self._guard.refresh()
        self._tune()
        self._trouble = ""
        self._tried.set()
        due = time.monotonic() + _REFRESH_EVERY
        while not self._stopping.is_set():
            woken, ready = self._wait(due - time.monotonic())
            if woken or time.monotonic() >= due:
                due = time.monotonic() + _REFRESH_EVERY
                self._guard.refresh()
                self._tune()
                self._lost += sum(port.lost() for port in self._ports.values())
            if ready:
                self._serve()
                self._stopping.wait(_REST)

    def _tune(self) -> None:
        """Open what the addresses need, and let in only frames about them."""
        guard = self._guard
        wanted = (frozenset(guard.defended), frozenset(guard.running), guard.servers)
        if wanted == self._tuned:
            return
        for version in (4, 6):
            asked = [one for one in guard.defended if one.version == version]
            claims = asked + [one for one in guard.running if one.version == version]
            if claims or version in self._ports:
                self._tune_port(version, asked, claims)
        self._tuned = wanted

    def _tune_port(self, version: int, asked: list[IPAddress], claims: list[IPAddress]) -> None:
        if version == 4:
            port = self._port(4, ETH_ARP)
            port.filter(bpf.arp(claims=claims, asked=asked, askers=self._guard.servers))
            return
        if (old := self._ports.pop(6, None)) is not None:
            old.close()  # which leaves the groups of former addresses
        port = self._port(6, ETH_IPV6)
        for address in asked:
            port.join(address)
        port.filter(bpf.neighbour_discovery(claims=claims, asked=asked))

    def _port(self, version: int, protocol: int) -> Port:
        if version not in self._ports:
            self._ports[version] = Port(self.interface, protocol, namespace=self._namespace)
        return self._ports[version]

    def _wait(self, seconds: float) -> tuple[bool, bool]:
        """Wait for `refresh`, or for a frame; which of them came."""
        poll = select.poll()
        for handle in (self._wake, *(port.fileno() for port in self._ports.values())):
            poll.register(handle, select.POLLIN)
        ready = {handle for handle, _ in poll.poll(max(0.0, seconds) * 1000)}
        if woken := self._wake in ready:
            os.eventfd_read(self._wake)
        return woken, bool(ready - {self._wake})

    def _serve(self) -> None:
        """Meet the frames that are there, and answer."""
        for port in self._ports.values():
            for _ in range(_BATCHES):
                received = port.receive(0)
                self._read += len(received)
                for frame in received:
                    self._meet(frame, port)
                if not received:
                    break

    def _meet(self, frame: bytes, port: Port) -> None:
        heard = frames.parse(frame)
        reply = self._guard.meet(heard, port.mac) if heard is not None else None
        if reply is not None:
            port.send(reply)

    def _close_ports(self) -> None:
        for port in self._ports.values():
            port.close()
        self._ports.clear()
        self._tuned = _NOTHING
