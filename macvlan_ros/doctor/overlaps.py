"""The doctor on overlaps: pools beside Docker's own subnets, other networks over the parent, and
addresses or MACs that two containers have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from macvlan_ros.doctor.finding import BAD, OK, WARNING, Finding
from macvlan_ros.kernel import procnet
from macvlan_ros.models.links import Link

if TYPE_CHECKING:
    from macvlan_ros.app import App


def check_pools(app: App) -> Iterator[Finding]:
    """Whether a pool's subnet is one that Docker routes to a bridge of its own, or is no LAN of
    this PC's."""
    taken = app.engine.subnets()
    here = [one.subnet for one in procnet.connected_subnets()]
    for pool in app.store.pools():
        for subnet, name in taken.items():
            if subnet in pool.subnet or pool.subnet in subnet:
                yield Finding(
                    "pool",
                    BAD,
                    f"pool '{pool.name}' ({pool.subnet}) overlaps Docker's network '{name}'"
                    f" ({subnet}): what is for the LAN goes there",
                    f"docker network rm {name}, and give Docker other subnets"
                    " (default-address-pools in /etc/docker/daemon.json)",
                )
        if pool.subnet.version == 4 and pool.subnet.cidr not in here:
            yield Finding(
                "pool",
                WARNING,
                f"no interface of this PC has an address in {pool.subnet}, the subnet of the pool"
                f" '{pool.name}'",
                "nothing to do where another PC uses it; else: macvlan-ros interfaces",
            )


def check_networks(app: App, parent: Link) -> Iterator[Finding]:
    """Networks of Docker over the same parent that are not ours."""
    for name, driver in app.engine.others_over(parent.name).items():
        if driver == "ipvlan":
            text = f"Docker's network '{name}' has ipvlan links on {parent.name}, where the kernel"
            text += " then allows no macvlan"
            yield Finding("network", BAD, text, f"docker network rm {name}, or another --parent")
        else:
            yield Finding(
                "network",
                WARNING,
                f"Docker's network '{name}' is on {parent.name} too: Docker makes no second one"
                " there, and hands out its addresses without asking anybody",
                f"docker network rm {name}; its containers can join a network of ours",
            )


def check_twice(app: App, parent: Link) -> Iterator[Finding]:
    """MACs and addresses that two containers of this PC have."""
    running = [one for net in app.engine.networks() for one in app.engine.attached(net.id)]
    macs = Counter(one.mac for one in running)
    addresses = Counter(address for one in running for address in one.addresses)
    for mac, count in macs.items():
        if count > 1 or mac == parent.mac:
            names = ", ".join(one.name for one in running if one.mac == mac)
            text = f"the MAC {mac} is there twice: {names}"
            text += " and the parent itself" if mac == parent.mac else ""
            yield Finding(
                "twice", BAD, text, "launch them again without a mac_address of their own"
            )
    for address, count in addresses.items():
        if count > 1:
            names = ", ".join(one.name for one in running if address in one.addresses)
            text = f"the address {address} is there twice: {names}"
            yield Finding("twice", BAD, text, "launch one of them again, without its --ip")
    if max([*macs.values(), *addresses.values()], default=1) == 1:
        yield Finding("twice", OK, "no MAC and no address is known to be there twice")
