"""What every store decides in the same way, and says in the same words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netaddr import IPAddress

from macvlan_ros.addresses import describe_ranges, shared_address
from macvlan_ros.errors import Conflict, PoolNotFound, PoolOverlap
from macvlan_ros.models.pools import STATIC, Pool, Reservation
from macvlan_ros.near import did_you_mean
from macvlan_ros.notation import is_name


def check_new_pool(pool: Pool, standing: Iterable[Pool]) -> bool:
    """Whether `pool` has yet to be written: False when this very definition stands already.

    Raises Conflict when its name stands for another definition, PoolOverlap when it and another
    pool want the same address.
    """
    others = []
    for other in standing:
        if other == pool:
            return False
        if other.name == pool.name:
            raise Conflict(
                f"pool {pool.name!r} exists with another {_difference(other, pool)}; remove it "
                f"first with: macvlan-ros pool rm {pool.name}, or take another name"
            )
        others.append(other)
    for other in others:
        shared = shared_address(pool, other)
        if shared is not None:
            raise PoolOverlap(
                f"pool {pool.name!r} overlaps pool {other.name!r}: both have {shared}; give it "
                "a --range of its own, or leave that address out with --exclude"
            )
    return True


def settle(
    wanted: Sequence[Reservation], standing: Iterable[Reservation]
) -> tuple[Reservation, ...]:
    """What would stand for each of `wanted`, were they reserved one after the other.

    That is the very object for those that nothing is in the way of. `standing` has to have all
    that is held by the owners, at the addresses, and under the MACs that are wanted.
    """
    by_owner: dict[tuple[str, str], Reservation] = {}
    by_address: dict[IPAddress, Reservation] = {}
    by_mac: dict[str, Reservation] = {}

    def stand(held: Reservation) -> None:
        by_owner[held.pool, held.owner] = by_address[held.address] = held
        if held.kind == STATIC:
            by_mac[held.mac] = held

    for held in standing:
        stand(held)
    result = []
    for want in wanted:
        found = by_owner.get((want.pool, want.owner)) or by_address.get(want.address)
        if found is None and want.kind == STATIC:
            found = by_mac.get(want.mac)
        if found is None:
            stand(want)
        result.append(found or want)
    return tuple(result)


def is_blocked(wanted: Sequence[Reservation], stands: Sequence[Reservation]) -> bool:
    """Whether another owner is in the way of any, so that nothing may be written."""
    pairs = zip(wanted, stands, strict=True)
    return any((want.pool, want.owner) != (held.pool, held.owner) for want, held in pairs)


def pool_not_found(name: str, known: Iterable[str]) -> PoolNotFound:
    """The error for a pool that is not there, naming those that are."""
    names = sorted(known)
    there = f"there is {', '.join(names)}" if names else "there is none yet"
    new = name if is_name(name) else "NAME"
    return PoolNotFound(
        f"no pool {name!r}: {there}{did_you_mean(name, names)}; make one"
        f" with: macvlan-ros pool add {new} --subnet CIDR"
    )


def pool_in_use(name: str, held: int) -> Conflict:
    """The error for removing a pool out of which addresses are held."""
    things = "1 address is" if held == 1 else f"{held} addresses are"
    return Conflict(
        f"pool {name!r} cannot be removed: {things} held in it; see them with: macvlan-ros list "
        f"--pool {name}, free them with: macvlan-ros release --pool {name} NAME..."
    )


def _difference(old: Pool, new: Pool) -> str:
    for word, here, there in (
        ("subnet", str(old.subnet), str(new.subnet)),
        ("range", describe_ranges(old), describe_ranges(new)),
        ("gateway", str(old.gateway or "none"), str(new.gateway or "none")),
        ("order", old.order, new.order),
        ("use of DHCP", _yes(old.dhcp), _yes(new.dhcp)),
    ):
        if here != there:
            return f"{word} ({here}, not {there})"
    return "list of exclusions"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
