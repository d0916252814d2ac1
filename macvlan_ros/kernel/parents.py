"""Parents: which interface can carry macvlan links, why another cannot, and which one is meant.

Pure: it judges what `links` has read from the kernel, and touches nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches

from netaddr import AddrFormatError, IPAddress, IPNetwork

from macvlan_ros.errors import BadParent, BadSubnet, MacvlanRosError, ParentNotFound
from macvlan_ros.models.links import Link
from macvlan_ros.values import dataclass

_MAC = re.compile(r"[0-9a-f]{2}([:-][0-9a-f]{2}){5}\Z")

# Bridges that a program made for its own containers or machines: NAT or an overlay, not the LAN.
# Nothing in the kernel tells them from a bridge of the user's own but the name.
_PRIVATE_BRIDGES = (
    (re.compile(r"docker0\Z|docker_gwbridge\Z|br-[0-9a-f]{12}\Z"), "Docker"),
    (re.compile(r"virbr\d+\Z"), "libvirt"),
    (re.compile(r"podman\d+\Z|cni\d+\Z|cni-podman\d+\Z"), "Podman or CNI"),
    (re.compile(r"lxcbr\d+\Z|lxdbr\d+\Z|incusbr\d+\Z"), "LXC"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the kernel says of one interface, before anybody judges it.

    `metric` is that of its IPv4 default route, None without one. `ethernet` is True when the link
    has Ethernet addresses. `lower` names what a macvlan, ipvlan or VLAN hangs off, if it is in
    this namespace; `macvlans` and `ipvlans` are what hangs off this one. `master` is the bridge
    or bond that it is a port of, `master_kind` that one's kind. Altnames are other names of it.
    """

    name: str
    index: int
    kind: str
    up: bool
    carrier: bool
    mac: str
    mtu: int
    addresses: tuple[IPNetwork, ...] = ()
    gateway: IPAddress | None = None
    metric: int | None = None
    wireless: bool = False
    ethernet: bool = True
    lower: str = ""
    macvlans: tuple[str, ...] = ()
    ipvlans: tuple[str, ...] = ()
    master: str = ""
    master_kind: str = ""
    altnames: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Rule:
    """One thing that keeps an interface from being a parent. The texts take the facts as `f`."""

    applies: Callable[[Facts], bool]
    reason: str
    remedy: str


_ANOTHER = "name another interface with --parent"
_BARE = "no IPv4 address"

# In the order in which they are worth telling: what the link is for good comes before its state.
_RULES = (
    _Rule(lambda f: f.kind == "loopback", "loopback", _ANOTHER),
    _Rule(
        lambda f: f.kind in ("macvlan", "macvtap", "ipvlan", "ipvtap") and bool(f.lower),
        "itself a {f.kind} of {f.lower}",
        "name {f.lower} instead",
    ),
    _Rule(
        lambda f: f.kind in ("macvlan", "macvtap", "ipvlan", "ipvtap"),
        "itself a {f.kind}",
        _ANOTHER,
    ),
    _Rule(lambda f: not f.ethernet, "no Ethernet addresses ({f.kind})", _ANOTHER),
    _Rule(
        lambda f: f.wireless,
        "Wi-Fi: the access point drops frames from other MACs",
        "use a wired interface",
    ),
    _Rule(
        lambda f: f.master_kind in ("bond", "team"),
        "a port of {f.master_kind} {f.master}",
        "name {f.master} instead",
    ),
    # A port of anything else that takes a link's frames: bridge, Open vSwitch, a VRF keeps them.
    _Rule(
        lambda f: bool(f.master) and f.master_kind != "vrf",
        "a port of {f.master_kind} {f.master}",
        "name {f.master} instead",
    ),
    _Rule(
        lambda f: bool(f.ipvlans),
        "carries ipvlan links already: {ipvlans}",
        "the kernel allows one kind on an interface: remove them, or name another with --parent",
    ),
    _Rule(
        lambda f: bool(_private_bridge(f)),
        "{bridge_owner}'s own bridge",
        _ANOTHER,
    ),
    _Rule(lambda f: not f.up, "down", "bring it up with: ip link set {f.name} up"),
    _Rule(
        lambda f: not f.carrier,
        "no carrier",
        "plug in its cable, or bring up the other end",
    ),
    _Rule(
        lambda f: not any(address.version == 4 for address in f.addresses),
        _BARE,
        "give it one by DHCP or with: ip address add ADDRESS/PREFIX dev {f.name}",
    ),
)


def survey(facts: Sequence[Facts]) -> tuple[Link, ...]:
    """Judge every interface, and mark the one that is chosen when nobody names another.

    That is the default route's with the lowest metric, as long as it can be a parent; without
    such a route the only interface that can; else none.
    """
    judged = [_objection(one) for one in facts]
    able = [one for one, (reason, _) in zip(facts, judged, strict=True) if not reason]
    chosen = _choose(able)
    return tuple(
        Link(
            name=one.name,
            index=one.index,
            kind=one.kind,
            up=one.up,
            carrier=one.carrier,
            mac=one.mac,
            mtu=one.mtu,
            addresses=one.addresses,
            gateway=one.gateway,
            default_route=one.metric is not None,
            wireless=one.wireless,
            children=one.macvlans,
            objection=reason,
            chosen=one is chosen,
            remedy=remedy,
        )
        for one, (reason, remedy) in zip(facts, judged, strict=True)
    )


