"""Who gets which address: pools, allocation by name, claims, release.

The order is always: choose what looks free, then reserve it in one atomic step of the store, and
choose again if somebody else was quicker. Nothing is read first and written afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from netaddr import IPAddress

from macvlan_ros.errors import Conflict, InvalidRequest, StoreAway
from macvlan_ros.models.pools import DEFAULT_POOL, Pool, Reservation
from macvlan_ros.notation import check_name
from macvlan_ros.reserving.rounds import Allocation, Inquiry, Rounds, check_kept
from macvlan_ros.reserving.search import Search
from macvlan_ros.stores.base import Store

if TYPE_CHECKING:
    from macvlan_ros.leasing.leases import Leases
    from macvlan_ros.leasing.taking import Taking
    from macvlan_ros.reserving.around import Ask, Surroundings

__all__ = ["Allocation", "Ipam"]


class Ipam:
    """Pools and reservations in a store, with an eye on what is around this host.

    `surroundings` is asked at most once in a call, and only when something new is reserved; so is
    `ask` (None: the LAN is not asked), for what this host's owners get. `ask_here` asks containers
    of this host that the store does not know, to whom the LAN's questions do not get. `host` is
    this host's name, for the record. `leases` makes what takes leases for this host's owners in
    pools that want them (None: nobody does here). With `asks_for_all` the LAN is asked for other
    hosts' owners too, as one does that starts containers on all of them.
    """

    def __init__(
        self,
        store: Store,
        *,
        surroundings: Callable[[Pool], Surroundings],
        host: str,
        ask: Ask | None = None,
        ask_here: Ask = lambda _pool, _addresses: {},
        leases: Callable[[], Leases] | None = None,
        asks_for_all: bool = False,
    ) -> None:
        self._store = store
        self._surroundings = surroundings
        self._host = host
        self._leases = leases
        self._asks_for_all = asks_for_all
        self._inquiry = Inquiry(store, host=host, ask=ask, ask_here=ask_here, for_all=asks_for_all)

    def allocate(
        self,
        pool: str,
        owners: Sequence[str],
        *,
        addresses: Mapping[str, IPAddress] | None = None,
        hosts: Mapping[str, str] | None = None,
        within: Pool | None = None,
    ) -> tuple[Allocation, ...]:
        """What each of `owners` holds, in their order; what is missing is reserved, all or none.

        `within` is the pool with fewer addresses, of which the missing ones are chosen.
        `addresses` claims a given address for an owner, `hosts` names the host of an owner that
        runs on another than this one. An owner that holds an address keeps it. Raises
        InvalidRequest (a name), PoolNotFound, BadSubnet (a claim that is not the pool's),
        AddressInUse, Conflict (the owner holds another address than it claims), PoolExhausted,
        and what the store raises.
        """
        claims = dict(addresses or {})
        _check_request(owners, claims)
        wanted = list(dict.fromkeys(owners))
        known = {held.owner: held for held in self._store.held(pool, wanted)}
        check_kept(known, claims)
        self._inquiry.check_unused(pool, list(known.values()))
        if known:
            self._ensure_leases(pool, list(known.values()))
        missing = [owner for owner in wanted if owner not in known]
        made: dict[str, Allocation] = {}
        if missing:
            made = self._reserve(within or self._store.pool(pool), missing, claims, hosts or {})
        return tuple(made.get(owner) or Allocation(known[owner], new=False) for owner in owners)

    def release(self, pool: str, owners: Sequence[str]) -> tuple[Reservation, ...]:
        """Give up what these owners hold, and return it; the others are passed over."""
        leased = self._leases is not None and self._store.pool(pool).dhcp
        gone = self._store.release(pool, owners)
        if gone and leased and self._leases is not None:
            self._leases().release(gone)
        return gone

    def reservations(self, pool: str | None = None) -> tuple[Reservation, ...]:
        """What is held in one pool, or in all, by pool and address. Raises PoolNotFound."""
        return self._store.reservations(pool)

    def held(self, pool: str, owners: Sequence[str]) -> tuple[Reservation, ...]:
        """What these owners hold in the pool; the others are passed over. Raises PoolNotFound."""
        return self._store.held(pool, owners)

    def move(self, held: Reservation, host: str) -> Reservation | None:
        """Make `host` the host of a reservation, if it stands as `held`; what then stands."""
        return self._store.move(held, host)

    def wear(self, held: Reservation, mac: str) -> Reservation:
        """Keep the MAC that a container was given by name, in the place of the one made for its
        owner; what then stands. A lease stays with the MAC that it was taken with, and while the
        store is away nothing is changed. Raises Conflict when the MAC is another owner's."""
        if held.mac == mac or self._store.pool(held.pool).dhcp:
            return held
        new = replace(held, mac=mac)
        try:
            stands = self._store.exchange(held, new)
        except StoreAway:
            return held
        if stands is not None and stands.owner != held.owner:
            raise Conflict(
                f"the MAC {mac} is that of {stands.owner!r} ({stands.address}); give {held.owner!r}"
                " another"
            )
        return stands or held

    def add_pool(self, pool: Pool) -> Pool:
        """Add a pool; the same definition twice is fine. Raises Conflict, PoolOverlap."""
        return self._store.add_pool(pool)

    def pools(self) -> tuple[Pool, ...]:
        """All pools by name."""
        return self._store.pools()

    def pool(self, name: str) -> Pool:
        """One pool. Raises PoolNotFound."""
        return self._store.pool(name)

    def remove_pool(self, name: str) -> bool:
        """Remove a pool; False when there was none. Raises Conflict while addresses are held."""
        removed = self._store.remove_pool(name)
        if removed and self._leases is not None:
            self._leases().forget_pool(name)
        return removed

    def choose_pool(self, name: str | None = None, *, version: int | None = None) -> Pool | None:
        """The pool that is meant: the named one, else "default", else the only one, or the only
        one of IPv4. Where none is named it is one of that IP version.

        None when there is no such pool and none was named. Raises PoolNotFound, and InvalidRequest
        when there are several to choose from.
        """
        if name:
            return self._store.pool(name)
        all_pools = self._store.pools()
        pools = {one.name: one for one in all_pools if version in (None, one.subnet.version)}
        if DEFAULT_POOL in pools:
            return pools[DEFAULT_POOL]
        if len(pools) > 1:
            four = [pool for pool in pools.values() if pool.subnet.version == 4]
            if len(four) == 1:
                return four[0]
            raise InvalidRequest(
                f"several pools to choose from; add --pool, one of: {', '.join(pools)}"
            )
        return next(iter(pools.values()), None)

    def pool_of(self, owners: Sequence[str], name: str | None = None) -> Pool | None:
        """The named pool, else the only one in which one of these owners holds something, else as
        `choose_pool`, with its errors."""
        if not name:
            wanted = set(owners)
            found = {held.pool for held in self._store.reservations() if held.owner in wanted}
            if len(found) == 1:
                return self._store.pool(found.pop())
        return self.choose_pool(name)

    def _reserve(
        self,
        pool: Pool,
        owners: Sequence[str],
        claims: Mapping[str, IPAddress],
        hosts: Mapping[str, str],
    ) -> dict[str, Allocation]:
        search = Search(
            pool,
            self._surroundings(pool),
            store=self._store,
            hosts={owner: hosts.get(owner) or self._host for owner in owners},
        )
        free = [owner for owner in owners if owner not in claims]
        search.avoid_marked(self._inquiry.marked(pool), owners=free)
        search.check_claims({owner: claims[owner] for owner in owners if owner in claims})
        search.avoid_near(free)
        with self._taking(pool) as taking:
            rounds = Rounds(search, pool, claims, store=self._store, inquiry=self._inquiry)
            return rounds.run(owners, taking=taking)

    def _taking(self, pool: Pool) -> AbstractContextManager[Taking | None]:
        if self._leases is None or not pool.dhcp:
            return nullcontext()
        # Imported here: packets are needed in few pools.
        from macvlan_ros.leasing.taking import Taking

        return Taking(self._store, self._leases(), pool, everybodys=self._asks_for_all)

    def _ensure_leases(self, pool: str, known: Sequence[Reservation]) -> None:
        """Take what is missing for owners that hold an address already; what fails is told."""
        if self._leases is not None and self._store.pool(pool).dhcp:
            leases = self._leases()
            leases.supply(leases.to_take(known, everybodys=self._asks_for_all))


def _check_request(owners: Sequence[str], claims: Mapping[str, IPAddress]) -> None:
    if not owners:
        raise InvalidRequest("no name given; say whom the address is for")
    for owner in owners:
        check_name(owner)
    claimed: dict[IPAddress, str] = {}
    for owner, address in claims.items():
        if owner not in owners:
            raise InvalidRequest(
                f"address {address} is claimed for {owner!r}, who is not asked for"
            )
        other = claimed.setdefault(address, owner)
        if other != owner:
            raise InvalidRequest(
                f"address {address} is claimed for both {other!r} and {owner!r}; one address is "
                "for one name"
            )
