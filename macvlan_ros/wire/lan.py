"""The LAN as the plugin asks it: who answers for an address, on the interface that leads there."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence

from netaddr import IPAddress

from macvlan_ros.errors import AddressInUse, MacvlanRosError
from macvlan_ros.models.pools import Pool
from macvlan_ros.news import News
from macvlan_ros.wire.arp import open_wire
from macvlan_ros.wire.prober import Prober
from macvlan_ros.wire.scout import about_proxy, interface_on
from macvlan_ros.wire.siblings import Siblings
from macvlan_ros.wire.vendors import who

__all__ = ["Lan"]

_log = logging.getLogger(__name__)

#: Is told the pool, the addresses that were asked for, and the MACs of those who answered.
Heard = Callable[[Pool, Sequence[IPAddress], Mapping[IPAddress, str]], None]


class Lan:
    """Probes on the interfaces of this host; any number of threads may share it.

    `told` hears of each probe whether somebody answered, and `heard` who holds which of the
    addresses that were asked for because they are wanted; that is done as `timing` says ("fast" or
    "rfc5227"), and without `asked` never. Frames from a parent do not reach the containers over
    that very parent: those are known from the store, and `siblings` are asked when they are not.
    """

    def __init__(
        self,
        *,
        told: Callable[[bool], None] = lambda _: None,
        heard: Heard = lambda *_: None,
        asked: bool = True,
        timing: str = "fast",
        siblings: Siblings | None = None,
    ) -> None:
        self._siblings = siblings
        self._told = told
        self._heard = heard
        self._asked = asked
        self._timing = timing
        self._lock = threading.Lock()
        self._wires: dict[str, Prober] = {}
        self._news = News()

    def close(self) -> None:
        """Give the sockets back. Closing twice is fine."""
        with self._lock:
            wires, self._wires = list(self._wires.values()), {}
        for wire in wires:
            wire.close()

    def check(self, pool: Pool, address: IPAddress) -> None:
        """Raises AddressInUse when a stranger holds the address.

        A LAN that cannot be asked (no carrier, say) is no reason to refuse: the store decides.
        """
        try:
            answers = self._holders(pool, (address,))
        except MacvlanRosError as error:
            self._tell_deaf(error)
            return
        self._heard(pool, (address,), answers)
        holder = answers.get(address)
        if holder:
            raise AddressInUse(
                f"address {address} is in use on the LAN by {who(holder)}, which macvlan-ros knows "
                "nothing of; choose another, or find that device and move it"
            )

    def silent(self, pool: Pool, addresses: Sequence[IPAddress]) -> tuple[IPAddress, ...]:
        """Those of `addresses` that nobody answers for; all, when the LAN cannot be asked."""
        try:
            answers = self._holders(pool, addresses)
        except MacvlanRosError as error:
            self._tell_deaf(error)
            return tuple(addresses)
        self._heard(pool, addresses, answers)
        return tuple(each for each in addresses if each not in answers)

    def answering(
        self, pool: Pool, addresses: Sequence[IPAddress], *, timing: str = "fast"
    ) -> dict[IPAddress, str]:
        """The MACs of those who answer for some of the addresses, within 0.6 s for all of them
        with the timing "fast", 4 to 7 s with "rfc5227"; nobody does when no interface of this host
        stands on the pool's subnet.

        Raises what `Prober.probe` raises.
        """
        interface = interface_on(pool.subnet) if self._asked and addresses else ""
        if not interface:
            return {}
        with self._lock:
            if interface not in self._wires:
                self._wires[interface] = open_wire(interface)
            wire = self._wires[interface]
        answers = wire.probe(addresses, timing=timing)
        self._tell_proxy(interface, answers.proxy, pool.subnet.version)
        found = {address: answer.mac for address, answer in answers.items()}
        for address in addresses:
            self._told(address in found)
        return found

    def _holders(self, pool: Pool, addresses: Sequence[IPAddress]) -> dict[IPAddress, str]:
        found = self.answering(pool, addresses, timing=self._timing)
        if self._asked and self._siblings is not None:
            found |= self._siblings.answering(pool, addresses)
        return found

    def _tell_deaf(self, error: MacvlanRosError) -> None:
        """Say once why the LAN cannot be asked."""
        if self._news.is_new(str(error), about="the LAN"):
            _log.warning("the LAN is not asked, so the store alone decides: %s", error)

    def _tell_proxy(self, interface: str, proxy: str, version: int) -> None:
        """Say once that somebody's answers do not count."""
        if proxy and self._news.is_new((interface, proxy)):
            _log.warning("%s", about_proxy(proxy, interface, version))
