"""A stack: its services, its PCs, and what its section says of the LAN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from netaddr import IPAddress, IPNetwork, IPRange

from macvlan_ros.models.containers import Service, Volume
from macvlan_ros.models.links import NetworkMode
from macvlan_ros.values import dataclass


@dataclass(frozen=True, slots=True)
class HostEntry:
    """One PC of the stack: its parent (name, MAC or subnet), its own LAN address if the file
    says it, its part of the pool, its engine."""

    name: str
    parent: str = ""
    address: IPAddress | None = None
    ranges: tuple[IPRange, ...] = ()
    docker: str = ""


@dataclass(frozen=True, slots=True)
class Discovery:
    """How the stack's ROS 2 nodes find one another. `kind` is multicast, unicast, server (Fast
    DDS's) or router (zenoh's); the last two are at `place`, a service's name, "host:NAME" or an
    address, on `port`."""

    kind: str = "multicast"
    place: str = ""
    port: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A Compose file with its `x-macvlan-ros` section, resolved.

    `subnet` None is the parent's ("auto"). `master` is a service's name, "host:NAME", or a URI;
    "" when the stack names none. `domain` is ROS 2's, None when the stack says none. `volumes`
    are those that services mount, by Docker's name. With `ipv6` the network has IPv6 beside IPv4:
    `subnet6` None is the parent's; with `ros_over` "ipv6" ROS speaks it.
    `notes` are what was replaced or ignored and why, one sentence each, for people to read.
    `services` has all of them, those of inactive profiles too; `profiles` are the active ones.
    `forgiven` are the services of which only a part was read, for whoever leaves them to Compose.
    """

    name: str
    files: tuple[str, ...]
    network: str
    pool: str = ""
    subnet: IPNetwork | None = None
    gateway: IPAddress | None = None
    ranges: tuple[IPRange, ...] = ()
    exclude: tuple[IPRange, ...] = ()
    ipv6: bool = False
    pool6: str = ""
    subnet6: IPNetwork | None = None
    gateway6: IPAddress | None = None
    ranges6: tuple[IPRange, ...] = ()
    ros_over: str = "ipv4"
    parent: str = ""
    mode: NetworkMode = "bridge"
    master: str = ""
    domain: int | None = None
    discovery: Discovery = Discovery()
    hosts: Mapping[str, HostEntry] = field(default_factory=dict)
    services: Mapping[str, Service] = field(default_factory=dict)
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    profiles: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    forgiven: frozenset[str] = frozenset()
