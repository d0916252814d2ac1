"""Probing: how often to ask, when to stop, and what the answers mean. Sends nothing itself.

The rules are RFC 5227's, section 2.1.1. They hold for every way of asking: a way of asking is a
function that puts one question for each address, listens for so many seconds, and hands each
answer to the `Tally`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from netaddr import IPAddress, IPNetwork, spanning_cidr

from macvlan_ros.errors import Unavailable
from macvlan_ros.values import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """Somebody holds the address. `latency_s` is counted from the last question before it.
    `sent_by` is the MAC of a machine that said so for another, "" when `mac` spoke for itself."""

    mac: str
    latency_s: float
    sent_by: str = ""


class Probed(Mapping[IPAddress, Answer]):
    """The addresses that strangers hold.

    `proxy` is the MAC of a machine that answers for every address, also for those that nobody
    holds (a proxy-ARP router); its answers say nothing and are left out. "" when there is none.
    """

    def __init__(self, answers: Mapping[IPAddress, Answer], *, proxy: str = "") -> None:
        self._answers = dict(answers)
        self.proxy = proxy

    def __getitem__(self, address: IPAddress) -> Answer:
        return self._answers[address]

    def __iter__(self) -> Iterator[IPAddress]:
        return iter(self._answers)

    def __len__(self) -> int:
        return len(self._answers)

    def __repr__(self) -> str:
        return f"Probed({self._answers!r}, proxy={self.proxy!r})"


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds between questions, each a lowest and a highest between which chance decides.

    `rivals` says whether somebody else's probe for the same address is a conflict. In the fast
    form it is not: our own hosts look ahead in one pool, and would drive one another away.
    """

    wait: tuple[float, float]
    gaps: tuple[tuple[float, float], ...]
    settle: float
    rivals: bool

    def windows(self) -> list[float]:
        """How long to listen after each question."""
        return [*(random.uniform(*gap) for gap in self.gaps), self.settle]


#: Three questions, 200 ms each: on a LAN that loses one frame in five they find 99 %.
FAST = Timing(wait=(0, 0), gaps=((0.2, 0.2),) * 2, settle=0.2, rivals=False)
#: PROBE_WAIT, PROBE_NUM, PROBE_MIN, PROBE_MAX, ANNOUNCE_WAIT (RFC 5227, section 1.1): 4 to 7 s.
RFC5227 = Timing(wait=(0, 1), gaps=((1, 2),) * 2, settle=2, rivals=True)
TIMINGS: Mapping[str, Timing] = {"fast": FAST, "rfc5227": RFC5227}

_CONTROLS = 8
# The controls of an IPv6 address lie in a part of its subnet with so long a prefix, or a shorter.
_LONGEST_PART = 112
_CONTROL_WINDOWS = (0.2, 0.2)
# A machine with many addresses of its own must not pass for a proxy: that one answers for nearly
# all that were asked, and for nearly all of the controls, which lie all over the subnet.
_MOST_OF_ASKED, _MOST_OF_CONTROLS, FEWEST = 0.9, 0.75, 4
_MACS_KEPT = 8
_AGAIN = 3


