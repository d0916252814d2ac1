"""The survey: asks the LAN, now and then, about what is to be defended there."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from netaddr import IPAddress, IPNetwork

from macvlan_ros.defence.guard import HeardConflict
from macvlan_ros.defence.outlook import Outlook
from macvlan_ros.errors import MacvlanRosError
from macvlan_ros.news import News
from macvlan_ros.reserving.silence import Silence
from macvlan_ros.wire import dhcp
from macvlan_ros.wire.arp import Wire

__all__ = ["Survey"]

_log = logging.getLogger(__name__)

_EVERY = 1.0
_SERVERS_EVERY = 3600.0
_PATIENCE = 6.0


class Survey:
    """Has a thread of its own from `start` to `stop`.

    `told` hears when other addresses are silent than before, `on_conflict` of strangers that answer
    for reserved addresses, `on_servers` which DHCP servers there are behind an interface.
    """

    def __init__(
        self,
        outlook: Outlook,
        *,
        told: Callable[[], None],
        on_conflict: Callable[[HeardConflict], None],
        on_servers: Callable[[str, Collection[IPAddress]], None],
    ) -> None:
        self._outlook = outlook
        self._silence = Silence()
        self._wires: dict[tuple[str, frozenset[IPNetwork]], Wire] = {}
        self._told = told
        self._on_conflict = on_conflict
        self._on_servers = on_servers
        self._answering: dict[IPAddress, str] = {}
        self._news = News()
        self._servers_at: dict[str, float] = {}
        self._stopping, self._due = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch survey", daemon=True)

    def start(self) -> None:
        """Begin; returns at once. To be called once."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait some seconds at most for an answer that is waited for."""
        self._stopping.set()
        self._due.set()
        if self._thread.is_alive():
            self._thread.join(_PATIENCE)

    def hurry(self) -> None:
        """Other containers are down than before."""
        self._due.set()

    def silent(self, addresses: Iterable[IPAddress]) -> set[IPAddress]:
        """Those of the addresses that nobody answered for lately; at once."""
        return {one for one in addresses if self._silence.holds(one)}

    def _run(self) -> None:
        while not self._stopping.is_set():
            with suppress(MacvlanRosError):
                self._forget()
            for interface in self._outlook.interfaces():
                try:
                    self._ask(interface)
                    self._news.over(interface)
                except MacvlanRosError as error:
                    self._complain(interface, str(error))
            for interface in self._outlook.interfaces():
                self._find_servers(interface)
            self._due.wait(_EVERY)
            self._due.clear()
        self._close_wires()

    def _complain(self, interface: str, trouble: str) -> None:
        if self._news.is_new(trouble, about=interface):
            _log.warning("nothing new is defended on %s: %s", interface, trouble)

    def _forget(self) -> None:
        down: set[IPAddress] = set()
        for interface in self._outlook.interfaces():
            down.update(self._outlook.down(interface))
        self._silence.keep(down)
        self._answering = {one: mac for one, mac in self._answering.items() if one in down}

    def _ask(self, interface: str) -> None:
        down = self._outlook.down(interface)
        while (asked := self._silence.due(down)) and not self._stopping.is_set():
            answers = self._silence.renew(asked, partial(self._probe, interface))
            self._told()
            self._take_in(asked, answers, down)

    def _probe(self, interface: str, addresses: Sequence[IPAddress]) -> dict[IPAddress, str]:
        """Who answers for the addresses; takes 0.6 s for each subnet. A parent is asked on even
        without an address of its own."""
        key = (interface, self._outlook.subnets(interface))
        if key not in self._wires:
            self._close_wires(interface)
            self._wires[key] = Wire(interface, subnets=key[1])
        found = self._wires[key].probe(addresses)
        return {address: answer.mac for address, answer in found.items()}

    def _close_wires(self, interface: str = "") -> None:
        for key in [key for key in self._wires if interface in ("", key[0])]:
            self._wires.pop(key).close()

    def _take_in(
        self,
        asked: Iterable[IPAddress],
        answers: Mapping[IPAddress, str],
        down: Mapping[IPAddress, str],
    ) -> None:
        own = self._outlook.macs()
        for address in asked:
            before, mac = self._answering.pop(address, ""), answers.get(address, "")
            if mac:
                self._answering[address] = mac
            # With its own MAC it is the container, on a host with a store of its own; one of this
            # host's may answer with the MAC of its other link.
            if mac and mac != down[address] and mac not in own:
                self._tell(address, mac, down[address], again=mac == before)

    def _tell(self, address: IPAddress, mac: str, ours: str, *, again: bool) -> None:
        if not again:
            _log.warning("%s is used by %s, but it is reserved for %s", address, mac, ours)
        now = time.time()
        self._on_conflict(
            HeardConflict(address, mac, ours, running=False, count=1, first=now, last=now)
        )

    def _find_servers(self, interface: str) -> None:
        """A DHCP server asks before it offers, but not as others do; so it must be known."""
        asked = self._servers_at.get(interface)
        if asked is not None and time.monotonic() - asked < _SERVERS_EVERY:
            return
        with suppress(MacvlanRosError):
            if self._stopping.is_set() or not self._outlook.down(interface):
                return
            self._servers_at[interface] = time.monotonic()
            offers = dhcp.find_servers(interface, stopped=self._stopping.is_set)
            servers = [offer.server for offer in offers]
            if servers:
                _log.info("DHCP servers on %s: %s", interface, ", ".join(map(str, servers)))
            self._on_servers(interface, servers)
