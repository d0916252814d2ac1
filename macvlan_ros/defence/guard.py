"""Guard: what to answer to a frame about one of our addresses, and which frames are conflicts.

Decides only; it neither sends nor listens. The rules for defending are those of RFC 5227, section
2.4, with one difference: the answer to a stranger who announces a defended address goes to that
stranger alone. Told to everybody, it would turn neighbours to a container that is down.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from netaddr import IPAddress

from macvlan_ros.errors import MacvlanRosError
from macvlan_ros.values import dataclass
from macvlan_ros.wire import frames
from macvlan_ros.wire.frames import Heard, Kind

_log = logging.getLogger(__name__)

Addresses = Mapping[IPAddress, str]

# Whoever probes waits a second and more for an answer; ten of them a second are plenty.
_ANSWER_EVERY = 0.1
# Each answer takes a look at the kernel, 2 ms: a hundred at once are fine, but not all the time.
_ANSWERS_AT_ONCE, _ANSWERS_A_SECOND = 100, 10
# DEFEND_INTERVAL (RFC 5227, section 1.1)
_DEFEND_EVERY = 10.0
# An address whose own MAC was heard is in use somewhere, whatever the store says.
_ALIVE_FOR = 60.0
_TELL_AGAIN = 60.0
_TELL_EVERY = 1.0
_MOST = 1024


@dataclass(frozen=True, slots=True)
class HeardConflict:
    """A stranger's MAC was heard with an address of ours, `count` times.

    `ours` is the MAC that the address belongs to. `running` tells a container that runs from a
    reservation whose container is down. `first` and `last` are seconds since the epoch.
    """

    address: IPAddress
    mac: str
    ours: str
    running: bool
    count: int
    first: float
    last: float


class Guard:
    """Knows our addresses from two functions: `defended`, the reservations whose container is
    down, and `running`, the containers that run, here or on another host; both with their MACs.

    While either raises one of our errors, nothing is answered: an address that may be in use is
    never defended. `macs` gives the MACs of this host's containers: one that stands on two networks
    may answer for one address with its other link's MAC, and is no stranger. `servers` are
    addresses whose plain questions about defended ones are answered like probes: DHCP servers ask
    before they offer.
    """

    def __init__(
        self,
        *,
        defended: Callable[[], Addresses],
        running: Callable[[], Addresses],
        macs: Callable[[], Collection[str]] = tuple,
        servers: Collection[IPAddress] = (),
        on_conflict: Callable[[HeardConflict], None] | None = None,
    ) -> None:
        self._read_defended, self._read_running = defended, running
        self._read_macs = macs
        self.servers = frozenset(servers)
        self._on_conflict = on_conflict
        self.defended: dict[IPAddress, str] = {}
        self.running: dict[IPAddress, str] = {}
        self._own: frozenset[str] = frozenset()
        self.trouble = ""
        self.answered = self.conflicting = 0
        self._alive: dict[IPAddress, float] = {}
        self._answered_at: dict[IPAddress, float] = {}
        self._defended_at: dict[IPAddress, float] = {}
        self._allowance = _Allowance(_ANSWERS_AT_ONCE, rate=_ANSWERS_A_SECOND)
        self._conflicts: dict[tuple[IPAddress, str], HeardConflict] = {}
        self._told: dict[tuple[IPAddress, str], float] = {}
        self._told_of: dict[IPAddress, float] = {}
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """Read the addresses anew."""
        self._read()
        self._forget_old(time.monotonic())

    def meet(self, heard: Heard, own_mac: str) -> bytes | None:
        """Note what a frame says, and return the frame to answer with, if any.

        `own_mac` is the interface's, which the answer's Ethernet header carries: a container's
        own would teach the switch a wrong way to it.
        """
        if own_mac in (heard.source, heard.mac):
            return None
        if heard.sender is not None and (reply := self._meet_claim(heard, heard.sender, own_mac)):
            return reply
        asks = heard.kind is Kind.PROBE or heard.sender in self.servers
        if not asks or heard.target not in self.defended:
            return None
        return self._answer(heard, heard.target, own_mac, self._answered_at, _ANSWER_EVERY)

    def conflicts(self) -> tuple[HeardConflict, ...]:
        """Every stranger that was met, the latest last; at most 1024."""
        with self._lock:
            return tuple(sorted(self._conflicts.values(), key=lambda one: one.last))

    def _read(self) -> None:
        try:
            # Running first: what starts between the two is then in neither, and not defended.
            self.running = _lowered(self._read_running())
            defended = _lowered(self._read_defended())
            macs = self._read_macs() if self.running or defended else ()
            self._own = frozenset(mac.lower() for mac in macs)
            self.trouble = ""
        except MacvlanRosError as error:
            defended = {}
            self.trouble = str(error)
        self.defended = {one: mac for one, mac in defended.items() if one not in self.running}

    def _meet_claim(self, heard: Heard, address: IPAddress, own_mac: str) -> bytes | None:
        ours = self.running.get(address) or self.defended.get(address)
        if ours is None:
            return None
        if heard.mac == ours:
            # Another host that defends it says so in its own frame, and is no sign of life.
            if heard.source == ours:
                self._alive[address] = time.monotonic()
            return None
        if heard.mac in self._own:
            return None
        self._record(heard, address, ours)
        if heard.kind is not Kind.ANNOUNCEMENT or address not in self.defended:
            return None
        return self._answer(heard, address, own_mac, self._defended_at, _DEFEND_EVERY)

    def _answer(
        self,
        heard: Heard,
        address: IPAddress,
        own_mac: str,
        last: dict[IPAddress, float],
        interval: float,
    ) -> bytes | None:
        now = time.monotonic()
        if _within(interval, last.get(address), now):
            return None
        if _within(_ALIVE_FOR, self._alive.get(address), now) or not self._allowance.take(now):
            return None
        last[address] = now
        # The container may have come up since the last look.
        self._read()
        mac = self.defended.get(address)
        if mac is None:
            return None
        self.answered += 1
        return frames.answer(heard, mac, source=own_mac, address=address)

    def _record(self, heard: Heard, address: IPAddress, ours: str) -> None:
        self.conflicting += 1
        now, key = time.time(), (address, heard.mac)
        with self._lock:
            known = self._conflicts.pop(key, None)
            if known is None:
                known = HeardConflict(
                    address, heard.mac, ours, address in self.running, 0, now, now
                )
                if len(self._conflicts) >= _MOST:
                    del self._conflicts[next(iter(self._conflicts))]
            known = replace(
                known, ours=ours, running=address in self.running, count=known.count + 1, last=now
            )
            self._conflicts[key] = known
        self._tell(known, time.monotonic())

    def _tell(self, conflict: HeardConflict, now: float) -> None:
        """Log a stranger once in a minute, and strangers of one address once in a second."""
        key = (conflict.address, conflict.mac)
        if _within(_TELL_AGAIN, self._told.get(key), now):
            return
        if _within(_TELL_EVERY, self._told_of.get(conflict.address), now):
            return
        self._told[key] = self._told_of[conflict.address] = now
        _log.warning(
            "%s is used by %s, which is not ours; it belongs to %s (frames heard: %d)",
            *(conflict.address, conflict.mac, conflict.ours, conflict.count),
        )
        if self._on_conflict is not None:
            self._on_conflict(conflict)

    def _forget_old(self, now: float) -> None:
        """Keep no time of what is past mattering: strangers choose how much there is."""
        for kept, age in (
            (self._alive, _ALIVE_FOR),
            (self._answered_at, _ANSWER_EVERY),
            (self._defended_at, _DEFEND_EVERY),
            (self._told_of, _TELL_EVERY),
        ):
            for address in [one for one, at in kept.items() if now - at >= age]:
                del kept[address]
        for key in [one for one, at in self._told.items() if now - at >= _TELL_AGAIN]:
            del self._told[key]


class _Allowance:
    """So many at once, and then so many a second."""

    def __init__(self, most: int, *, rate: int) -> None:
        self._most, self._rate = most, rate
        self._left, self._since = float(most), time.monotonic()

    def take(self, now: float) -> bool:
        self._left = min(self._most, self._left + (now - self._since) * self._rate)
        self._since = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def _within(interval: float, last: float | None, now: float) -> bool:
    return last is not None and now - last < interval


def _lowered(addresses: Addresses) -> dict[IPAddress, str]:
    return {address: mac.lower() for address, mac in addresses.items()}
