"""Facts of interfaces, put together from the messages that the kernel's tables come in.

The messages are pyroute2's: mappings with `get_attr`. Nothing here asks the kernel for more, except
sysfs for what netlink does not tell: whether an interface is a radio.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from socket import AF_INET
from typing import Any

from netaddr import IPAddress, IPNetwork

from macvlan_ros.kernel.parents import Facts
from macvlan_ros.models.links import ArpSettings, MacvlanLink, Route
from macvlan_ros.values import dataclass

_IFF_UP = 0x1
_IFF_LOOPBACK = 0x8
_IFF_POINTOPOINT = 0x10
_ARPHRD_ETHER = 1
_UNICAST = 1
# reachable, stale, delay, probe, permanent (linux/neighbour.h): there is a MAC
_NUD_VALID = 0x02 | 0x04 | 0x08 | 0x10 | 0x80


@dataclass(frozen=True, slots=True)
class Tables:
    """One reading of the kernel's tables: all links, all addresses, the main IPv4 routes."""

    links: tuple[Any, ...]
    addresses: tuple[Any, ...]
    routes: tuple[Any, ...]


def assemble(tables: Tables, sys_root: Path) -> tuple[Facts, ...]:
    """The facts of every interface, by index. `sys_root` is where sysfs is mounted."""
    names = {link["index"]: str(link.get_attr("IFLA_IFNAME")) for link in tables.links}
    kinds = {link["index"]: kind_of(link) for link in tables.links}
    addresses = _addresses(tables.addresses)
    defaults = _defaults(tables.routes)
    children = _children(tables.links, names, kinds)
    return tuple(
        _facts_of(
            link,
            names=names,
            kinds=kinds,
            addresses=addresses.get(link["index"], ()),
            default=defaults.get(link["index"]),
            children=children.get(link["index"], ()),
            sys_root=sys_root,
        )
        for link in sorted(tables.links, key=lambda link: int(link["index"]))
    )


def _facts_of(
    link: Any,
    *,
    names: Mapping[int, str],
    kinds: Mapping[int, str],
    addresses: tuple[IPNetwork, ...],
    default: tuple[int, IPAddress | None] | None,
    children: tuple[int, ...],
    sys_root: Path,
) -> Facts:
    name = names[link["index"]]
    wireless = _is_wireless(name, sys_root)
    master = link.get_attr("IFLA_MASTER") or 0
    kind = kinds[link["index"]]
    return Facts(
        name=name,
        index=link["index"],
        kind="wireless" if wireless and kind == "ethernet" else kind,
        up=bool(link["flags"] & _IFF_UP),
        carrier=bool(link.get_attr("IFLA_CARRIER")) and bool(link["flags"] & _IFF_UP),
        mac=link.get_attr("IFLA_ADDRESS") or "",
        mtu=link.get_attr("IFLA_MTU") or 0,
        addresses=addresses,
        metric=default[0] if default else None,
        gateway=default[1] if default else None,
        wireless=wireless,
        ethernet=link["ifi_type"] == _ARPHRD_ETHER and not link["flags"] & _IFF_POINTOPOINT,
        lower=names.get(lower_of(link), ""),
        macvlans=tuple(names[i] for i in children if kinds[i] in ("macvlan", "macvtap")),
        ipvlans=tuple(names[i] for i in children if kinds[i] in ("ipvlan", "ipvtap")),
        master=names.get(master, ""),
        master_kind=kinds.get(master, "") or _info(link, "IFLA_INFO_SLAVE_KIND"),
        altnames=_altnames(link),
    )


def kind_of(link: Any) -> str:
    """What `ip -d link` calls it, or what hardware without such a name is."""
    if link["flags"] & _IFF_LOOPBACK:
        return "loopback"
    if named := _info(link, "IFLA_INFO_KIND"):
        return named
    if link["ifi_type"] == _ARPHRD_ETHER:
        return "ethernet"
    return "point-to-point" if link["flags"] & _IFF_POINTOPOINT else "other"


def _info(link: Any, name: str) -> str:
    """An attribute of the link's own kind ("" for hardware, which has none)."""
    info = link.get_attr("IFLA_LINKINFO")
    return str(info.get_attr(name) or "") if info else ""


def lower_of(link: Any) -> int:
    """The index of what it hangs off, 0 when that is nothing or in another namespace."""
    if link.get_attr("IFLA_LINK_NETNSID") is not None:
        return 0
    return int(link.get_attr("IFLA_LINK") or 0)


def _altnames(link: Any) -> tuple[str, ...]:
    properties = link.get_attr("IFLA_PROP_LIST")
    return tuple(map(str, properties.get_attrs("IFLA_ALT_IFNAME"))) if properties else ()


