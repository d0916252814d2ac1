"""Herald: announces the addresses of containers as they come up, from outside of them.

A container that starts again may have another MAC, and neighbours keep the old one for a minute.
The service may not enter a container's namespace; so it waits until the kernel has the container's
MAC and then says for it, from this host, where it is.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from netaddr import IPAddress, IPNetwork

from macvlan_ros.errors import MacvlanRosError
from macvlan_ros.kernel.link_names import link_exists, shim_name
from macvlan_ros.state import DockerNetwork, Endpoint
from macvlan_ros.values import dataclass
from macvlan_ros.wire import scout
from macvlan_ros.wire.arp import Wire

__all__ = ["Herald"]

log = logging.getLogger("macvlan_ros.plugin")

_LOOK_EVERY = 0.05
# A container that is not up by then is not coming.
_PATIENCE = 30.0
# ANNOUNCE_INTERVAL and ANNOUNCE_NUM (RFC 5227, section 1.1)
_AGAIN = 2.0
_TIMES = 2
# Seconds for which an interface is taken to stand on the subnet that it stood on.
_GOOD = 1.0


@dataclass(frozen=True, slots=True)
class _News:
    parent: str
    subnet: IPNetwork
    mac: str
    since: float
    told: int = 0


class Herald:
    """Announces from `start` to `stop`. `running` gives the MACs of this host's containers."""

    def __init__(self, running: Callable[[], Collection[str]]) -> None:
        self._running = running
        self._news: dict[IPAddress, _News] = {}
        self._lock = threading.Lock()
        self._told, self._stopping = threading.Event(), threading.Event()
        self._parents: dict[IPNetwork, tuple[float, str]] = {}
        self._trouble = ""

    def start(self) -> None:
        """Begin; returns at once."""
        threading.Thread(target=self._run, name="macvlan-ros herald", daemon=True).start()

    def stop(self) -> None:
        """End; what is under way is not waited for."""
        self._stopping.set()
        self._told.set()

    def given(self, address: IPNetwork, mac: str) -> None:
        """A container with this MAC was given the address, which has its prefix length."""
        parent = self._parent_on(address.cidr)
        if parent:
            self._expect(parent, [address], mac)

    def _parent_on(self, subnet: IPNetwork) -> str:
        at, parent = self._parents.get(subnet, (-_GOOD, ""))
        if time.monotonic() - at > _GOOD:
            parent = scout.interface_on(subnet)
            self._parents[subnet] = (time.monotonic(), parent)
        return parent

    def attached(self, network: DockerNetwork, endpoint: Endpoint) -> None:
        """A container of a network of ours is about to come up."""
        self._expect(network.parent, endpoint.addresses, endpoint.mac)

    def _expect(self, parent: str, addresses: Sequence[IPNetwork], mac: str) -> None:
        now = time.monotonic()
        with self._lock:
            for own in addresses:
                self._news[own.ip] = _News(parent, own.cidr, mac.lower(), now)
        self._told.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            if not self._news:
                self._told.wait()
            self._told.clear()
            try:
                self._tell(self._running())
            except MacvlanRosError as error:
                self._complain(error)
            self._stopping.wait(_LOOK_EVERY)

    def _tell(self, running: Collection[str]) -> None:
        now = time.monotonic()
        with self._lock:
            for address in [one for one, news in self._news.items() if _is_over(news, now)]:
                del self._news[address]
            waiting = dict(self._news)
        for address, news in waiting.items():
            again_at = news.since + _AGAIN if news.told else 0.0
            if news.mac in running and now >= again_at:
                _announce(address, news)
                with self._lock:
                    if self._news.get(address) is news:
                        self._news[address] = replace(news, told=news.told + 1, since=now)

    def _complain(self, error: MacvlanRosError) -> None:
        if str(error) != self._trouble:
            self._trouble = str(error)
            log.warning("call=announce outcome=%s detail=%s", type(error).__name__, error)


def _is_over(news: _News, now: float) -> bool:
    return news.told >= _TIMES or now - news.since > _PATIENCE


def _announce(address: IPAddress, news: _News) -> None:
    """From the shim, whose frames reach the other containers here, too; without one, from the
    parent, whose frames do not."""
    shim = shim_name(news.parent)
    link = shim if link_exists(shim) else news.parent
    with Wire(link, subnets=[news.subnet]) as wire:
        wire.announce(address, news.mac, count=1)
