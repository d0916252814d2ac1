"""What Docker's macvlan network over a pool looks like. Pure; `engine` makes it."""

from __future__ import annotations

from collections.abc import Mapping

from netaddr import IPAddress, IPNetwork

from macvlan_ros.errors import BadSubnet, InvalidRequest
from macvlan_ros.models.links import Link, NetworkMode
from macvlan_ros.models.networks import Network, Side6
from macvlan_ros.models.pools import Pool


def describe(
    name: str,
    pool: Pool,
    *,
    parent: Link,
    mode: NetworkMode = "bridge",
    labels: Mapping[str, str] | None = None,
    pool6: Pool | None = None,
) -> Network:
    """The network that serves `pool` over `parent`, and an IPv6 pool beside it if there is one.

    Docker's `ip_range` is one CIDR, so a pool of several ranges or of FROM-TO has none there.
    Raises BadSubnet when the parent has no address in the pool's subnet: containers would have
    addresses that nobody on that LAN can reach; InvalidRequest for a pool of the wrong IP version.
    """
    for one, version in ((pool, 4), (pool6, 6)):
        if one is not None and one.subnet.version != version:
            raise InvalidRequest(
                f"the pool '{one.name}' is IPv{one.subnet.version}; a network has an IPv4 pool"
                " (--pool, in a stack: pool), for Docker before 27 makes none without IPv4, and may"
                " have an IPv6 one beside it (--pool6, pool6)"
            )
    for each in (pool, *((pool6,) if pool6 else ())):
        _check_on(parent, each)
    return Network(
        name=name,
        parent=parent.name,
        subnet=pool.subnet,
        gateway=pool.gateway,
        ip_range=_single_cidr(pool),
        mode=mode,
        pool=pool.name,
        labels=labels or {},
        six=Side6(pool6.subnet, pool6.gateway, _single_cidr(pool6), pool6.name) if pool6 else None,
    )


def _check_on(parent: Link, pool: Pool) -> None:
    if address_on(parent, pool.subnet) is None:
        own = ", ".join(str(address) for address in parent.addresses) or "none"
        raise BadSubnet(
            f"{parent.name} has no address in {pool.subnet}, the subnet of the pool"
            f" '{pool.name}' (it has {own}); name the right interface with --parent, or another"
            " pool with --pool"
        )


def address_on(parent: Link, subnet: IPNetwork) -> IPAddress | None:
    """The host's own address in that subnet, which is never handed out."""
    return next((own.ip for own in parent.addresses if own.ip in subnet), None)


def _single_cidr(pool: Pool) -> IPNetwork | None:
    if len(pool.ranges) != 1:
        return None
    cidrs = pool.ranges[0].cidrs()
    return cidrs[0] if len(cidrs) == 1 and cidrs[0] != pool.subnet else None
