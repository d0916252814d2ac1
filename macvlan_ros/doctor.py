"""The doctor: what is wrong with this PC and its LAN, each finding with its remedy.

It changes nothing, and a check that cannot be made is a finding, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from macvlan_ros import addresses, census
from macvlan_ros.errors import MacvlanRosError
from macvlan_ros.models import Link, Pool
from macvlan_ros.vendors import who

if TYPE_CHECKING:
    from macvlan_ros.app import App
    from macvlan_ros.census import Sighting
    from macvlan_ros.dhcp import Offer

OK, WARNING, BAD = "ok", "warning", "bad"
#: The oldest engine whose API has all that is needed.
OLDEST_ENGINE = (20, 10)
#: The largest pool's LAN that is scanned: more would take longer than people wait.
_LARGEST_SCAN = 1024


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's outcome. `level` is ok, warning or bad; `remedy` is "" when nothing is wrong."""

    check: str
    level: str
    text: str
    remedy: str = ""


def examine(app: App, *, dhcp: bool = True) -> Iterator[Finding]:
    """Every finding, as it is made. `dhcp` asks the LAN for its DHCP servers, which takes 4 s."""
    yield from _guarded("store", lambda: _check_store(app))
    yield from _guarded("docker", lambda: _check_docker(app))
    parents: list[Link] = []
    yield from _guarded("parent", lambda: _check_parent(app, parents))
    for parent in parents:
        for pool in _pools_on(app, parent):
            yield from _guarded("lan", lambda pool=pool: _check_lan(app, pool))  # type: ignore[misc]
        if dhcp:
            yield from _guarded("dhcp", lambda parent=parent: _check_dhcp(app, parent))  # type: ignore[misc]
    yield from _guarded("leases", lambda: _check_leases(app))


def _guarded(check: str, make: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    try:
        yield from make()
    except MacvlanRosError as error:
        text, _, remedy = str(error).partition("; ")
        yield Finding(check, BAD, text, remedy)


def _check_store(app: App) -> Iterator[Finding]:
    held = app.store.reservations()
    yield Finding("store", OK, f"{app.settings.store}: {len(held)} reservations")


def _check_docker(app: App) -> Iterator[Finding]:
    info = app.engine.info()
    version = tuple(int(part) for part in info.version.split(".")[:2] if part.isdigit())
    if version < OLDEST_ENGINE:
        yield Finding(
            "docker", BAD, f"Docker Engine {info.version} is too old", "install 20.10 or later"
        )
    else:
        yield Finding("docker", OK, f"Docker Engine {info.version} on {info.name}")


def _check_parent(app: App, parents: list[Link]) -> Iterator[Finding]:
    parent = app.parent()
    parents.append(parent)
    shown = ", ".join(str(address) for address in parent.addresses if address.version == 4)
    yield Finding("parent", OK, f"{parent.name} ({parent.kind}), {shown}")


def _pools_on(app: App, parent: Link) -> Sequence[Pool]:
    own = [address.ip for address in parent.addresses]
    return [pool for pool in app.store.pools() if any(address in pool.subnet for address in own)]


def _check_lan(app: App, pool: Pool) -> Iterator[Finding]:
    if pool.subnet.size > _LARGEST_SCAN:
        yield Finding(
            "lan",
            OK,
            f"pool '{pool.name}': {pool.subnet} is too large to be scanned by the way",
            f"see for yourself: macvlan-ros scan {pool.name}",
        )
        return
    troubles = [one for one in app.scan(pool.name) if one.trouble]
    for one in troubles:
        yield Finding("lan", BAD, f"{one.address}: {who(one.mac)} {one.trouble}", _remedy(one))
    if not troubles:
        yield Finding("lan", OK, f"pool '{pool.name}': nobody but us has its addresses")


def _remedy(one: Sighting) -> str:
    if one.whose == census.STRANGER and not one.owner:
        return (
            f"give that device another address, or leave it out of the pool with --exclude"
            f" {one.address}"
        )
    return "find that device and give it another address"


def _check_dhcp(app: App, parent: Link) -> Iterator[Finding]:
    from macvlan_ros.dhcp import find_servers

    offers = find_servers(parent.name)
    pools = app.store.pools()
    for offer in offers:
        others = (pool for pool in pools if not pool.dhcp)
        taken = [pool for pool in others if addresses.contains(pool, offer.address)]
        if taken:
            yield _overlap(offer, taken[0])
        else:
            yield Finding("dhcp", OK, f"the DHCP server {offer.server} offers {offer.address}")
    if not offers:
        yield Finding("dhcp", OK, f"no DHCP server answers on {parent.name}")


def _check_leases(app: App) -> Iterator[Finding]:
    """Leases that could not be had or kept; nothing when no pool takes any."""
    leases = app.leases.book.everybodys()
    for lease in leases:
        if lease.trouble:
            text, _, remedy = lease.trouble.partition("; ")
            yield Finding("leases", BAD, f"'{lease.owner}' ({lease.address}): {text}", remedy)
    if leases and not any(lease.trouble for lease in leases):
        yield Finding("leases", OK, f"{len(leases)} leases are held")


def _overlap(offer: Offer, pool: Pool) -> Finding:
    return Finding(
        "dhcp",
        WARNING,
        f"the DHCP server {offer.server} ({who(offer.mac)}) offers {offer.address}, which is in the"
        f" pool '{pool.name}'",
        "take the pool's range out of that server's range, or make the pool where it gives out"
        " nothing",
    )
