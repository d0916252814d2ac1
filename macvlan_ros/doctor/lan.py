"""The doctor on the LAN: who has addresses of the pools, and what its DHCP servers offer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from macvlan_ros import addresses
from macvlan_ros.defence import conflicts
from macvlan_ros.doctor.finding import BAD, OK, WARNING, Finding, guarded
from macvlan_ros.errors import InvalidRequest
from macvlan_ros.models.links import Link
from macvlan_ros.models.pools import Pool
from macvlan_ros.wire import census
from macvlan_ros.wire.vendors import who

if TYPE_CHECKING:
    from macvlan_ros.app import App
    from macvlan_ros.wire.census import Sighting
    from macvlan_ros.wire.dhcp import Offer

#: The largest pool's LAN that is scanned: more would take longer than people wait.
_LARGEST_SCAN = 1024


def check(app: App, parent: Link) -> Iterator[Finding]:
    """Whether strangers hold addresses of the pools on the parent's LAN."""
    for pool in _pools_on(app, parent):
        yield from guarded("lan", partial(_check_pool, app, pool))


def _pools_on(app: App, parent: Link) -> Sequence[Pool]:
    own = [address.ip for address in parent.addresses]
    return [pool for pool in app.store.pools() if any(address in pool.subnet for address in own)]


def _check_pool(app: App, pool: Pool) -> Iterator[Finding]:
    found = _scanned(app, pool)
    if found is None:
        yield Finding(
            "lan",
            OK,
            f"pool '{pool.name}': {pool.subnet} is too large to be scanned by the way",
            f"see for yourself: macvlan-ros scan {pool.name}",
        )
        return
    troubles = [one for one in found if one.trouble]
    for one in troubles:
        yield Finding("lan", BAD, f"{one.address}: {who(one.mac)} {one.trouble}", _remedy(one))
    if not troubles:
        yield Finding("lan", OK, f"pool '{pool.name}': nobody but us has its addresses")
    for one in found:
        if one.defended_by:
            yield Finding("lan", OK, f"{one.address} of '{one.owner}' is defended while it is down")


def _scanned(app: App, pool: Pool) -> tuple[Sighting, ...] | None:
    """Who is on the pool's LAN; None where that takes too long. In IPv6 all are asked at once."""
    if pool.subnet.version == 4 and pool.subnet.size > _LARGEST_SCAN:
        return None
    try:
        return app.scan(pool.name)
    except InvalidRequest:  # of a large one, by a user who may not send frames
        return None


def _remedy(one: Sighting) -> str:
    if one.whose == census.STRANGER and not one.owner:
        return (
            f"give that device another address, or leave it out of the pool with --exclude"
            f" {one.address}"
        )
    return "find that device and give it another address"


def check_strangers(app: App) -> Iterator[Finding]:
    """Who was heard with addresses of ours in the last hour, by the services of all hosts."""
    for seen in conflicts.recent(app.store):
        ago = max(0, int((time.time() - seen.last) / 60))
        yield Finding(
            "strangers",
            BAD if seen.running else WARNING,
            f"{seen.address} of '{seen.owner or seen.ours}': {who(seen.mac)} used it {ago} min ago,"
            f" as {seen.host} heard ({seen.count} frames)",
            "find that device and give it another address",
        )


def check_dhcp(app: App, parent: Link) -> Iterator[Finding]:
    """Whether a DHCP or DHCPv6 server gives out addresses of a pool. Takes 4 s."""
    from macvlan_ros.wire import dhcp, dhcp6

    with ThreadPoolExecutor(1) as aside:
        six = aside.submit(dhcp6.find_servers, parent.name)
        four = dhcp.find_servers(parent.name)
        offers = (*four, *six.result())
    pools = app.store.pools()
    for offer in offers:
        others = (pool for pool in pools if not pool.dhcp)
        taken = [pool for pool in others if addresses.contains(pool, offer.address)]
        if taken:
            yield _overlap(offer, taken[0])
        else:
            yield Finding("dhcp", OK, f"the {_kind(offer)} {offer.server} offers {offer.address}")
    if not four:
        yield Finding("dhcp", OK, f"no DHCP server answers on {parent.name}")


def _kind(offer: Offer) -> str:
    return "DHCP server" if offer.address.version == 4 else "DHCPv6 server"


def _overlap(offer: Offer, pool: Pool) -> Finding:
    return Finding(
        "dhcp",
        WARNING,
        f"the {_kind(offer)} {offer.server} ({who(offer.mac)}) offers {offer.address}, which is in"
        f" the pool '{pool.name}'",
        "take the pool's range out of that server's range, or make the pool where it gives out"
        " nothing",
    )
