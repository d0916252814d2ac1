"""Networks: which of a service's networks the macvlan one replaces, and which stay beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from netaddr import IPAddress, IPNetwork, IPRange

from macvlan_ros.models.containers import BridgeUse
from macvlan_ros.near import did_you_mean
from macvlan_ros.stack.context import Context
from macvlan_ros.stack.mounts import external_name
from macvlan_ros.stack.nodes import Node, take
from macvlan_ros.stack.values import address, mac, ranges, subnet, text_pairs
from macvlan_ros.values import dataclass

#: Drivers whose network the macvlan one takes the place of.
_LAN_DRIVERS = ("macvlan", "ipvlan", "macvlan-ros")
_REPLACED = ("overlay", "host", *_LAN_DRIVERS)

_UNUSED = ("attachable", "enable_ipv4", "enable_ipv6", "labels")
_KEYS = ("name", "driver", "driver_opts", "external", "internal", "ipam", *_UNUSED)
_UNSUPPORTED = ("link_local_ips", "driver_opts", "interface_name")
_USE_KEYS = (
    "aliases",
    "ipv4_address",
    "ipv6_address",
    "mac_address",
    "priority",
    "gw_priority",
    *_UNSUPPORTED,
)


@dataclass(frozen=True, slots=True)
class DeclaredNetwork:
    """One of the stack's top-level networks. `replaced` is True when the macvlan network takes its
    place. `parent`, `mode`, `subnets`, `gateway` and `ranges` are what a macvlan network of
    Compose's own says about the LAN."""

    key: str
    name: str
    driver: str = ""
    external: bool = False
    internal: bool = False
    replaced: bool = False
    driver_options: Mapping[str, str] = field(default_factory=dict)
    subnets: tuple[IPNetwork, ...] = ()
    gateway: IPAddress | None = None
    ranges: tuple[IPRange, ...] = ()

    @property
    def describes_lan(self) -> bool:
        """True when the file says itself how a macvlan network is to be made."""
        return self.driver in _LAN_DRIVERS and not self.external


@dataclass(frozen=True, slots=True)
class Attached:
    """How a service is attached: what it says about the macvlan network, and the bridges.

    `default_route` is the bridge's network that it says has it, "" for the macvlan one; `off_lan`
    and `host_network` as `Service` has them.
    """

    former_address: IPAddress | None = None
    mac: str = ""
    aliases: tuple[str, ...] = ()
    bridges: tuple[BridgeUse, ...] = ()
    default_route: str = ""
    off_lan: str = ""
    host_network: bool = False


def declared(node: Node | None, context: Context) -> dict[str, DeclaredNetwork]:
    """The top-level `networks`, by key. Raises StackFileError."""
    entries = node.mapping() if node else {}
    return {key: _declared(key, entry, context) for key, entry in entries.items()}


def _declared(key: str, node: Node, context: Context) -> DeclaredNetwork:
    entries = node.known(_KEYS, " of a network")
    external, old_name = external_name(entries.get("external"))
    driver = take(entries, "driver", Node.string, "")
    default = key if external else f"{context.project}_{key}"
    name = take(entries, "name", Node.string, old_name or default)
    if driver in ("none", "null") or (external and name == "none"):
        raise node.error("is the network of no connection, and ROS needs one; remove it")
    if external and name == "host":
        driver = "host"
    replaced = key == "default" or driver in _REPLACED or context.network in (key, name)
    # of an overlay nothing is left, so nothing in it can be wrong
    looked_at = not replaced or (driver in _LAN_DRIVERS and not external)
    subnets, gateway, parts = take(entries if looked_at else {}, "ipam", _ipam, ((), None, ()))
    network = DeclaredNetwork(
        key=key,
        name=name,
        driver="" if driver in ("default", "bridge") else driver,
        external=external,
        internal="internal" in entries and entries["internal"].boolean(),
        replaced=replaced,
        driver_options=take(entries, "driver_opts", text_pairs, {}),
        subnets=subnets,
        gateway=gateway,
        ranges=parts,
    )
    if not network.replaced and (gateway is not None or parts):
        context.note(
            f"network {key!r}: its gateway and ip_range are left to Docker, only its subnet is used"
        )
    for unused in _UNUSED:
        if unused in entries and not network.replaced:
            context.note(f"network {key!r}: its key {unused!r} is ignored")
    return network


def _ipam(
    node: Node,
) -> tuple[tuple[IPNetwork, ...], IPAddress | None, tuple[IPRange, ...]]:
    entries = node.known(("driver", "config", "options"), " of ipam")
    if "driver" in entries and entries["driver"].string() not in ("default", "macvlan-ros"):
        raise entries["driver"].error("must be 'default'; other address drivers are not supported")
    if "options" in entries and entries["options"].mapping():
        raise entries["options"].error("is not supported; remove it")
    subnets: list[IPNetwork | None] = []
    gateways: list[IPAddress | None] = []
    parts: list[IPRange] = []
    for item in take(entries, "config", Node.items, []):
        known = item.known(("subnet", "gateway", "ip_range", "aux_addresses"), " of an ipam config")
        if "aux_addresses" in known:
            raise known["aux_addresses"].error("is not supported; use x-macvlan-ros.exclude")
        subnets.append(take(known, "subnet", subnet, None))
        gateways.append(take(known, "gateway", address, None))
        parts += take(known, "ip_range", ranges, ())
    gateway = next((one for one in gateways if one is not None), None)
    return tuple(one for one in subnets if one is not None), gateway, tuple(parts)