def find_parent(facts: Sequence[Facts], wanted: str = "", *, bare: bool = False) -> Link:
    """The interface that `wanted` means: a name, a MAC address, or a subnet it has an address in.

    "" is the chosen one. With `bare` it needs no address of its own. Raises `ParentNotFound` when
    nothing fits, `BadParent` when it cannot carry macvlan links or when several fit alike,
    `BadSubnet` for a subnet that does not parse.
    """
    return pick(survey(facts), wanted, altnames=[one.altnames for one in facts], bare=bare)


def pick(
    links: Sequence[Link],
    wanted: str = "",
    *,
    altnames: Sequence[Sequence[str]] = (),
    bare: bool = False,
) -> Link:
    """What `find_parent` does, among links that were judged already; `altnames` are theirs, in
    the same order."""
    if not wanted:
        return _chosen(links)
    matching = _matching(links, altnames or [()] * len(links), wanted)
    if not matching:
        raise _not_found(links, wanted)
    # An address is the last thing that is looked for: without one, all else is well.
    able = [one for one in matching if not one.objection or (bare and one.objection == _BARE)]
    if not able:
        raise _unfit(matching[0])
    # A VLAN, and a bridge over one port, have their lower link's MAC: that link is meant.
    best = [one for one in able if one.chosen] or [one for one in able if one.kind != "vlan"]
    if len(able) == 1 or len(best) == 1:
        return (best or able)[0]
    raise BadParent(
        f"{wanted!r} fits several interfaces ({_names(able)}); name one of them with --parent"
    )


def _choose(able: Sequence[Facts]) -> Facts | None:
    routed = [(one.metric, one.index, one) for one in able if one.metric is not None]
    if routed:
        return min(routed, key=lambda entry: entry[:2])[2]
    return able[0] if len(able) == 1 else None


def _matching(links: Sequence[Link], altnames: Sequence[Sequence[str]], wanted: str) -> list[Link]:
    if _MAC.match(wanted.lower()):
        mac = wanted.lower().replace("-", ":")
        return [link for link in links if link.mac == mac]
    if "/" in wanted:
        subnet = _subnet(wanted)
        return [link for link in links if _has_address_in(link, subnet)]
    return [
        link
        for link, others in zip(links, altnames, strict=True)
        if wanted == link.name or wanted in others
    ]


def _subnet(text: str) -> IPNetwork:
    try:
        return IPNetwork(text).cidr
    except (AddrFormatError, ValueError) as error:
        raise BadSubnet(
            f"{text!r} is no subnet to find a parent by; write it like 192.168.50.0/24"
        ) from error


def _has_address_in(link: Link, subnet: IPNetwork) -> bool:
    return any(one.version == subnet.version and one.ip in subnet for one in link.addresses)


def _chosen(links: Sequence[Link]) -> Link:
    for link in links:
        if link.chosen:
            return link
    able = [link for link in links if not link.objection]
    if able:
        raise BadParent(
            f"no default route tells which of {_names(able)} is the LAN; name one with --parent"
        )
    real = [link for link in links if link.kind != "loopback"]
    if not real:
        raise ParentNotFound(
            "this host has no interface but the loopback; connect it to the LAN first"
        )
    why = ", ".join(f"{link.name} ({link.objection})" for link in real)
    raise ParentNotFound(
        f"no interface of this host can be a parent: {why}; for {real[0].name}: {real[0].remedy}"
    )


def _unfit(link: Link) -> BadParent:
    return BadParent(f"{link.name} cannot be a parent ({link.objection}); {link.remedy}")


def _not_found(links: Sequence[Link], wanted: str) -> MacvlanRosError:
    if "/" in wanted:
        having = ", ".join(f"{link.name} {link.addresses[0]}" for link in links if link.addresses)
        return ParentNotFound(
            f"no interface of this host has an address in {wanted}; these have one: "
            f"{having or 'none'}"
        )
    if _MAC.match(wanted.lower()):
        having = ", ".join(f"{link.name} {link.mac}" for link in links if link.mac)
        return ParentNotFound(
            f"no interface of this host has the MAC address {wanted}; there are: {having or 'none'}"
        )
    near = get_close_matches(wanted, [link.name for link in links], n=1)
    hint = f"did you mean {near[0]}? There are: " if near else "there are: "
    return ParentNotFound(f"no interface {wanted!r} on this host; {hint}{_names(links)}")


def _names(links: Sequence[Link]) -> str:
    return ", ".join(link.name for link in links)


def _objection(facts: Facts) -> tuple[str, str]:
    """Why it cannot be a parent, and what to do; two empty strings when it can."""
    for rule in _RULES:
        if rule.applies(facts):
            words = {
                "f": facts,
                "ipvlans": ", ".join(facts.ipvlans),
                "bridge_owner": _private_bridge(facts),
            }
            return rule.reason.format(**words), rule.remedy.format(**words)
    return "", ""


def _private_bridge(facts: Facts) -> str:
    """Which program a bridge belongs to, or "" for one of the user's own and for no bridge."""
    if facts.kind != "bridge":
        return ""
    return next((owner for name, owner in _PRIVATE_BRIDGES if name.match(facts.name)), "")
