"""Presence: whether the container that an address was given to is still there.

Docker does not say it, and must not be asked while it waits for an answer of ours. So the kernel
and the wire are asked: an address counts as free only when its endpoint is gone, no container of
this host has its MAC, and nobody on the LAN answers for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timezone

from netaddr import IPAddress

from macvlan_ros.endpoints import Endpoints
from macvlan_ros.errors import MacvlanRosError
from macvlan_ros.models.pools import STATIC, Pool
from macvlan_ros.reserving.around import Ask
from macvlan_ros.state import State
from macvlan_ros.stores.base import Store
from macvlan_ros.uses import Uses

__all__ = ["Presence"]

# Seconds between the grant of an address and the moment at which its container is seen, with room
# to spare: it takes a tenth of that on a PC.
_IN_FLIGHT = 1.5


class Presence:
    """Asks the kernel and the wire.

    `running` gives the MACs of this host's macvlan links, in whichever namespace they are.
    `answering` gives the MACs of those who answer for addresses on the LAN; it raises when it
    cannot ask.
    """

    def __init__(
        self,
        store: Store,
        endpoints: Endpoints,
        *,
        host: str,
        running: Callable[[], Collection[str]],
        answering: Ask,
    ) -> None:
        self._store = store
        self._state = State(store, host=host)
        self._uses = Uses(store, host=host)
        self._endpoints = endpoints
        self._running = running
        self._answering = answering

    def gone(self, pool: Pool, address: IPAddress) -> bool:
        """Whether the container that had the address is no more; False when in doubt.

        An address that was given out just now is waited for: its container may be on its way.
        """
        _wait(self._holder(pool, address)[1])
        return bool(self.gone_among(pool, (address,), settled=_IN_FLIGHT))

    def gone_among(
        self, pool: Pool, addresses: Sequence[IPAddress], *, settled: float
    ) -> tuple[IPAddress, ...]:
        """Those of `addresses` whose containers are no more; none when in doubt.

        One that was given out less than `settled` seconds ago is on its way, not gone.
        """
        try:
            running = self._running() if addresses else ()
            quiet = [
                address
                for address in addresses
                if self._left(pool, address, running=running, settled=settled)
            ]
            answers = self._answering(pool, quiet) if quiet else {}
        except MacvlanRosError:
            return ()
        return tuple(address for address in quiet if address not in answers)

    def runs_here(self, mac: str) -> bool:
        """Whether a container of this host has the MAC; False when the kernel does not tell."""
        if self._endpoints.departed(mac):
            return False
        try:
            return mac in self._running()
        except MacvlanRosError:
            return False

    def _left(
        self, pool: Pool, address: IPAddress, *, running: Collection[str], settled: float
    ) -> bool:
        """Whether nothing on this host has the address any more."""
        endpoint = self._state.endpoint_at(address)
        mac, since = self._holder(pool, address)
        if endpoint is not None:
            return self._endpoints.is_gone(endpoint, settled=settled) and mac not in running
        return mac not in running and not 0 <= time.time() - since < settled

    def _holder(self, pool: Pool, address: IPAddress) -> tuple[str, float]:
        """The MAC to look for, and since when (seconds since 1970)."""
        use = self._uses.find(pool.name, address)
        if use is not None:
            return use.mac, use.since
        held = self._store.holder(address)
        if held is None or held.kind == STATIC:
            return "", 0.0
        return held.mac, _moment(held.created)


def _moment(created: str) -> float:
    """Seconds since 1970 of a reservation's time; now, if it has none that can be read."""
    try:
        found = datetime.strptime(created, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return time.time()
    return found.replace(tzinfo=timezone.utc).timestamp()


def _wait(since: float) -> None:
    """Let `_IN_FLIGHT` pass since that moment; a clock that was set back makes no difference."""
    left = since + _IN_FLIGHT - time.time()
    if 0 < left <= _IN_FLIGHT:
        time.sleep(left + 0.01)