class Tally:
    """Who answered for which of `addresses`. MACs in `mine` are ours, and count for nothing."""

    def __init__(self, addresses: Iterable[IPAddress], mine: Collection[str] = ()) -> None:
        self._replies: dict[IPAddress, dict[str, float]] = {one: {} for one in addresses}
        self._for_others: dict[tuple[IPAddress, str], str] = {}
        self._silent = dict.fromkeys(self._replies)
        self._mine = {mac.lower() for mac in mine}
        self._proxy = ""

    def __len__(self) -> int:
        return len(self._replies)

    def hear(self, address: IPAddress, mac: str, latency_s: float, *, sent_by: str = "") -> None:
        """Note an answer; one for an address that was not asked for is passed over. `sent_by` is
        the MAC that the frame came from, when it speaks for another."""
        replies = self._replies.get(address)
        if replies is None or mac in self._mine or len(replies) >= _MACS_KEPT:
            return
        replies.setdefault(mac, max(0.0, latency_s))
        # the holder's own word counts for more than another's for it
        if sent_by in ("", mac):
            self._for_others[address, mac] = ""
        else:
            self._for_others.setdefault((address, mac), sent_by)
        if mac != self._proxy:
            self._silent.pop(address, None)

    @property
    def proxy(self) -> str:
        """The MAC whose answers say nothing, or ""."""
        return self._proxy

    @proxy.setter
    def proxy(self, mac: str) -> None:
        self._proxy = mac
        self._silent = dict.fromkeys(
            one for one, replies in self._replies.items() if not replies.keys() - {mac}
        )

    @property
    def finished(self) -> bool:
        """Somebody has answered for every address."""
        return not self._silent

    @property
    def open(self) -> list[IPAddress]:
        """The addresses that nobody has answered for, as far as an answer says anything."""
        return list(self._silent)

    def answered_by(self, mac: str) -> int:
        """For how many addresses `mac` answered."""
        return sum(mac in replies for replies in self._replies.values())

    def suspect(self) -> str:
        """The MAC that answered for nearly every address, or ""."""
        counts: dict[str, int] = {}
        for replies in self._replies.values():
            for mac in replies:
                counts[mac] = counts.get(mac, 0) + 1
        most = max(counts, key=lambda mac: counts[mac], default="")
        return most if most and counts[most] >= _MOST_OF_ASKED * len(self) else ""

    def others(self, mac: str) -> int:
        """For how many addresses somebody answered, but not `mac`."""
        return sum(bool(replies) and mac not in replies for replies in self._replies.values())

    def answers(self) -> Iterator[tuple[IPAddress, Answer]]:
        """Every address with everybody who answered for it, the first first, a proxy too."""
        for address, replies in self._replies.items():
            for mac, latency in replies.items():
                yield address, Answer(mac, latency, self._for_others.get((address, mac), ""))

    def probed(self) -> Probed:
        """The first to answer for each address."""
        answers: dict[IPAddress, Answer] = {}
        for address, answer in self.answers():
            if answer.mac != self.proxy:
                answers.setdefault(address, answer)
        return Probed(answers, proxy=self.proxy)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast to ask: questions a second, and whom to tell after each handful (how many)."""

    rate: float
    asked: Callable[[int], None]


class Exchange(Protocol):
    """Ask once for each of `addresses`, then listen for `seconds`; return how many frames the
    kernel had to drop. Ends early once the tally is finished, if anything was asked."""

    def __call__(
        self,
        addresses: Sequence[IPAddress],
        seconds: float,
        tally: Tally,
        *,
        rivals: bool = False,
        pace: Pace | None = None,
    ) -> int: ...


def inquire(
    tally: Tally, exchange: Exchange, *, timing: Timing, controls: Sequence[IPAddress] = ()
) -> None:
    """Fill `tally` by asking as `timing` says. Bounded by its windows and a second.

    `controls` are addresses that were not asked for: whoever answers for nearly all of them, too,
    is a proxy. Raises Unavailable when frames were lost to the last, so that silence means nothing.
    """
    rivals, listening = timing.rivals, random.uniform(*timing.wait)
    if listening:
        exchange([], listening, tally, rivals=rivals)
    windows, cleared = timing.windows(), ""
    lost = again = 0
    while windows and not tally.finished:
        lost = exchange(tally.open, windows.pop(0), tally, rivals=rivals)
        suspect = "" if tally.proxy else tally.suspect()
        if suspect and suspect != cleared:
            tally.proxy, cleared = _judge(suspect, tally, exchange, controls), suspect
        if lost and not windows and again < _AGAIN:
            # ask again for those that are left, with a filter that lets in only them
            again += 1
            windows = [timing.settle]
    if lost and not tally.finished:
        raise Unavailable(
            f"so many ARP frames arrive that {lost} were lost, and nobody can tell whether "
            f"{tally.open[0]} is free; find what floods the LAN, then try again"
        )


def _judge(suspect: str, tally: Tally, exchange: Exchange, controls: Sequence[IPAddress]) -> str:
    """`suspect` if it answers for nearly all of `controls`, too; else ""."""
    if not controls:
        return suspect if tally.answered_by(suspect) >= FEWEST else ""
    check = Tally(controls)
    for seconds in _CONTROL_WINDOWS:
        exchange(check.open, seconds, check)
        answered = check.answered_by(suspect)
        enough = answered >= _MOST_OF_CONTROLS * (len(check) - check.others(suspect))
        if answered and enough and tally.answered_by(suspect) + answered >= FEWEST:
            return suspect
        if not answered:
            break
    return ""


def _part_round(asked: Collection[IPAddress], subnet: IPNetwork) -> IPNetwork:
    span = spanning_cidr([min(asked), max(asked)]) if len(asked) > 1 else IPNetwork(min(asked))
    length = max(subnet.prefixlen, min(span.prefixlen, _LONGEST_PART))
    return IPNetwork((span.first, length), version=6).cidr


def control_addresses(subnet: IPNetwork, asked: Collection[IPAddress]) -> list[IPAddress]:
    """Up to eight usable addresses of `subnet`, spread over it, that were not asked for.

    In IPv6 they lie in the part of it round those that were: a router may answer for no more than
    the prefix that the pool is in, and no machine holds most of such a part.
    """
    if subnet.version == 6 and asked:
        subnet = _part_round(asked, subnet)
    edge = 1 if subnet.version == 4 and subnet.prefixlen < 31 else 0
    first, last = subnet.first + edge, subnet.last - edge
    taken = {int(one) for one in asked}
    found: list[IPAddress] = []
    for part in range(_CONTROLS):
        start = first + (last - first + 1) * part // _CONTROLS
        end = first + (last - first + 1) * (part + 1) // _CONTROLS
        # the middle of each eighth, or the first beside it that was not asked for
        middle = range(start + (end - start) // 2, end), range(start, start + (end - start) // 2)
        free = next((one for half in middle for one in half if one not in taken), None)
        if free is not None:
            found.append(IPAddress(free, subnet.version))
    return found
