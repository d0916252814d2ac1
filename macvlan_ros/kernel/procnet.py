"""The host's network as /proc/net tells it: addresses, neighbours, subnets, the default route.

Reading these files takes under a millisecond; importing the netlink library takes 140. Commands
that only need to know which addresses are taken come here. The formats are those of proc(5) and of
the kernel's fib_trie.c, arp.c and addrconf.c; a line that does not look like them is passed over.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from netaddr import IPAddress, IPNetwork

from macvlan_ros.errors import Unavailable
from macvlan_ros.values import dataclass

# "thread-self" and not "self": a thread that has moved to another namespace reads that one's.
ROOT = Path("/proc/thread-self/net")

_RTF_UP = 0x1
_RTF_GATEWAY = 0x2
_RTF_REJECT = 0x200
_ATF_COMPLETE = 0x2
_NO_MAC = "00:00:00:00:00:00"
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}\Z")
_TRIE_LEAF = re.compile(r"\s*\|-- (\d+\.\d+\.\d+\.\d+)\s*\Z")
_TRIE_LOCAL = re.compile(r"\s*/32 host LOCAL\b")


@dataclass(frozen=True, slots=True)
class HostAddress:
    """An address of this host. `interface` is "" where the files do not tell it."""

    address: IPAddress
    interface: str


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Somebody whom the kernel has met: `mac` is lower case with colons."""

    address: IPAddress
    mac: str
    interface: str


@dataclass(frozen=True, slots=True)
class ConnectedSubnet:
    """An IPv4 subnet that `interface` reaches without a gateway."""

    subnet: IPNetwork
    interface: str


@dataclass(frozen=True, slots=True)
class DefaultRoute:
    """An IPv4 default route. `gateway` is None for one that names an interface only."""

    interface: str
    gateway: IPAddress | None
    metric: int


@dataclass(frozen=True, slots=True)
class _Route:
    interface: str
    destination: IPNetwork
    gateway: IPAddress | None
    metric: int


def host_addresses(root: Path = ROOT) -> tuple[HostAddress, ...]:
    """Every address of this host, loopback's too: IPv4 first, each one once a family.

    fib_trie names no interfaces: an IPv4 address is put down to the one whose connected subnet
    holds it. Raises `Unavailable` when /proc cannot be read.
    """
    subnets = connected_subnets(root)
    found = [HostAddress(address, _interface_of(address, subnets)) for address in _local_ipv4(root)]
    return (*found, *_local_ipv6(root))


def neighbours(root: Path = ROOT) -> tuple[Neighbour, ...]:
    """The IPv4 neighbour table, as far as it is resolved. Raises `Unavailable`.

    One address may come twice, when two interfaces have met it.
    """
    found = []
    for line in _lines(root / "arp")[1:]:
        fields = line.split()
        if len(fields) != 6:
            continue
        address, _, flags, mac, _, interface = fields
        known = max(0, _number(flags, 16)) & _ATF_COMPLETE and mac.lower() != _NO_MAC
        parsed = _address(address)
        if known and parsed is not None and _MAC.match(mac.lower()):
            found.append(Neighbour(parsed, mac.lower(), interface))
    return tuple(found)


def connected_subnets(root: Path = ROOT) -> tuple[ConnectedSubnet, ...]:
    """IPv4 subnets that are reached without a gateway, narrowest first. Raises `Unavailable`.

    Routes to single addresses (a shim has one for each container) are no subnets.
    """
    direct = {
        ConnectedSubnet(route.destination, route.interface)
        for route in _routes(root)
        if route.gateway is None and 0 < route.destination.prefixlen < 32
    }
    return tuple(sorted(direct, key=lambda one: (-one.subnet.prefixlen, one.subnet, one.interface)))


def default_route(root: Path = ROOT) -> DefaultRoute | None:
    """The IPv4 default route that the kernel takes: the lowest metric. Raises `Unavailable`."""
    defaults = [
        DefaultRoute(route.interface, route.gateway, route.metric)
        for route in _routes(root)
        if route.destination.prefixlen == 0
    ]
    return min(defaults, key=lambda route: route.metric, default=None)


def default_interface(root: Path = ROOT) -> str:
    """The interface of the default route, or "". Raises `Unavailable`."""
    route = default_route(root)
    return route.interface if route else ""


def _interface_of(address: IPAddress, subnets: tuple[ConnectedSubnet, ...]) -> str:
    if address.is_loopback():
        return "lo"
    return next((one.interface for one in subnets if address in one.subnet), "")


def _local_ipv4(root: Path) -> tuple[IPAddress, ...]:
    """Addresses whose leaf in the trie says "/32 host LOCAL"; main and local table repeat them."""
    found: dict[IPAddress, None] = {}
    leaf: IPAddress | None = None
    for line in _lines(root / "fib_trie"):
        if match := _TRIE_LEAF.match(line):
            leaf = _address(match[1])
        elif leaf is not None and _TRIE_LOCAL.match(line):
            found[leaf] = None
    return tuple(found)


def _local_ipv6(root: Path) -> Iterator[HostAddress]:
    try:
        lines = _lines(root / "if_inet6")
    except Unavailable:
        return  # a kernel without IPv6 has no such file
    for line in lines:
        fields = line.split()
        if len(fields) == 6 and re.fullmatch(r"[0-9a-fA-F]{32}", fields[0]):
            yield HostAddress(IPAddress(int(fields[0], 16), 6), fields[5])


def _routes(root: Path) -> Iterator[_Route]:
    """The main table's routes that are up and lead somewhere."""
    for line in _lines(root / "route")[1:]:
        fields = line.split()
        if len(fields) < 8:
            continue
        flags = _number(fields[3], 16)
        destination, gateway, mask = (_packed(fields[i]) for i in (1, 2, 7))
        metric = _number(fields[6], 10)
        if destination is None or gateway is None or mask is None or min(flags, metric) < 0:
            continue
        if not flags & _RTF_UP or flags & _RTF_REJECT or not mask.is_netmask():
            continue
        yield _Route(
            fields[0],
            IPNetwork((int(destination), mask.netmask_bits()), version=4),
            gateway if flags & _RTF_GATEWAY else None,
            metric,
        )


def _packed(text: str) -> IPAddress | None:
    """An address as /proc/net/route prints it: network order, read as this machine's integer."""
    if not re.fullmatch(r"[0-9a-fA-F]{8}", text):
        return None
    return IPAddress(int.from_bytes(int(text, 16).to_bytes(4, sys.byteorder), "big"), 4)


def _address(text: str) -> IPAddress | None:
    parts = text.split(".")
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    numbers = [int(part) for part in parts]
    return IPAddress(int.from_bytes(bytes(numbers), "big"), 4) if max(numbers) < 256 else None


def _number(text: str, base: int) -> int:
    """A number, or -1 for what is none."""
    try:
        return int(text, base)
    except ValueError:
        return -1


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError as error:
        raise Unavailable(
            f"cannot read {path}: {error.strerror}; is /proc mounted here?"
        ) from error
