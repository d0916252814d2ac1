"""The section `x-macvlan-ros`: what Compose has no word for, of the stack and of a service."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from functools import partial
from urllib.parse import urlsplit

from netaddr import IPAddress, IPNetwork, IPRange

from macvlan_ros.models.links import NETWORK_MODES
from macvlan_ros.models.stacks import HostEntry
from macvlan_ros.near import did_you_mean
from macvlan_ros.stack.discovery import domain
from macvlan_ros.stack.nodes import Node, shorten, take
from macvlan_ros.stack.values import address, mac, ranges, subnet
from macvlan_ros.values import dataclass

SECTION = "x-macvlan-ros"
DEFAULT_NETWORK = "ros_lan"
ROS_VERSIONS = ("1", "2", "none")

_LAN_KEYS = ("network", "pool", "subnet", "gateway", "range", "exclude", "parent", "mode")
_LAN6_KEYS = ("pool6", "subnet6", "gateway6", "range6")
KEYS = (*_LAN_KEYS, *_LAN6_KEYS, "ros_over", "master", "domain", "discovery", "hosts")
HOST_KEYS = ("parent", "address", "range", "docker")
SERVICE_KEYS = ("host", "address", "address6", "mac", "ros", "lan")
_FAMILIES = ("ipv4", "ipv6")
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Section:
    """The stack's own section. `master` and `discovery` are still as written: they may name
    services."""

    network: str = DEFAULT_NETWORK
    pool: str = ""
    subnet: IPNetwork | None = None
    gateway: IPAddress | None = None
    ranges: tuple[IPRange, ...] = ()
    exclude: tuple[IPRange, ...] = ()
    pool6: str = ""
    subnet6: IPNetwork | None = None
    gateway6: IPAddress | None = None
    ranges6: tuple[IPRange, ...] = ()
    ros_over: str = "ipv4"
    parent: str = ""
    mode: str = "bridge"
    hosts: Mapping[str, HostEntry] = field(default_factory=dict)
    master: Node | None = None
    domain: int | None = None
    discovery: Node | None = None
    given: frozenset[str] = frozenset()

    @property
    def ipv6(self) -> bool:
        """Whether the network shall have IPv6 beside IPv4: a key for it is given."""
        return bool(self.given & {*_LAN6_KEYS})


@dataclass(frozen=True, slots=True)
class ServiceSection:
    """A service's own section."""

    host: str = ""
    address: IPAddress | None = None
    address6: IPAddress | None = None
    mac: str = ""
    ros: str = ""
    lan: bool = True


def network_name(node: Node | None) -> str:
    """The macvlan network's name, which the readers of everything else need to know first."""
    named = node.mapping().get("network") if node is not None else None
    return _name(named) if named is not None and named.text else DEFAULT_NETWORK


def section(node: Node | None) -> Section:
    """The top-level section, checked in itself. Raises StackFileError."""
    if node is None:
        return Section()
    entries = _given(node, KEYS, f" of {SECTION}")
    lan, lan6 = _subnet(entries, "subnet"), _subnet(entries, "subnet6")
    for key, around in (("range", lan), ("exclude", lan), ("range6", lan6)):
        if key in entries:
            _check_inside(entries[key], around)
    _check_families(entries)
    inside = partial(_inside, lan)
    return Section(
        network=network_name(node),
        pool=take(entries, "pool", _name, ""),
        subnet=lan,
        gateway=take(entries, "gateway", inside, None),
        ranges=take(entries, "range", ranges, ()),
        exclude=take(entries, "exclude", ranges, ()),
        pool6=take(entries, "pool6", _name, ""),
        subnet6=lan6,
        gateway6=take(entries, "gateway6", partial(_inside, lan6), None),
        ranges6=take(entries, "range6", ranges, ()),
        ros_over=take(entries, "ros_over", _family, "ipv4"),
        parent=take(entries, "parent", Node.string, ""),
        mode=take(entries, "mode", _mode, "bridge"),
        hosts=take(entries, "hosts", partial(_hosts, lan), {}),
        master=entries.get("master"),
        domain=take(entries, "domain", domain, None),
        discovery=entries.get("discovery"),
        given=frozenset(entries),
    )


def _subnet(entries: Mapping[str, Node], key: str) -> IPNetwork | None:
    """None for one that is not said, or that is read off the parent."""
    if key not in entries or entries[key].text.strip() == "auto":
        return None
    return subnet(entries[key])


def _check_families(entries: Mapping[str, Node]) -> None:
    """Each key has its own family: IPv4 is what every stack has, IPv6 stands beside it."""
    for key in ("subnet", "subnet6"):
        found = _subnet(entries, key)
        if found is not None and found.version != (6 if key.endswith("6") else 4):
            other = "subnet6" if key == "subnet" else "subnet"
            raise entries[key].error(f"is {found}; IPv{found.version} belongs to {other!r}")
    for key in ("range", "exclude", "range6"):
        for item in entries[key].one_or_many() if key in entries else ():
            if any(part.version != (6 if key.endswith("6") else 4) for part in ranges(item)):
                raise item.error(f"is {item.text}; IPv6 belongs to 'range6', IPv4 to 'range'")
    if "ros_over" in entries and not entries.keys() & {*_LAN6_KEYS}:
        raise entries["ros_over"].error("needs IPv6; say 'subnet6: auto', or a 'range6'")


def _family(node: Node) -> str:
    text = node.string()
    if text not in _FAMILIES:
        raise node.error(f"must be ipv4 or ipv6, is {shorten(text)}")
    return text


