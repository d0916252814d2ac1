"""Prober: who holds an address, and who is on the LAN, over any way of asking."""

from __future__ import annotations

import abc
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from netaddr import IPAddress, IPNetwork

from macvlan_ros.closing import Closing
from macvlan_ros.errors import BadSubnet, InvalidRequest
from macvlan_ros.kernel import procnet
from macvlan_ros.kernel.namespaces import inside
from macvlan_ros.values import dataclass
from macvlan_ros.wire import probing
from macvlan_ros.wire.probing import Exchange, Pace, Probed, Tally, Timing

#: A larger subnet is not scanned: at the polite rate it would take more than four minutes.
LARGEST_SCAN = 65536
#: Up to so many addresses are asked for in one burst.
BURST = 256
#: Questions a second in a larger scan.
POLITE_RATE = 1000.0
_FASTEST_RATE = 100_000.0


@dataclass(frozen=True, slots=True)
class Seen:
    """Somebody on the LAN. An address that two MACs answer for is seen twice.

    `proxy` marks answers of a machine that answers for every address. `sent_by` is the MAC of a
    machine that said so for another, as who defends an address does.
    """

    address: IPAddress
    mac: str
    latency_s: float
    proxy: bool = False
    sent_by: str = ""


class Prober(Closing, abc.ABC):
    """Asks on one interface, and only for addresses of that interface's own subnets.

    `subnets` are additional ones that may be asked for: a parent need not have an address of its
    own. `namespace` is the path of the network namespace that the interface is in, None for
    this one.
    """

    #: What "fast" and "rfc5227" mean for this way of asking.
    timings: Mapping[str, Timing] = probing.TIMINGS
    #: Seconds to wait for the last answers of each round of a scan.
    scan_window = 0.2

    def __init__(
        self, interface: str, *, subnets: Iterable[IPNetwork] = (), namespace: Path | None = None
    ) -> None:
        self.interface = interface
        self.namespace = namespace
        self._subnets = tuple(subnets)

    def probe(
        self, addresses: Iterable[IPAddress], *, timing: str = "fast", mine: Collection[str] = ()
    ) -> Probed:
        """Which of `addresses` strangers hold; MACs in `mine` are no strangers.

        All are asked for at once; it ends early when somebody has answered for each. `timing` is
        "fast" (0.6 s) or "rfc5227" (4 to 7 s; another's probe for the same address counts as an
        answer). Raises BadSubnet, ParentNotFound, KernelRefused, Unavailable.
        """
        wanted = list(dict.fromkeys(addresses))
        rules = self._timing(timing)
        subnets = self.reachable()
        homes = {one: self._home(one, subnets) for one in wanted}
        found: dict[IPAddress, probing.Answer] = {}
        proxy = ""
        for subnet in dict.fromkeys(homes.values()):
            inside_it = [one for one in wanted if homes[one] == subnet]
            tally = Tally(inside_it, mine)
            controls = probing.control_addresses(subnet, inside_it)
            with self._asking(subnet.version, rivals=inside_it if rules.rivals else ()) as ask:
                probing.inquire(tally, ask, timing=rules, controls=controls)
            found.update(tally.probed())
            proxy = proxy or tally.proxy
        return Probed(found, proxy=proxy)

    def scan(
        self,
        subnet: IPNetwork,
        *,
        rate: float | None = None,
        progress: Callable[[int, int], None] | None = None,
        known: Iterable[IPAddress] = (),
    ) -> tuple[Seen, ...]:
        """Who is on the LAN, by address.

        Up to 256 addresses are asked for at once, three times, in 0.6 s; more of them twice, with
        1000 questions a second unless `rate` says otherwise. Of an IPv6 subnet above 65536
        addresses those are asked for that answer to a ping of everybody, and the `known` ones.
        `progress` is told how many of how many questions are done. Raises InvalidRequest above
        65536 addresses where that cannot be.
        """
        wanted = self._worth_asking(subnet, known)
        burst = rate is None and len(wanted) <= BURST
        passes = 3 if burst else 2
        total, done = passes * len(wanted), 0

        def count(asked: int) -> None:
            nonlocal done
            done += asked
            if progress is not None:
                progress(min(done, total), total)

        pace = Pace(0.0 if burst else _checked_rate(POLITE_RATE if rate is None else rate), count)
        tally = Tally(wanted)
        with self._asking(subnet.version) as ask:
            for _ in range(passes):
                ask(tally.open, self.scan_window, tally, pace=pace)
        count(total - done)
        suspect = tally.suspect()
        proxy = suspect if tally.answered_by(suspect) >= probing.FEWEST else ""
        seen = (
            Seen(address, answer.mac, answer.latency_s, answer.mac == proxy, answer.sent_by)
            for address, answer in tally.answers()
        )
        return tuple(sorted(seen, key=lambda one: (one.address, one.latency_s)))

    @abc.abstractmethod
    def announce(self, address: IPAddress, mac: str, *, count: int = 2) -> None:
        """Tell everybody on the LAN that `mac` holds `address` now."""

    @abc.abstractmethod
    def close(self) -> None:
        """Give back what is held open; closing twice is fine."""

    @abc.abstractmethod
    def _asking(
        self, version: int, *, rivals: Collection[IPAddress] = ()
    ) -> AbstractContextManager[Exchange]:
        """A way of asking for addresses of that IP version; checks that the interface is up."""

    def reachable(self) -> tuple[IPNetwork, ...]:
        """The subnets whose addresses may be asked for."""
        return (*self._subnets, *inside(self.namespace, lambda: own_subnets(self.interface)))

    def _timing(self, name: str) -> Timing:
        if name not in self.timings:
            raise InvalidRequest(
                f"no probe timing {name!r}; take one of: {', '.join(self.timings)}"
            )
        return self.timings[name]

    def _home(self, address: IPAddress, subnets: Collection[IPNetwork]) -> IPNetwork:
        """The subnet that the address lies in: nothing is ever asked outside of one."""
        home = next((one for one in subnets if address in one), None)
        if home is None:
            with self._asking(4):
                pass  # one that is down has no subnets, and deserves that message
            raise BadSubnet(
                f"{address} is not on the LAN of {self.interface} "
                f"({', '.join(map(str, subnets)) or 'which has no address'}); "
                "only addresses of its own subnets can be asked for"
            )
        return home

    def _worth_asking(self, subnet: IPNetwork, known: Iterable[IPAddress]) -> list[IPAddress]:
        if subnet.version == 4 or subnet.size <= LARGEST_SCAN:
            return self._usable(subnet)
        self._home(IPAddress(subnet.first, 6), self.reachable())
        present = {*self._present(subnet), *(one for one in known if one in subnet)}
        return sorted(present)

    def _present(self, subnet: IPNetwork) -> Collection[IPAddress]:
        """Who answers to a ping of everybody. Raises InvalidRequest where that cannot be sent."""
        raise InvalidRequest(_too_large(subnet))

    def _usable(self, subnet: IPNetwork) -> list[IPAddress]:
        """The addresses of a subnet that somebody may hold."""
        if subnet.size > LARGEST_SCAN:
            raise InvalidRequest(_too_large(subnet))
        self._home(IPAddress(subnet.first, subnet.version), homes := self.reachable())
        self._home(IPAddress(subnet.last, subnet.version), homes)
        edges = {edge for home in homes for edge in _edges(home)}
        return [one for one in subnet if one not in edges]