def off_the_lan(
    own: Node, entries: Mapping[str, Node], networks: Mapping[str, DeclaredNetwork]
) -> Attached:
    """How a service is attached whose own section, `own`, says that it is not on the LAN.

    Raises StackFileError where the file does not say on what else.
    """
    node, mode = entries.get("networks"), _only_mode(entries)
    if mode is not None:
        if mode.string() not in ("none", "host"):
            raise mode.error("must be none or host for a service with 'lan: false'")
        return Attached(off_lan=mode.string())
    bridges = []
    for key, use_node in (node.named() if node is not None else {}).items():
        network = networks.get(key)
        if network is None or network.replaced:
            raise use_node.error(
                "is the LAN's, and the service has 'lan: false'; declare another one under the"
                " top-level 'networks'"
            )
        bridges.append(_bridge(use_node, network, _use(use_node)))
    if not bridges:
        raise own.error(
            "has 'lan: false', and nothing says on which network the service is instead; name one"
            " of the top-level 'networks', or say network_mode: none, or host"
        )
    return Attached(bridges=tuple(bridges), off_lan=bridges[0].name)


def _only_mode(entries: Mapping[str, Node]) -> Node | None:
    """The `network_mode`. Raises StackFileError when there are `networks` too."""
    mode = entries.get("network_mode")
    if mode is not None and "networks" in entries:
        raise mode.error("cannot stand beside 'networks'; remove one of the two")
    return mode


def attached(
    service: str,
    entries: Mapping[str, Node],
    networks: Mapping[str, DeclaredNetwork],
    context: Context,
) -> Attached:
    """How a service is attached, from its `networks`, `network_mode` and `mac_address`.

    Raises StackFileError for a network that is not declared, and for a mode that leaves the
    container without a network of its own.
    """
    node, mode = entries.get("networks"), _only_mode(entries)
    if mode is not None:
        _check_mode(service, mode, context)
        if mode.string() == "none":
            return Attached(off_lan="none")
    own_mac = take(entries, "mac_address", mac, "")
    uses = node.named() if node is not None else {}
    if not uses:
        return Attached(mac=own_mac, host_network=mode is not None and mode.string() == "host")
    on_lan: list[_Use] = []
    bridges: list[BridgeUse] = []
    routes: list[tuple[int, str]] = []
    for key, use_node in uses.items():
        network = networks.get(key)
        if network is None and key not in ("default", context.network):
            raise use_node.error(
                f"is not declared in the top-level 'networks'{did_you_mean(key, networks)}"
            )
        use = _use(use_node)
        if {"ipv4_address", "ipv6_address"} <= use_node.mapping().keys():
            context.note(f"service {service!r}: network {key!r}: ipv6_address is not used")
        if network is None or network.replaced:
            on_lan.append(use)
            _note_replaced(key, network, context)
        else:
            bridges.append(_bridge(use_node, network, use))
            routes.append((use.priority, "" if network.internal else network.name))
    return Attached(
        former_address=next((use.address for use in on_lan if use.address is not None), None),
        mac=own_mac or next((use.mac for use in on_lan if use.mac), ""),
        aliases=tuple(dict.fromkeys(alias for use in on_lan for alias in use.aliases)),
        bridges=tuple(bridges),
        default_route=_default_route(on_lan, routes),
    )


def _default_route(on_lan: Sequence[_Use], bridges: Sequence[tuple[int, str]]) -> str:
    """The bridge whose gw_priority beats that of the macvlan network, if there is one; Docker
    itself would take the network whose name comes first (before Docker 28, in any case)."""
    lan = max((use.priority for use in on_lan), default=0)
    priority, name = max(bridges, default=(lan, ""))
    return name if priority > lan else ""


def _check_mode(service: str, node: Node, context: Context) -> None:
    mode = node.string()
    if mode in ("host", "bridge", "default", ""):
        if mode in ("host", "bridge"):
            context.note(
                f"service {service!r}: network_mode {mode!r} is replaced by the macvlan network "
                f"{context.network!r}"
            )
        return
    if mode == "none":
        context.note(f"service {service!r}: network_mode 'none' keeps it off the LAN")
        return
    if mode.startswith(("service:", "container:")):
        raise node.error(
            f"is {mode!r}: that shares another container's address, and here every container has "
            "its own; remove it, or start it with: macvlan-ros compose up -d"
        )
    raise node.error(f"is {mode!r}; name networks under 'networks' instead")


@dataclass(frozen=True, slots=True)
class _Use:
    """What a service says about one of its networks."""

    aliases: tuple[str, ...] = ()
    address: IPAddress | None = None
    mac: str = ""
    priority: int = 0


def _use(node: Node) -> _Use:
    entries = node.known(_USE_KEYS, " of a service's network")
    for key in _UNSUPPORTED:
        if key in entries:
            raise entries[key].error("is not supported; remove it")
    own = [address(entries[key]) for key in ("ipv4_address", "ipv6_address") if key in entries]
    return _Use(
        aliases=take(entries, "aliases", Node.strings, ()),
        address=own[0] if own else None,
        mac=take(entries, "mac_address", mac, ""),
        # `priority` is the order of joining, which shows nowhere
        priority=take(entries, "gw_priority", Node.integer, 0),
    )


def _bridge(node: Node, network: DeclaredNetwork, use: _Use) -> BridgeUse:
    if use.mac:
        raise node.error("has a mac_address, which only the macvlan network can have; remove it")
    return BridgeUse(
        name=network.name,
        aliases=use.aliases,
        address=use.address,
        external=network.external,
        driver=network.driver or "bridge",
        driver_options=network.driver_options,
        internal=network.internal,
        subnets=network.subnets,
    )


def _note_replaced(key: str, network: DeclaredNetwork | None, context: Context) -> None:
    own = network is None or network.describes_lan or context.network in (key, network.name)
    if own or network is None or key == "default":
        return
    driver = network.driver or "bridge"
    context.note(
        f"network {key!r} ({driver}) is replaced by the macvlan network {context.network!r}"
    )