def _children(
    links: tuple[Any, ...], names: Mapping[int, str], kinds: Mapping[int, str]
) -> dict[int, tuple[int, ...]]:
    """Lower link's index -> the indices of the macvlan and ipvlan links over it, by name."""
    found: dict[int, tuple[int, ...]] = {}
    for link in sorted(links, key=lambda link: names[link["index"]]):
        if kinds[link["index"]] in ("macvlan", "macvtap", "ipvlan", "ipvtap") and lower_of(link):
            found[lower_of(link)] = (*found.get(lower_of(link), ()), link["index"])
    return found


def _addresses(messages: tuple[Any, ...]) -> dict[int, tuple[IPNetwork, ...]]:
    """Index -> addresses with their prefix length, IPv4 first, else in the kernel's order."""
    found: dict[int, tuple[IPNetwork, ...]] = {}
    for message in sorted(messages, key=lambda message: int(message["family"])):
        found[message["index"]] = (*found.get(message["index"], ()), address_of(message))
    return found


def address_of(message: Any) -> IPNetwork:
    """The address, with its prefix length, that a message of the address table tells of."""
    # on a point-to-point link IFA_ADDRESS is the other end's, IFA_LOCAL this one's
    own = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
    return IPNetwork(f"{own}/{message['prefixlen']}")


def neighbour_of(message: Any) -> tuple[IPAddress, str] | None:
    """The address and MAC of a neighbour that has answered; None for one that has not."""
    address, mac = message.get_attr("NDA_DST"), message.get_attr("NDA_LLADDR")
    if not message["state"] & _NUD_VALID or address is None or mac is None:
        return None
    return IPAddress(address), str(mac).lower()


def _defaults(messages: tuple[Any, ...]) -> dict[int, tuple[int, IPAddress | None]]:
    """Index -> metric and next hop of its best IPv4 default route."""
    found: dict[int, tuple[int, IPAddress | None]] = {}
    for message in messages:
        if message["dst_len"] or message["type"] != _UNICAST:
            continue
        metric = message.get_attr("RTA_PRIORITY") or 0
        for index, gateway in _hops(message):
            if index not in found or metric < found[index][0]:
                found[index] = (metric, IPAddress(gateway) if gateway else None)
    return found


def _hops(message: Any) -> Iterator[tuple[int, str | None]]:
    several = message.get_attr("RTA_MULTIPATH")
    if several:
        for hop in several:
            yield hop["oif"], hop.get_attr("RTA_GATEWAY")
    elif message.get_attr("RTA_OIF"):
        yield message.get_attr("RTA_OIF"), message.get_attr("RTA_GATEWAY")


def _is_wireless(name: str, sys_root: Path) -> bool:
    link = sys_root / "class" / "net" / name
    return (link / "wireless").exists() or (link / "phy80211").exists()


def macvlan_of(message: Any, parent: str) -> MacvlanLink | None:
    """A macvlan link over `parent`, or None when the message is about one of another kind."""
    if kind_of(message) != "macvlan":
        return None
    data = message.get_attr("IFLA_LINKINFO").get_attr("IFLA_INFO_DATA")
    return MacvlanLink(
        name=message.get_attr("IFLA_IFNAME"),
        index=message["index"],
        mac=message.get_attr("IFLA_ADDRESS") or "",
        mtu=message.get_attr("IFLA_MTU") or 0,
        mode=str(data.get_attr("IFLA_MACVLAN_MODE")),
        parent=parent,
        up=bool(message["flags"] & _IFF_UP),
        alias=message.get_attr("IFLA_IFALIAS") or "",
    )


def arp_settings_of(message: Any) -> ArpSettings:
    """The interface's own ARP settings; all zero where the kernel tells none (no IPv4)."""
    families = message.get_attr("IFLA_AF_SPEC")
    own = families.get_attr("AF_INET") if families else None
    if own is None:
        return ArpSettings()
    return ArpSettings(
        ignore=own["arp_ignore"], announce=own["arp_announce"], rp_filter=own["rp_filter"]
    )


def route_of(message: Any, link: str) -> Route:
    """A route out of `link`, from a message of the route table; the default route is a /0."""
    nothing = "0.0.0.0" if message["family"] == AF_INET else "::"
    destination = message.get_attr("RTA_DST") or nothing
    via = message.get_attr("RTA_GATEWAY")
    source = message.get_attr("RTA_PREFSRC")
    return Route(
        destination=IPNetwork(f"{destination}/{message['dst_len']}"),
        link=link,
        via=IPAddress(via) if via else None,
        source=IPAddress(source) if source else None,
    )
