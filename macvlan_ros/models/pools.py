"""What a store keeps: pools, reservations, records."""

from __future__ import annotations

from netaddr import IPAddress, IPNetwork, IPRange

from macvlan_ros.values import dataclass

DEFAULT_POOL = "default"

# What a reservation is for: an owner, for good; a container that nobody named, while it runs; a
# Docker network itself (its gateway, an auxiliary address).
STATIC, DYNAMIC, NETWORK = "static", "dynamic", "network"


@dataclass(frozen=True, slots=True)
class Pool:
    """The part of a subnet that may be handed out: ranges minus exclusions.

    Empty `ranges` mean the whole subnet. `order` is "hashed" (the search for a free address
    starts at a place made from the owner's name, so that hosts that do not know one another
    rarely choose the same) or "sequential" (from the lowest address up). With `dhcp` each
    reservation is also taken as a lease from the LAN's DHCP server.
    """

    name: str
    subnet: IPNetwork
    ranges: tuple[IPRange, ...] = ()
    exclude: tuple[IPRange, ...] = ()
    gateway: IPAddress | None = None
    order: str = "hashed"
    dhcp: bool = False


@dataclass(frozen=True, slots=True)
class Reservation:
    """A pool's record that an owner holds an address; it outlives the container.

    `mac` is the owner's, lower case with colons. `host` is the name of the host that made it
    or that its container belongs to. `created` is UTC in ISO 8601, to the second. `kind` is STATIC,
    DYNAMIC or NETWORK.
    """

    pool: str
    address: IPAddress
    owner: str
    mac: str
    host: str = ""
    created: str = ""
    kind: str = STATIC


@dataclass(frozen=True, slots=True)
class Record:
    """Something that must be known again after a restart, as a text.

    There is one at most under each `kind` and `key`. `host` is whose it is.
    """

    kind: str
    key: str
    host: str
    value: str
