"""The search for free addresses: what is taken, by the pool's rules, the store and the LAN."""

from __future__ import annotations

import time
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from itertools import chain, islice

from netaddr import IPAddress

from macvlan_ros.addresses import candidates_among, intervals, mac_of_owner, size, why_not
from macvlan_ros.errors import AddressInUse, BadSubnet, PoolExhausted
from macvlan_ros.models.pools import DEFAULT_POOL, Pool, Reservation
from macvlan_ros.reserving.around import Surroundings
from macvlan_ros.spans import Span, count, merge, points, subtract
from macvlan_ros.stores.base import WINDOW, Store
from macvlan_ros.wire.vendors import who


class Search:
    """One call's search for free addresses: what is taken, and which MAC each owner would get."""

    def __init__(
        self,
        pool: Pool,
        around: Surroundings,
        *,
        store: Store,
        hosts: Mapping[str, str],
    ) -> None:
        self._pool = pool
        self._around = around
        self._store = store
        self._hosts = hosts
        self._strangers: dict[IPAddress, str] = {}
        self._marked: dict[IPAddress, str] = {}
        self._asked: set[IPAddress] = set()
        self._salts: dict[str, int] = {}
        self._lost: dict[str, int] = {}
        self._avoided: list[Span] = []
        self._goals: dict[str, IPAddress] = {}
        self._passed_over: set[int] = set()
        self._created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        version = pool.subnet.version
        self._networks = [
            (subnet.first, subnet.last) for subnet in around.subnets if subnet.version == version
        ]
        self._neighbours = {
            int(address): mac
            for address, mac in around.addresses.items()
            if address.version == version
        }
        self._macs = set(self._neighbours.values()) - {""}
        self._free = self._free_for("")

    def check_claims(self, claims: Mapping[str, IPAddress]) -> None:
        """Raises BadSubnet or AddressInUse for a claim that the pool or the LAN forbids."""
        for owner, address in claims.items():
            reason = why_not(self._pool, address)
            if reason:
                raise BadSubnet(
                    f"address {address} for {owner!r} {reason}; choose another, or let one be "
                    "chosen"
                )
            holder = self._around.holder(address, but=self._mac(owner))
            if holder:
                # An owner's name says more than the MAC of its container in a neighbour table.
                self._refuse_held(owner, address)
                raise AddressInUse(
                    f"address {address} for {owner!r} is in use by {holder}; choose another, "
                    "or let one be chosen"
                )

    def choose(
        self, owners: Sequence[str], claims: Mapping[str, IPAddress]
    ) -> list[Reservation] | None:
        """An address for each owner, claims as they are; None when there are too few.

        For an owner that has lost more than one round the search begins at random among the first
        2**rounds candidates, so that processes that search side by side stop choosing the same.
        """
        orders: dict[str, Iterator[IPAddress]] = {}
        taken = {int(claims[owner]) for owner in owners if owner in claims}
        wanted = []
        for owner in owners:
            address = claims.get(owner) or self._nearest(owner, taken)
            if address is None:
                address = self._next_free(owner, taken, orders)
            if address is None:
                return None
            taken.add(int(address))
            wanted.append(
                Reservation(
                    pool=self._pool.name,
                    address=address,
                    owner=owner,
                    mac=self._mac(owner),
                    host=self._hosts.get(owner, ""),
                    created=self._created,
                )
            )
        return wanted

    def to_ask(self, chosen: Sequence[Reservation], *, spares: int) -> list[IPAddress]:
        """The addresses of `chosen` that the LAN has not been asked about, and with them so many
        that would be next for each owner; none when all of `chosen` have been asked about."""
        unknown = [want.address for want in chosen if want.address not in self._asked]
        if not unknown:
            return []
        known = {want.address for want in chosen} | self._asked
        for want in chosen:
            order = self._order(want.owner, 0)
            fresh = (address for address in order if address not in known)
            unknown += islice(fresh, spares)
            known.update(unknown)
        return unknown

    def hear(
        self,
        asked: Sequence[IPAddress],
        strangers: Mapping[IPAddress, str],
        *,
        owners: Sequence[str],
    ) -> None:
        """Take in what the LAN said: the MACs of strangers that hold some of the `asked` addresses.

        A stranger is passed over even with an owner's own MAC: a container that answers runs on
        another PC, which has a store of its own. The owner then gets another MAC too.
        """
        self._asked.update(asked)
        self._strangers.update(strangers)
        self._free = self._free_for("")
        self._change_macs(owners, strangers.values())

    def is_held(self, address: IPAddress, mac: str) -> bool:
        """Whether a stranger answered for the address, or from the MAC."""
        return address in self._strangers or mac in self._strangers.values()

    def avoid_marked(self, marked: Mapping[IPAddress, str], *, owners: Sequence[str]) -> None:
        """Do not choose the `marked` addresses, which strangers with these MACs were heard to hold
        lately. They may be claimed; the `owners` have claimed nothing."""
        self._marked = dict(marked)
        self._free = self._free_for("")
        self._change_macs(owners, marked.values())

    def unmark(self) -> bool:
        """Choose marked addresses too, for want of others; False when there were none."""
        had, self._marked = bool(self._marked), {}
        self._free = self._free_for("")
        return had

    def refuse_strangers(self, claims: Mapping[str, IPAddress]) -> None:
        """Raises AddressInUse when a stranger holds a claimed address."""
        for owner, address in claims.items():
            if address in self._strangers:
                raise AddressInUse(
                    f"address {address} for {owner!r} is in use on the LAN by"
                    f" {who(self._strangers[address])}; choose another, or let one be chosen"
                )

    def learn(
        self,
        in_the_way: Sequence[tuple[Reservation, Reservation]],
        claims: Mapping[str, IPAddress],
    ) -> None:
        """Take in why a round was lost. Raises AddressInUse when a claim can never succeed."""
        for want, held in in_the_way:
            self._lost[want.owner] = self._lost.get(want.owner, 0) + 1
            if want.address == held.address and want.owner in claims:
                raise _held_by_another(held)
            if want.mac == held.mac:
                self._salts[want.owner] = self._salts.get(want.owner, 0) + 1

    def avoid_near(self, owners: Sequence[str]) -> None:
        """Pass over what is held where the search for each of `owners` begins. It is a hint, for a
        better first choice: reserving is what decides."""
        if not owners:
            return
        starts = (next(self._order(owner, 0), None) for owner in owners)
        places = [int(start) for start in starts if start is not None]
        if self._pool.order == "sequential" or size(self._pool) <= WINDOW:
            places = []  # all of it: what is held begins where the search does, or is not much
        self._avoid(places)

    def avoid_held(self) -> None:
        """Pass over everything that is held by now."""
        self._avoid(())

    def _avoid(self, places: Sequence[int]) -> None:
        self._avoided = points(self._store.taken_near(self._pool, places))
        self._free = self._free_for("")

    def objection(self, owner: str, address: IPAddress) -> str:
        """Why the owner cannot have the address, as the end of "ADDRESS ..."; "" if it can."""
        reason = why_not(self._pool, address)
        if reason:
            return reason
        held = self._store.holder(address)
        if held is not None and (held.pool, held.owner) != (self._pool.name, owner):
            return f"is held by {held.owner!r} in pool {held.pool!r}"
        if address in self._strangers:
            return f"is in use on the LAN by {who(self._strangers[address])}"
        holder = self._around.holder(address, but=self._mac(owner))
        return f"is in use by {holder}" if holder else ""

    def prefer(self, owner: str, address: IPAddress) -> None:
        """From now on choose this one for the owner, or the nearest to it that is free."""
        self._goals[owner] = address

    def pass_over(self, address: IPAddress) -> None:
        """Do not choose this one again."""
        self._passed_over.add(int(address))
        self._free = self._free_for("")

    def explain_shortage(self, *, wanted: int) -> PoolExhausted | None:
        """Why `choose` found too few: reservations, or the LAN? None if there are enough now."""
        self.avoid_held()
        name, total = self._pool.name, size(self._pool)
        unheld = subtract(intervals(self._pool), self._avoided)
        free, usable = count(unheld), count(self._free)
        held, remedy = total - free, f"free one with: {release_command(name)} NAME"
        if usable >= wanted:
            return None
        if not free:
            return PoolExhausted(
                f"pool {name!r} is full ({held} of {total} addresses held); {remedy}"
            )
        if not usable:
            return PoolExhausted(
                f"pool {name!r} has no address left: {held} of {total} are held, and the other "
                f"{free} are in use ({self._examples(unheld)}); {remedy}, or add a pool where the "
                "LAN is free"
            )
        return PoolExhausted(
            f"pool {name!r} has {usable} of {total} addresses left, and {wanted} are wanted; "
            f"{remedy}, or ask for fewer"
        )

    def _refuse_held(self, owner: str, address: IPAddress) -> None:
        for held in self._store.reservations(self._pool.name):
            if held.address == address and held.owner != owner:
                raise _held_by_another(held)

    def _change_macs(self, owners: Sequence[str], strangers: Collection[str]) -> None:
        for owner in owners:
            while self._mac(owner) in strangers:
                self._salts[owner] = self._salts.get(owner, 0) + 1

    def _mac(self, owner: str) -> str:
        salt = self._salts.get(owner, 0)
        return mac_of_owner(self._pool.name, owner, salt=salt)

    def _free_for(self, mac: str) -> list[Span]:
        """What is left for an owner with this MAC, whose own traces are no obstacle to it."""
        foreign = (value for value, other in self._neighbours.items() if not mac or other != mac)
        heard = (int(address) for address in (*self._strangers, *self._marked))
        passed = points(sorted(self._passed_over))
        taken = [*self._avoided, *self._networks, *points(foreign), *points(heard), *passed]
        return subtract(intervals(self._pool), merge(taken))

    def _nearest(self, owner: str, taken: set[int]) -> IPAddress | None:
        """What is free and nearest to the owner's preference; None without one."""
        if owner not in self._goals:
            return None
        goal = int(self._goals[owner])
        free = subtract(self._free_for(self._mac(owner)), points(sorted(taken)))
        found = (min(max(goal, first), last) for first, last in free)
        best = min(found, key=lambda value: abs(value - goal), default=None)
        return None if best is None else IPAddress(best, self._pool.subnet.version)

    def _next_free(
        self,
        owner: str,
        taken: Container[int],
        orders: dict[str, Iterator[IPAddress]],
    ) -> IPAddress | None:
        # Only a hash, or traces of its own, make an owner's order differ from another's.
        own_order = self._pool.order == "hashed" or self._mac(owner) in self._macs
        key = owner if own_order else ""
        if key not in orders:
            lost = self._lost.get(owner, 0) if own_order else max(self._lost.values(), default=0)
            orders[key] = self._order(owner, lost)
        return next((address for address in orders[key] if int(address) not in taken), None)

    def _order(self, owner: str, spread: int) -> Iterator[IPAddress]:
        mac = self._mac(owner)
        free = self._free_for(mac) if mac in self._macs else self._free
        order = candidates_among(self._pool, owner, free)
        if spread < 2:
            return order
        # Imported here, for it is needed only when processes collide.
        from random import randrange

        later = list(islice(order, randrange(2 ** min(spread, 10))))
        return chain(order, later)

    def _examples(self, free: Sequence[Span]) -> str:
        shown = []
        for address in sorted(self._around.addresses):
            if any(first <= int(address) <= last for first, last in free):
                shown.append(f"{address} by {self._around.holder(address)}")
        heard = {**self._marked, **self._strangers}
        shown += [f"{address} by {who(mac)}" for address, mac in sorted(heard.items())]
        shown += [
            f"{subnet} by Docker's network {name!r}"
            for subnet, name in self._around.subnets.items()
        ]
        return ", ".join(shown[:3]) + (", ..." if len(shown) > 3 else "")


def release_command(pool: str) -> str:
    """What a user types to free addresses of a pool, up to the names."""
    return "macvlan-ros release" + ("" if pool == DEFAULT_POOL else f" --pool {pool}")


def _held_by_another(held: Reservation) -> AddressInUse:
    return AddressInUse(
        f"address {held.address} is held by {held.owner!r} in pool {held.pool!r}; choose another, "
        f"or free it with: {release_command(held.pool)} {held.owner}"
    )