def _given(node: Node, keys: Iterable[str], what: str) -> dict[str, Node]:
    """The entries that say something. An empty text says nothing: it is what a variable without
    a value leaves (`address: $TALKER_ADDRESS`)."""
    return {key: value for key, value in node.known(keys, what).items() if value.value != ""}


def service_section(node: Node | None, around: Section) -> ServiceSection:
    """A service's section; `around` is the stack's. Raises StackFileError."""
    if node is None:
        return ServiceSection()
    entries = _given(node, SERVICE_KEYS, f" of a service's {SECTION}")
    host = take(entries, "host", Node.string, "")
    hosts = around.hosts
    if host and hosts and host not in hosts:
        raise entries["host"].error(
            f"is {host!r}, which is none of the hosts of {SECTION}{_one_of(host, hosts)}"
        )
    ros = take(entries, "ros", Node.string, "")
    if ros not in ("", *ROS_VERSIONS):
        raise entries["ros"].error(f"must be 1, 2 or none, is {shorten(ros)}")
    wanted = take(entries, "address", partial(_inside, around.subnet), None)
    if wanted is not None and wanted == around.gateway:
        raise entries["address"].error(f"is {wanted}, which is the gateway's; take another")
    if wanted is not None and wanted.version != 4:
        raise entries["address"].error(f"is {wanted}; IPv6 belongs to 'address6'")
    wanted6 = take(entries, "address6", partial(_inside6, around), None)
    own_mac = take(entries, "mac", mac, "")
    return ServiceSection(host, wanted, wanted6, own_mac, ros, lan=_lan(entries))


def _lan(entries: Mapping[str, Node]) -> bool:
    """Whether the service is on the LAN; one that is not can have no address there."""
    wanted = "lan" not in entries or entries["lan"].boolean()
    for key in () if wanted else ("address", "address6", "mac"):
        if key in entries:
            raise entries[key].error("goes with an address on the LAN, and 'lan' is false")
    return wanted


def master(node: Node | None, services: Iterable[str], hosts: Mapping[str, HostEntry]) -> str:
    """Where roscore runs: a service's name, "host:NAME", a URI, or "" for nowhere said.

    A name that is both a service's and a host's is the service; `host:NAME` is the host.
    """
    text = node.string().strip() if node is not None and not node.absent else ""
    if node is None or not text:
        return ""
    names = list(services)
    if "://" in text:
        return _uri(node, text)
    if text.startswith("host:"):
        if text[5:] not in hosts:
            raise node.error(
                f"is {text!r}, but {SECTION}.hosts has no {text[5:]!r}{_one_of(text[5:], hosts)}"
            )
        return text
    if text in names:
        return text
    if text in hosts:
        return f"host:{text}"
    raise node.error(
        f"is {text!r}, which is no service of the stack, no host of {SECTION} and no URI such as "
        f"http://192.168.50.20:11311{did_you_mean(text, [*names, *hosts])}"
    )


def _uri(node: Node, text: str) -> str:
    try:
        parts = urlsplit(text)
        good = parts.scheme == "http" and bool(parts.hostname) and parts.port is not None
    except ValueError:
        good = False
    if not good:
        raise node.error(f"is no master's URI: {shorten(text)}; write http://ADDRESS:11311")
    return text


def _one_of(word: str, words: Iterable[str]) -> str:
    known = sorted(words)
    near = did_you_mean(word, known)
    return near or (f" ({', '.join(known)})" if known else "; add it there")


def _name(node: Node) -> str:
    text = node.string()
    if not _NAME.fullmatch(text):
        raise node.error(f"is no name: {shorten(text)}; use letters, digits, '_', '.' and '-'")
    return text


def _mode(node: Node) -> str:
    text = node.string()
    if text not in NETWORK_MODES:
        raise node.error(
            f"must be one of {', '.join(NETWORK_MODES)}, is {shorten(text)}"
            f"{did_you_mean(text, NETWORK_MODES)}"
        )
    return text


def _inside(lan: IPNetwork | None, node: Node) -> IPAddress:
    found = address(node)
    if lan is not None and found not in lan:
        raise node.error(f"is {found}, which is outside the subnet {lan}")
    if lan is not None and lan.version == 4 and lan.prefixlen < 31:
        for special, what in ((lan.network, "network"), (lan.broadcast, "broadcast")):
            if found == special:
                raise node.error(f"is {found}, the {what} address of {lan}; take another")
    return found


def _inside6(around: Section, node: Node) -> IPAddress:
    if not around.ipv6:
        raise node.error(f"needs IPv6; say 'subnet6: auto' under {SECTION}, or a 'range6'")
    found = _inside(around.subnet6, node)
    if found.version != 6:
        raise node.error(f"is {found}; IPv4 belongs to 'address'")
    return found


def _check_inside(node: Node, lan: IPNetwork | None) -> None:
    for item in node.one_or_many():
        for part in ranges(item):
            if lan is not None and part not in lan:
                raise item.error(f"is {item.text}, which is outside the subnet {lan}")


def _hosts(lan: IPNetwork | None, node: Node) -> dict[str, HostEntry]:
    found = {}
    inside = partial(_inside, lan)
    for name, host in node.mapping().items():
        if not _NAME.fullmatch(name):
            raise host.error("is no host's name; use letters, digits, '_', '.' and '-'")
        entries = _given(host, HOST_KEYS, " of a host")
        if "range" in entries:
            _check_inside(entries["range"], lan)
        found[name] = HostEntry(
            name=name,
            parent=take(entries, "parent", Node.string, ""),
            address=take(entries, "address", inside, None),
            ranges=take(entries, "range", ranges, ()),
            docker=take(entries, "docker", Node.string, ""),
        )
    return found
