"""What a host has on the LAN: its interfaces, macvlan links and routes."""

from __future__ import annotations

from typing import TypeAlias

from netaddr import IPAddress, IPNetwork

from macvlan_ros.values import dataclass

#: bridge, private, vepa or passthru (ip-link(8), "MACVLAN and MACVTAP Type Support").
NetworkMode: TypeAlias = str
NETWORK_MODES = ("bridge", "private", "vepa", "passthru")


@dataclass(frozen=True, slots=True)
class Link:
    """One interface of the host, and whether macvlan links can hang off it.

    `addresses` carry their prefix length. `gateway` is the default route's next hop through
    this link, if it has one. `objection` says why it cannot be a parent ("" if it can) and
    `remedy` what to do about that; `chosen` marks the one that is taken when nobody names another.
    What nobody knows of another PC's interface is as it stands here.
    """

    name: str
    index: int = 0
    kind: str = ""
    up: bool = True
    carrier: bool = True
    mac: str = ""
    mtu: int = 0
    addresses: tuple[IPNetwork, ...] = ()
    gateway: IPAddress | None = None
    default_route: bool = False
    wireless: bool = False
    children: tuple[str, ...] = ()
    objection: str = ""
    chosen: bool = False
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class MacvlanLink:
    """One macvlan link of this namespace. `parent` is "" when that one is in another namespace.

    `alias` is the free text that the kernel keeps with a link (ip-link(8)).
    """

    name: str
    index: int
    mac: str
    mtu: int
    mode: NetworkMode
    parent: str
    up: bool
    alias: str = ""


@dataclass(frozen=True, slots=True)
class ArpSettings:
    """How an interface deals with ARP; the numbers' meaning is in the kernel's ip-sysctl."""

    ignore: int = 0
    announce: int = 0
    rp_filter: int = 0


@dataclass(frozen=True, slots=True)
class Route:
    """A unicast route of the main table. `via` None: the destination is on the link itself.

    `source` is the address that this host speaks with when it uses the route, if it says one.
    """

    destination: IPNetwork
    link: str
    via: IPAddress | None = None
    source: IPAddress | None = None
