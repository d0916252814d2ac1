"""The census: who is on the LAN, and whose each address is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from netaddr import IPAddress

from macvlan_ros import addresses
from macvlan_ros.models.pools import Pool, Reservation
from macvlan_ros.values import dataclass
from macvlan_ros.wire.prober import Seen
from macvlan_ros.wire.vendors import vendor

OURS, HERE, GATEWAY, STRANGER, ELSEWHERE = "ours", "here", "gateway", "stranger", "elsewhere"


@dataclass(frozen=True, slots=True)
class Sighting:
    """Somebody who answered for an address, or a container of this host, which cannot answer it.

    `whose` is ours (an owner's container), here (this PC itself), gateway, stranger (inside a pool,
    or on an owner's address, and unknown to us), or elsewhere (outside of what we hand out).
    `latency_ms` is None for what was not asked. `defended_by` is the MAC of the machine that
    answers for an owner whose container is down, "" for the container itself. `trouble` says what
    is wrong, "" when nothing is.
    """

    address: IPAddress
    mac: str
    vendor: str
    latency_ms: float | None
    whose: str
    owner: str
    host: str
    trouble: str
    defended_by: str = ""


def classify(
    seen: Sequence[Seen],
    *,
    pools: Sequence[Pool],
    reservations: Sequence[Reservation],
    running: Collection[str],
    own: Mapping[IPAddress, str],
    elsewhere: Sequence[Reservation] = (),
) -> tuple[Sighting, ...]:
    """Say of everybody seen whose they are, and add this PC and its running containers.

    `running` are the MACs of this PC's macvlan links, `own` this PC's addresses on the LAN with
    their MACs. A container has one MAC, though its owner may hold an IPv6 address with another one:
    `elsewhere` are the reservations of other subnets. A machine that answers for every address is
    left out. The shim of a PC that shares no store with us is known by its MAC, if the PC's name
    is: that of a reservation for its services.
    """
    held = {reservation.address: reservation for reservation in reservations}
    macs: dict[tuple[str, str], set[str]] = {}
    for each in (*reservations, *elsewhere):
        macs.setdefault((each.owner, each.host), set()).add(each.mac)
    shims = _shims(pools, reservations)
    answers = [one for one in seen if not one.proxy]
    times = Counter(one.address for one in answers)
    found: list[Sighting] = []
    for answer in answers:
        holder, twice = held.get(answer.address), times[answer.address] > 1
        its = macs[holder.owner, holder.host] if holder is not None else ()
        found.append(
            _sighting(answer, pools=pools, held=holder, macs=its, shims=shims, twice=twice)
        )
    for address, mac in own.items():
        trouble = _trouble_here(address, times)
        found.append(Sighting(address, mac, vendor(mac), None, HERE, "", "", trouble))
    for one in reservations:
        trouble = _trouble_here(one.address, times)
        for mac in macs[one.owner, one.host]:
            if mac in running and one.address not in own:
                place = (one.address, mac, vendor(mac), None)
                found.append(Sighting(*place, OURS, one.owner, one.host, trouble))
    return tuple(sorted(found, key=lambda one: (one.address, one.latency_ms or 0.0)))


def _shims(
    pools: Sequence[Pool], reservations: Sequence[Reservation]
) -> dict[str, tuple[str, str]]:
    """The MACs of known PCs' shims, with owner and host."""
    return {
        addresses.mac_of_owner(pool.name, addresses.SHIM_OWNER + host): (
            addresses.SHIM_OWNER + host,
            host,
        )
        for pool in pools
        for host in {one.host for one in reservations if one.host}
    }


def _sighting(
    seen: Seen,
    *,
    pools: Sequence[Pool],
    held: Reservation | None,
    macs: Collection[str],
    shims: Mapping[str, tuple[str, str]],
    twice: bool,
) -> Sighting:
    whose, owner, host, trouble = ELSEWHERE, "", "", ""
    if held is not None:
        owner, host = held.owner, held.host
        whose = OURS if seen.mac in macs else STRANGER
        if whose == STRANGER:
            trouble = f"holds the address of '{owner}', whose MAC is {held.mac}"
    elif any(pool.gateway == seen.address for pool in pools):
        whose = GATEWAY
    elif seen.mac in shims:
        whose, (owner, host) = OURS, shims[seen.mac]
    elif any(addresses.contains(pool, seen.address) for pool in pools):
        whose = STRANGER
        trouble = "holds an address of the pool without a reservation"
    if twice:
        trouble = "two machines answer for this address"
    defended_by = seen.sent_by if whose == OURS else ""
    return Sighting(
        seen.address,
        seen.mac,
        vendor(seen.mac),
        round(seen.latency_s * 1000, 2),
        whose,
        owner,
        host,
        trouble,
        defended_by,
    )


def _trouble_here(address: IPAddress, times: Counter[IPAddress]) -> str:
    return "another machine answers for this address too" if times[address] else ""