def own_subnets(interface: str, root: Path = procnet.ROOT) -> tuple[IPNetwork, ...]:
    """The subnets that `interface` has an address in, in the thread's network namespace."""
    ipv4 = [one.subnet for one in procnet.connected_subnets(root) if one.interface == interface]
    return (*ipv4, *_ipv6_subnets(interface, root))


def _ipv6_subnets(interface: str, root: Path) -> list[IPNetwork]:
    """Lines of if_inet6: address, interface's number, prefix length, scope, flags, name."""
    path = root / "if_inet6"
    if not path.exists():  # a kernel without IPv6
        return []
    rows = (line.split() for line in path.read_text(encoding="ascii").splitlines())
    found = [
        IPNetwork((int(row[0], 16), int(row[2], 16)), version=6).cidr
        for row in rows
        if len(row) == 6 and row[5] == interface
    ]
    return list(dict.fromkeys(found))


def _too_large(subnet: IPNetwork) -> str:
    return (
        f"{subnet} has {subnet.size} addresses, and at most {LARGEST_SCAN} can be scanned; "
        "name a part of it"
    )


def _edges(subnet: IPNetwork) -> tuple[IPAddress, ...]:
    """An IPv4 subnet's own address and its broadcast address, which nobody holds."""
    if subnet.version == 6 or subnet.prefixlen >= 31:
        return ()
    return IPAddress(subnet.first, 4), IPAddress(subnet.last, 4)


def _checked_rate(rate: float) -> float:
    if not 0 < rate <= _FASTEST_RATE:
        raise InvalidRequest(f"cannot ask {rate:g} times a second; take a rate from 1 to 100000")
    return rate
