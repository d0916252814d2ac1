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

from macvlan_ros.errors import AddressInUse, Conflict, InvalidRequest, StoreAway
from macvlan_ros.models.pools import DEFAULT_POOL, Pool, Reservation
from macvlan_ros.notation import check_name
from macvlan_ros.search import Search, release_command
from macvlan_ros.stores.base import Store
from macvlan_ros.strangers import Strangers
from macvlan_ros.values import dataclass
from macvlan_ros.vendors import who

if TYPE_CHECKING:
    from macvlan_ros.around import Surroundings
    from macvlan_ros.lease_taking import Taking
    from macvlan_ros.leases import Leases

__all__ = ["Allocation", "Ipam"]

#: Asks the LAN which of some addresses of a pool somebody holds: address -> MAC.
Ask = Callable[[Pool, Sequence[IPAddress]], Mapping[IPAddress, str]]

# So many more addresses than needed are asked about at first, so that one burst nearly always
# does; with each burst that finds nothing free they double.
_SPARES = 8

# Each lost round means that somebody else got an address; from the second one on the choice is
# spread at random, so 32 in a row do not happen unless something is wrong.
_ROUNDS = 32

# After so many lost rounds a look around each owner's own place may not be enough.
_NEAR_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Allocation:
    """What an owner holds now, and whether this very call reserved it."""

    reservation: Reservation
    new: bool


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
        self._ask = ask
        self._ask_here = ask_here
        self._leases = leases
        self._asks_for_all = asks_for_all
        self._strangers = Strangers(store, host=host)

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
        _check_kept(known, claims)
        self._check_unused(pool, list(known.values()))
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
        search.avoid_marked(
            self._strangers.marked(pool.name),
            owners=[owner for owner in owners if owner not in claims],
        )
        search.check_claims({owner: claims[owner] for owner in owners if owner in claims})
        search.avoid_near([owner for owner in owners if owner not in claims])
        with self._taking(pool) as taking:
            return self._settle(search, pool, owners, claims, taking=taking)

    def _settle(
        self,
        search: Search,
        pool: Pool,
        owners: Sequence[str],
        claims: Mapping[str, IPAddress],
        *,
        taking: Taking | None,
    ) -> dict[str, Allocation]:
        settled: dict[str, Allocation] = {}
        lost = refused = 0
        while lost + refused < _ROUNDS:
            missing = [owner for owner in owners if owner not in settled]
            chosen = search.choose(missing, claims)
            if chosen is None:
                shortage = search.explain_shortage(wanted=len(missing))
                if shortage and not (self._ask and search.unmark()):
                    raise shortage
                lost += 1
                continue
            if self._is_refused(search, pool, chosen, claims, spares=_SPARES << min(refused, 5)):
                refused += 1
                continue
            if taking is not None and not taking.take(search, chosen, claims):
                refused += 1
                continue
            stands = self._store.reserve(chosen)
            pairs = list(zip(chosen, stands, strict=True))
            in_the_way = [(want, held) for want, held in pairs if not _same_owner(want, held)]
            # Another process may have reserved for the very same owner just now.
            kept = {held.owner: held for want, held in pairs if _is_older(want, held)}
            _check_kept(kept, claims)
            settled |= {owner: Allocation(held, new=False) for owner, held in kept.items()}
            if not in_the_way:
                return settled | {
                    held.owner: Allocation(held, new=True) for want, held in pairs if want is held
                }
            search.learn(in_the_way, claims)
            if lost < _NEAR_ROUNDS:
                search.avoid_near([owner for owner in missing if owner not in claims])
            else:
                search.avoid_held()
            lost += 1
        raise Conflict(
            f"pool {pool.name!r}: others took every address that was chosen, {_ROUNDS} times in "
            "a row; try again"
        )

    def _is_refused(
        self,
        search: Search,
        pool: Pool,
        chosen: Sequence[Reservation],
        claims: Mapping[str, IPAddress],
        *,
        spares: int,
    ) -> bool:
        """Whether a stranger on the LAN holds one of `chosen`, so that others must be chosen.

        Owners of other hosts are not asked about, unless all are: their containers may well answer
        by now. Raises AddressInUse for a claim.
        """
        if self._ask is None:
            return False
        here = list(chosen) if self._asks_for_all else self._here(chosen)
        asked = search.to_ask(here, spares=spares)
        if asked:
            answers = self._ask(pool, asked)
            self._strangers.hear(pool, asked, answers)
            answers = {**self._unknown_here(pool, asked, here, claims), **answers}
            search.hear(asked, answers, owners=[want.owner for want in here])
            search.refuse_strangers({w.owner: w.address for w in here if w.owner in claims})
        return any(search.is_held(want.address, want.mac) for want in here)

    def _unknown_here(
        self,
        pool: Pool,
        asked: Sequence[IPAddress],
        chosen: Sequence[Reservation],
        claims: Mapping[str, IPAddress],
    ) -> dict[IPAddress, str]:
        """Who on this host has one of the addresses without the store's knowing it, but for the
        owner's own container. Who claims an address by name knows whose it is."""
        own = {want.address: want.mac for want in self._here(chosen)}
        unclaimed = [address for address in asked if address not in claims.values()]
        found = self._ask_here(pool, unclaimed)
        return {address: mac for address, mac in found.items() if own.get(address) != mac}

    def _check_unused(self, name: str, known: Sequence[Reservation]) -> None:
        """While the store is away, nobody here knows to whom else an address was given meanwhile.

        Whoever has it, an owner of this host's own on another PC too, answers on the LAN; the
        containers over this host's parent do not. Raises AddressInUse.
        """
        here = self._here(known)
        if self._ask is None or not here or self._store.age() is None:
            return
        answers = self._ask(self._store.pool(name), [held.address for held in here])
        for held in here:
            if held.address in answers:
                raise AddressInUse(
                    f"address {held.address} of {held.owner!r} is in use on the LAN by"
                    f" {who(answers[held.address])}, and the store is away: it may have been given"
                    " to somebody else; look again when the store is back"
                )

    def _here(self, chosen: Sequence[Reservation]) -> list[Reservation]:
        return [want for want in chosen if want.host == self._host]

    def _taking(self, pool: Pool) -> AbstractContextManager[Taking | None]:
        if self._leases is None or not pool.dhcp:
            return nullcontext()
        # Imported here: packets are needed in few pools.
        from macvlan_ros.lease_taking import Taking

        return Taking(self._store, self._leases(), pool, everybodys=self._asks_for_all)

    def _ensure_leases(self, pool: str, known: Sequence[Reservation]) -> None:
        """Take what is missing for owners that hold an address already; what fails is told."""
        if self._leases is not None and self._store.pool(pool).dhcp:
            leases = self._leases()
            leases.supply(leases.to_take(known, everybodys=self._asks_for_all))


def _same_owner(one: Reservation, other: Reservation) -> bool:
    return (one.pool, one.owner) == (other.pool, other.owner)


def _is_older(want: Reservation, held: Reservation) -> bool:
    """Whether what stands is the owner's own and was there before this call."""
    return _same_owner(want, held) and held is not want


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


def _check_kept(known: Mapping[str, Reservation], claims: Mapping[str, IPAddress]) -> None:
    """Raises Conflict when an owner claims another address than it holds."""
    for owner, held in known.items():
        wanted = claims.get(owner, held.address)
        if wanted != held.address:
            raise Conflict(
                f"{owner!r} holds {held.address} in pool {held.pool!r}, not {wanted}; to move it, "
                f"first: {release_command(held.pool)} {owner}"
            )
