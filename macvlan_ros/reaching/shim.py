"""The shim: a macvlan link of the host's own, by which host and containers reach each other.

The kernel passes no frame between a parent and its macvlan links, but it does between the links.
So the host gets a link too, with an address of its own and a route for each of its containers; and
each container gets a route for the host's usual address by way of the shim's (see `guiding`).

Two links on one LAN make Linux answer for every address on both. Then others see two MACs for one
address, which looks like a conflict. `arp_ignore=1` stops the answers, `arp_announce=2` keeps the
address of one link out of the questions that go out of the other; both on shim and parent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from errno import EEXIST

from netaddr import EUI, IPAddress, IPNetwork

from macvlan_ros.errors import AddressInUse, Conflict, KernelRefused, NotFound
from macvlan_ros.kernel.link_names import shim_name
from macvlan_ros.links import Links
from macvlan_ros.models.links import ArpSettings, MacvlanLink, Route
from macvlan_ros.values import dataclass

# A frame for the shim's address comes in by the shim while the sender's route leads out of the
# parent: strict reverse-path filtering (rp_filter=1) would drop it, loose does not.
_SHIM_ARP = ArpSettings(ignore=1, announce=2, rp_filter=2)
# 1 and 2 answer for the interface's own addresses only, 8 for none; 0 and 3 to 7 for others too.
_IGNORES_ENOUGH = (1, 2, 8)
_ALIAS = re.compile(r"macvlan-ros shim; parent had arp_ignore=(\d+) arp_announce=(\d+)\Z")


@dataclass(frozen=True, slots=True)
class Shim:
    """A shim as it stands. `containers` are the addresses that the host reaches through it."""

    link: str
    parent: str
    mac: str
    up: bool
    addresses: tuple[IPAddress, ...]
    containers: tuple[IPAddress, ...]


def shim_mac(parent_mac: str) -> str:
    """The shim's MAC, locally administered: the same after a reboot, another on another host."""
    # Imported here, for it brings OpenSSL along.
    from hashlib import sha256

    digest = sha256(b"macvlan-ros shim " + parent_mac.lower().encode()).digest()
    return ":".join(f"{byte:02x}" for byte in ((digest[0] & 0xFC) | 0x02, *digest[1:6]))


def ensure_shim(
    links: Links,
    *,
    parent: str,
    addresses: Iterable[IPAddress],
    containers: Iterable[IPAddress] | None = None,
    mac: str = "",
    keep: bool = False,
) -> Shim:
    """Make the shim over `parent` what it should be, changing only what is not so yet.

    `addresses` are its own: one for each subnet and family that has containers. `containers` are
    all of this host's; others lose their routes, and those of a family without an address of the
    shim are left out. None leaves the routes as they are. With `keep` the shim keeps what other
    addresses it has. Called again and again it costs a few milliseconds, so it may well follow
    every change of a link. What a failing call has made is taken back.

    Raises `AddressInUse` when a container has an address of the shim, `Conflict` when a foreign
    link has the shim's name, `NotFound` without the parent, `KernelRefused`, `Forbidden`.
    """
    own = tuple(dict.fromkeys(addresses))
    reached = None if containers is None else tuple(dict.fromkeys(containers))
    for address in reached or ():
        if address in own:
            raise AddressInUse(f"{address} is a container's; the shim needs one of its own")
    with ExitStack() as undo:
        link = _ensure_link(links, parent=parent, mac=mac, undo=undo)
        _ensure_settings(links, parent=parent, link=link)
        _ensure_addresses(links, link=link, addresses=own, keep=keep)
        if not link.up:
            links.set_up(link.name)
        present = _container_routes(links, link.name)
        if reached is not None:
            present = _ensure_routes(links, link=link, addresses=own, reached=reached, was=present)
        undo.pop_all()
    return Shim(
        link=link.name,
        parent=parent,
        mac=link.mac,
        up=True,
        addresses=own,
        containers=tuple(route.destination.ip for route in present),
    )


def show_shim(links: Links, *, parent: str) -> Shim | None:
    """The shim over `parent` as it stands, or None."""
    link = _find(links, parent)
    if link is None:
        return None
    return Shim(
        link=link.name,
        parent=parent,
        mac=link.mac,
        up=link.up,
        addresses=tuple(one.ip for one in links.addresses(link.name) if _is_single(one)),
        containers=tuple(route.destination.ip for route in _container_routes(links, link.name)),
    )


def remove_shim(links: Links, *, parent: str) -> bool:
    """Delete the shim and give the parent its settings back; False when there was none.

    A setting that somebody else has changed in the meantime stays.
    """
    link = _find(links, parent)
    if link is None:
        return False
    before = _remembered(link)
    links.delete_link(link.name)
    if before is not None:
        now = links.arp_settings(parent)
        made = _for_parent(before)
        after = replace(
            now,
            ignore=before.ignore if now.ignore == made.ignore else now.ignore,
            announce=before.announce if now.announce == made.announce else now.announce,
        )
        if after != now:
            links.set_arp(parent, after)
    return True


def add_container(links: Links, *, parent: str, address: IPAddress) -> bool:
    """Let the host reach one more container; False when it does already.

    Raises `NotFound` when there is no shim, or none with an address of that family.
    """
    shim = _shim(links, parent)
    source = nearest(address, shim.addresses)
    wanted = Route(_single(address), shim.link, source=source)
    if wanted in _container_routes(links, shim.link):
        return False
    if not lead_to(links, parent=parent, address=address, via=shim.addresses):
        raise NotFound(f"the shim {shim.link} has no IPv{address.version} address to speak with")
    return True


