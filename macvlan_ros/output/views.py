"""Views: which columns each kind of value has, in the table and in the JSON."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from netaddr import IPNetwork

from macvlan_ros import addresses
from macvlan_ros.kernel.link_codec import encode_link
from macvlan_ros.output.columns import Column, View

if TYPE_CHECKING:
    from macvlan_ros.docker_api.attached import Attached
    from macvlan_ros.docker_api.swarm import SwarmNetwork
    from macvlan_ros.doctor import Finding
    from macvlan_ros.dry.deviations import Deviation
    from macvlan_ros.fleet.hosts import Judged
    from macvlan_ros.launch import Launched
    from macvlan_ros.launching.running import ServiceStatus
    from macvlan_ros.leasing.book import Lease
    from macvlan_ros.models.links import Link
    from macvlan_ros.models.networks import Network
    from macvlan_ros.models.pools import Pool, Reservation
    from macvlan_ros.plugin.install import Status
    from macvlan_ros.reaching.reach import Reached
    from macvlan_ros.reserving.collect import Leak
    from macvlan_ros.stores.audit import Fault
    from macvlan_ros.verify import Check
    from macvlan_ros.wire.census import Sighting

LINKS: View[Link] = View(
    columns=(
        Column("", "chosen", lambda link: link.chosen),
        Column(" ", "", lambda link: "*" if link.chosen else " "),
        Column("NAME", "name", lambda link: link.name),
        Column("KIND", "kind", lambda link: link.kind),
        Column("STATE", "", lambda link: "up" if link.up else "down"),
        Column("", "up", lambda link: link.up),
        Column("CARRIER", "carrier", lambda link: link.carrier),
        Column("MAC", "mac", lambda link: link.mac),
        Column("MTU", "mtu", lambda link: link.mtu),
        Column("ADDRESSES", "", lambda link: [a for a in link.addresses if not _link_local(a)]),
        Column("", "addresses", lambda link: link.addresses),
        Column("GATEWAY", "gateway", lambda link: link.gateway),
        Column("", "default_route", lambda link: link.default_route),
        Column("", "wireless", lambda link: link.wireless),
        Column("CHILDREN", "children", lambda link: link.children),
        Column("PARENT?", "", lambda link: f"no: {link.objection}" if link.objection else "yes"),
        Column("", "objection", lambda link: link.objection or None),
    ),
    empty="this PC has no network interface",
    style=lambda link: "bold green" if link.chosen else "dim" if link.objection else "",
)

RESERVATIONS: View[Reservation] = View(
    columns=(
        Column("OWNER", "owner", lambda held: held.owner),
        Column("ADDRESS", "address", lambda held: held.address),
        Column("MAC", "mac", lambda held: held.mac),
        Column("POOL", "pool", lambda held: held.pool),
        Column("HOST", "host", lambda held: held.host),
        Column("SINCE", "created", lambda held: held.created),
        Column("", "kind", lambda held: held.kind),
    ),
    empty="no address is reserved; reserve one with: macvlan-ros allocate NAME",
)

LEAKS: View[Leak] = View(
    columns=(
        Column("KIND", "kind", lambda leak: leak.kind),
        Column("NAME", "name", lambda leak: leak.name),
        Column("POOL", "pool", lambda leak: leak.pool),
        Column("MAC", "mac", lambda leak: leak.mac),
    ),
    empty="nothing was left over",
)

DEVIATIONS: View[Deviation] = View(
    columns=(
        Column("TO BE DONE", "text", lambda one: one.text),
        Column("BY", "remedy", lambda one: one.remedy),
    ),
    empty="all is as the stack wants it",
)

PLUGIN: View[Status] = View(
    columns=(
        Column("INSTALLED", "installed", lambda status: status.installed),
        Column("ACTIVE", "active", lambda status: status.active),
        Column("SOCKET", "socket", lambda status: status.socket),
        Column("ANSWERS", "answers", lambda status: status.answers),
    ),
    empty="",
)

POOLS: View[Pool] = View(
    columns=(
        Column("POOL", "name", lambda pool: pool.name),
        Column("SUBNET", "subnet", lambda pool: pool.subnet),
        Column("RANGES", "ranges", lambda pool: pool.ranges or ("all",)),
        Column("EXCLUDED", "exclude", lambda pool: pool.exclude),
        Column("GATEWAY", "gateway", lambda pool: pool.gateway),
        Column("ORDER", "order", lambda pool: pool.order),
        Column("DHCP", "dhcp", lambda pool: pool.dhcp),
        Column("SIZE", "size", addresses.size),
    ),
    empty="there is no pool; make one with: macvlan-ros pool add NAME --subnet CIDR",
)

LEASES: View[Lease] = View(
    columns=(
        Column("OWNER", "owner", lambda lease: lease.owner),
        Column("ADDRESS", "address", lambda lease: lease.address),
        Column("MAC", "mac", lambda lease: lease.mac),
        Column("POOL", "pool", lambda lease: lease.pool),
        Column("HOST", "host", lambda lease: lease.host),
        Column("SERVER", "server", lambda lease: lease.server),
        Column("STATE", "state", lambda lease: lease.state),
        Column("RENEWS", "due", lambda lease: _moment(lease.due)),
        Column("ENDS", "until", lambda lease: _moment(lease.until)),
        Column("TROUBLE", "trouble", lambda lease: lease.trouble),
    ),
    empty="no lease is held; the addresses of a pool that was made with --dhcp are leased",
    style=lambda lease: "bold red" if lease.trouble else "",
)

NETWORKS: View[Network] = View(
    columns=(
        Column("NETWORK", "name", lambda net: net.name),
        Column("PARENT", "parent", lambda net: net.parent),
        Column("MODE", "mode", lambda net: net.mode),
        Column("SUBNET", "subnet", lambda net: net.subnet),
        Column("RANGE", "ip_range", lambda net: net.ip_range),
        Column("GATEWAY", "gateway", lambda net: net.gateway),
        Column("POOL", "pool", lambda net: net.pool),
        Column("IPV6", "subnet6", lambda net: net.six.subnet if net.six else None),
        Column("", "pool6", lambda net: net.six.pool if net.six else ""),
        Column("ID", "", lambda net: net.id[:12]),
        Column("", "id", lambda net: net.id),
    ),
    empty="no network of ours; make one with: macvlan-ros network create NAME",
)

SWARM_NETWORKS: View[SwarmNetwork] = View(
    columns=(
        Column("NETWORK", "name", lambda net: net.name),
        Column("HERE", "config", lambda net: net.config),
        Column("PARENT", "parent", lambda net: net.parent),
        Column("POOL", "pool", lambda net: net.pool),
        Column("OWNER", "owner", lambda net: net.owner),
        Column("MANAGER", "manager", lambda net: net.manager),
        Column("SPANS", "spans", lambda net: net.spans),
    ),
    empty="",
)

LAUNCHED: View[Launched] = View(
    columns=(
        Column("SERVICE", "service", lambda one: one.service),
        Column("CONTAINER", "container", lambda one: one.container),
        Column("HOST", "host", lambda one: one.host),
        Column("ADDRESS", "address", lambda one: one.address),
        Column("MAC", "mac", lambda one: one.mac),
        Column("DONE", "action", lambda one: one.action),
    ),
    empty="there is nothing to launch here",
)

STATUSES: View[ServiceStatus] = View(
    columns=(
        Column("SERVICE", "service", lambda one: one.service),
        Column("CONTAINER", "container", lambda one: one.container),
        Column("HOST", "host", lambda one: one.host),
        Column("ADDRESS", "address", lambda one: one.address),
        Column("MAC", "mac", lambda one: one.mac),
        Column("STATE", "state", lambda one: one.state),
        Column("HEALTH", "health", lambda one: one.health),
        Column("REACHED", "reached", lambda one: one.reached),
        Column("IMAGE", "image", lambda one: one.image),
        Column("CONFLICT", "conflict", lambda one: one.conflict),
    ),
    empty="the stack has no services",
    style=lambda one: (
        "bold red"
        if one.conflict
        else "dim"
        if one.state in ("absent", "elsewhere")
        else "yellow"
        if one.reached is False
        else ""
    ),
)

HOSTS: View[Judged] = View(
    columns=(
        Column("HOST", "name", lambda one: one.entry.name),
        Column("STATE", "state", lambda one: one.state),
        Column("HEARD", "", lambda one: _ago(one.heard)),
        Column("", "heard_seconds_ago", lambda one: one.heard),
        Column("PARENTS", "", lambda one: _parents(one)),
        Column("", "interfaces", lambda one: [encode_link(link) for link in one.entry.links]),
        Column("ADDRESSES", "addresses", lambda one: one.held),
        Column("ENGINE", "engine", lambda one: one.entry.engine),
        Column("VERSION", "version", lambda one: one.entry.version),
        Column("SERVICES", "services", lambda one: sorted(one.entry.services)),
        Column("", "machine", lambda one: one.entry.machine),
        Column("", "seen", lambda one: _moment(one.entry.seen)),
        Column("CLOCK", "", lambda one: f"{one.clock:+.0f} s" if one.clock is not None else None),
        Column("", "clock_ahead_seconds", lambda one: one.clock),
        Column("", "trouble", lambda one: one.trouble),
    ),
    empty="no host has written itself into this store; launch and the services do",
    style=lambda one: "bold red" if one.trouble else "dim" if one.state == "no service" else "",
)

SIGHTINGS: View[Sighting] = View(
    columns=(
        Column("ADDRESS", "address", lambda one: one.address),
        Column("MAC", "mac", lambda one: one.mac),
        Column("VENDOR", "vendor", lambda one: one.vendor),
        Column("MS", "latency_ms", lambda one: one.latency_ms),
        Column("WHOSE", "", lambda one: one.whose + (" (defended)" if one.defended_by else "")),
        Column("", "whose", lambda one: one.whose),
        Column("OWNER", "owner", lambda one: one.owner),
        Column("HOST", "host", lambda one: one.host),
        Column("TROUBLE", "trouble", lambda one: one.trouble),
        Column("", "defended_by", lambda one: one.defended_by),
    ),
    empty="nobody answered",
    style=lambda one: "bold red" if one.trouble else "green" if one.whose == "ours" else "",
)

_STYLES = {"ok": "green", "warning": "yellow", "bad": "bold red"}

FINDINGS: View[Finding] = View(
    columns=(
        Column("CHECK", "check", lambda one: one.check),
        Column("LEVEL", "level", lambda one: one.level),
        Column("FINDING", "text", lambda one: one.text),
        Column("REMEDY", "remedy", lambda one: one.remedy),
    ),
    empty="nothing is wrong",
    style=lambda one: _STYLES[one.level],
)

CHECKS: View[Check] = View(
    columns=(
        Column("CHECK", "kind", lambda one: one.kind),
        Column("FROM", "source", lambda one: one.source),
        Column("TO", "target", lambda one: one.target),
        Column("LEVEL", "level", lambda one: one.level),
        Column("MS", "ms", lambda one: one.milliseconds),
        Column("WHAT", "text", lambda one: one.text),
        Column("REMEDY", "remedy", lambda one: one.remedy),
    ),
    empty="nothing is wrong",
    style=lambda one: _STYLES[one.level],
)

FAULTS: View[Fault] = View(
    columns=(
        Column("WHERE", "where", lambda one: one.where),
        Column("FAULT", "text", lambda one: one.text),
    ),
    empty="the store contradicts itself nowhere",
    style=lambda _one: "bold red",
)

SHIMS: View[Reached] = View(
    columns=(
        Column("NETWORK", "network", lambda one: one.network.name),
        Column("PARENT", "parent", lambda one: one.network.parent),
        Column("SHIM", "link", lambda one: one.shim.link if one.shim else None),
        Column("STATE", "", lambda one: _shim_state(one)),
        Column("", "up", lambda one: one.shim.up if one.shim else False),
        Column("ADDRESS", "addresses", lambda one: one.shim.addresses if one.shim else ()),
        Column("MAC", "mac", lambda one: one.shim.mac if one.shim else None),
        Column("REACHES", "", lambda one: _names(one, reached=True)),
        Column("OUT OF REACH", "", lambda one: _names(one, reached=False)),
        Column("", "containers", lambda one: _containers(one)),
        Column("", "objection", lambda one: one.objection or None),
    ),
    empty="no network of ours; make one with: macvlan-ros network create NAME",
    style=lambda one: "dim" if one.objection else "" if one.shim else "yellow",
)


def _parents(one: Judged) -> list[str]:
    """The interfaces that can carry containers, with their IPv4 addresses."""
    return [
        f"{link.name} {own}"
        for link in one.entry.links
        if not link.objection
        for own in link.addresses
        if own.version == 4
    ]


def _ago(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"


def _shim_state(one: Reached) -> str:
    if one.shim is None:
        return "cannot be" if one.objection else "none"
    return "up" if one.shim.up else "down"


def _is_reached(one: Reached, container: Attached) -> bool:
    return bool(container.addresses) and set(container.addresses) <= set(one.routed)


def _names(one: Reached, *, reached: bool) -> list[str]:
    return [each.name for each in one.containers if _is_reached(one, each) is reached]


def _containers(one: Reached) -> list[dict[str, object]]:
    return [
        {
            "name": each.name,
            "addresses": list(each.addresses),
            "mac": each.mac,
            "reached": _is_reached(one, each),
        }
        for each in one.containers
    ]


def _moment(seconds: float | None) -> str | None:
    """UTC in ISO 8601; None for never."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)) if seconds else None


def _link_local(address: IPNetwork) -> bool:
    return bool(address.version == 6 and address.ip.is_link_local())