def lead_to(links: Links, *, parent: str, address: IPAddress, via: Sequence[IPAddress]) -> bool:
    """Route a container's address over the shim, whose own are `via`, without a look at what
    there is; False when it has none of that family. Raises `NotFound` without a shim."""
    source = nearest(address, via)
    if source is not None:
        links.replace_route(_single(address), link=shim_name(parent), source=source)
    return source is not None


def remove_container(links: Links, *, parent: str, address: IPAddress) -> bool:
    """Forget a container that has gone; False when there was no route for it, or no shim."""
    link = _find(links, parent)
    return link is not None and links.remove_route(_single(address), link=link.name)


def nearest(address: IPAddress, among: Sequence[IPAddress]) -> IPAddress | None:
    """The one that shares the longest prefix with `address`: the one in its subnet, if any is."""
    same = [one for one in among if one.version == address.version]
    return min(same, key=lambda one: int(one) ^ int(address), default=None)


def _shim(links: Links, parent: str) -> Shim:
    shim = show_shim(links, parent=parent)
    if shim is None:
        raise NotFound(f"no shim over {parent}; make it with: macvlan-ros shim up")
    return shim


def _find(links: Links, parent: str) -> MacvlanLink | None:
    link = links.macvlan(shim_name(parent))
    return link if link is not None and link.parent == parent else None


def _ensure_link(links: Links, *, parent: str, mac: str, undo: ExitStack) -> MacvlanLink:
    """The shim's link; a new one is down, without addresses, and registers its removal."""
    found = _find(links, parent)
    if found is not None and found.mode == "bridge":
        return found
    name = shim_name(parent)
    try:
        links.add_macvlan(parent, name, mac=mac or shim_mac(links.mac(parent)))
    except KernelRefused as error:
        if error.errno != EEXIST:
            raise
        # either another process wants the same shim and was faster, or the name is not ours
        other = _find(links, parent)
        if other is not None and other.mode == "bridge":
            return other
        raise Conflict(
            f"{name} exists and is no shim over {parent}; delete it with: ip link delete {name}"
        ) from error
    undo.callback(remove_shim, links, parent=parent)
    made = _find(links, parent)
    if made is None:
        raise NotFound(f"{name} was made and is gone again; something else deletes it")
    return made


def _ensure_settings(links: Links, *, parent: str, link: MacvlanLink) -> None:
    """Both ends' ARP settings; what the parent had is kept with the link before it is changed."""
    now = links.arp_settings(parent)
    # Looked at after `now` was read: while there is no text, nobody has changed the parent yet.
    if _remembered(link) is None and _remembered(links.macvlan(link.name)) is None:
        # router advertisements would give the shim addresses and the host a second default route
        links.keep_ipv6_manual(link.name)
        links.set_alias(
            link.name,
            f"macvlan-ros shim; parent had arp_ignore={now.ignore} arp_announce={now.announce}",
        )
    if _for_parent(now) != now:
        links.set_arp(parent, _for_parent(now))
    if links.arp_settings(link.name) != _SHIM_ARP:
        links.set_arp(link.name, _SHIM_ARP)


def _for_parent(before: ArpSettings) -> ArpSettings:
    ignore = before.ignore if before.ignore in _IGNORES_ENOUGH else 1
    return replace(before, ignore=ignore, announce=2)


def _remembered(link: MacvlanLink | None) -> ArpSettings | None:
    """What the parent had before the shim, or None when the link does not say."""
    match = _ALIAS.match(link.alias) if link is not None else None
    return ArpSettings(ignore=int(match[1]), announce=int(match[2])) if match else None


def _ensure_addresses(
    links: Links, *, link: MacvlanLink, addresses: Sequence[IPAddress], keep: bool
) -> None:
    wanted = [_single(address) for address in addresses]
    if any(address.version == 6 for address in addresses):
        # the kernel needs one to ask for a neighbour while it speaks with another link's address
        wanted.append(IPNetwork(f"{EUI(link.mac).ipv6_link_local()}/64"))
    present = links.addresses(link.name)
    for address in wanted:
        if address not in present:
            links.add_address(link.name, address)
    # only then, for the link's routes go with its last address
    for address in present:
        if not keep and _is_single(address) and address not in wanted:
            links.remove_address(link.name, address)


def _ensure_routes(
    links: Links,
    *,
    link: MacvlanLink,
    addresses: Sequence[IPAddress],
    reached: Sequence[IPAddress],
    was: Sequence[Route],
) -> tuple[Route, ...]:
    """Routes for the containers `reached`, in place of those there were; what then stands."""
    wanted = tuple(
        Route(_single(container), link.name, source=source)
        for container in reached
        if (source := nearest(container, addresses)) is not None
    )
    for route in wanted:
        if route not in was:
            links.replace_route(route.destination, link=link.name, source=route.source)
    kept = {route.destination for route in wanted}
    for route in was:
        if route.destination not in kept:
            links.remove_route(route.destination, link=link.name)
    return wanted


def _container_routes(links: Links, name: str) -> tuple[Route, ...]:
    return tuple(
        route for route in links.routes(name) if route.via is None and _is_single(route.destination)
    )


def _single(address: IPAddress) -> IPNetwork:
    """The address as a network of its own: /32 or /128."""
    return IPNetwork(address)


def _is_single(network: IPNetwork) -> bool:
    return bool(network.prefixlen == (32 if network.version == 4 else 128))
