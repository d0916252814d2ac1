"""Taking leases while addresses are chosen: what is reserved is what the DHCP server gave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from netaddr import IPAddress

from macvlan_ros.addresses import describe_ranges
from macvlan_ros.errors import Conflict
from macvlan_ros.leasing.leases import Leases
from macvlan_ros.models.pools import Pool, Reservation
from macvlan_ros.reserving.search import Search
from macvlan_ros.stores.base import Store
from macvlan_ros.wire.dhcp_client import Refused

__all__ = ["Taking"]

# What a server may refuse an owner before it is an error. Each attempt may take 3 s, for dnsmasq
# pings what it offers.
_ATTEMPTS = 3


class Taking:
    """One call's leases; a context manager. What is not reserved by its end is given back.

    They are for this host's owners, with `everybodys` for other hosts' as well.
    """

    def __init__(
        self, store: Store, leases: Leases, pool: Pool, *, everybodys: bool = False
    ) -> None:
        self._store = store
        self._leases = leases
        self._pool = pool
        self._everybodys = everybodys
        self._taken: dict[str, Reservation] = {}
        self._resumed: set[str] = set()
        self._refusals: Counter[str] = Counter()

    def __enter__(self) -> Taking:
        return self

    def __exit__(self, *_exception: object) -> None:
        stand = {held.owner: held for held in self._standing(list(self._taken))}
        self._give_back(
            [
                taken
                for taken in self._taken.values()
                if taken.owner not in stand or stand[taken.owner].address != taken.address
            ]
        )
        self._leases.supply(self._leases.own(stand.values()))

    def take(
        self, search: Search, wanted: Sequence[Reservation], claims: Mapping[str, IPAddress]
    ) -> bool:
        """Whether the server gave all the addresses; if not, `search` knows what to choose next.

        Raises Conflict when what it gives cannot be had, and what `Leases.obtain` raises.
        """
        ours = self._leases.to_take(wanted, everybodys=self._everybodys)
        fresh = [want for want in ours if not self._has(want)]
        self._give_back([self._taken[w.owner] for w in fresh if w.owner in self._taken])
        if self._resume(search, fresh, claims):
            return False
        refused = self._leases.obtain(fresh)
        self._taken |= {want.owner: want for want in fresh if want.owner not in refused}
        for want in fresh:
            if want.owner in refused:
                self._steer(search, want, refused[want.owner], claimed=want.owner in claims)
        return not refused

    def _resume(
        self, search: Search, wanted: Sequence[Reservation], claims: Mapping[str, IPAddress]
    ) -> bool:
        """Whether a run that died, or one that is under way, has leased other addresses for some
        of the owners, which are then to be chosen."""
        found = False
        for want in wanted:
            self._check_elsewhere(want)
            entry = self._leases.book.find(want.pool, want.owner)
            if entry is None or (entry.address, entry.mac) == (want.address, want.mac):
                continue
            free = want.owner not in claims and not search.objection(want.owner, entry.address)
            if free and entry.mac == want.mac and want.owner not in self._resumed:
                self._resumed.add(want.owner)
                search.prefer(want.owner, entry.address)
                found = True
            else:
                self._leases.give_back([entry])
        return found

    def _check_elsewhere(self, want: Reservation) -> None:
        for lease in self._leases.book.everybodys():
            same = lease.owner == want.owner and lease.pool != want.pool
            if same and lease.address in self._pool.subnet:
                raise Conflict(
                    f"{want.owner!r} has a lease for {lease.address} in pool {lease.pool!r}, and"
                    " the LAN's DHCP server knows clients by these names; choose another name, or"
                    f" first: macvlan-ros release --pool {lease.pool} {lease.owner}"
                )

    def _steer(self, search: Search, want: Reservation, refused: Refused, *, claimed: bool) -> None:
        """Have the search choose what the server gives; else another address, a few times."""
        server, other = refused.server, refused.instead
        if other is None:
            said = f" ({refused.text})" if refused.text else ""
            trouble = f"the DHCP server {server} refuses {want.address} for {want.owner!r}{said}"
        else:
            trouble = f"the DHCP server {server} gives {want.owner!r} {other}, not {want.address}"
        if claimed:
            raise Conflict(
                f"{trouble}; free that address in the router's table or take it into its DHCP"
                " range, choose another, or let one be chosen"
            )
        objection = "" if other is None else search.objection(want.owner, other)
        self._refusals[want.owner] += 1
        if self._refusals[want.owner] > _ATTEMPTS:
            why = f", which {objection}" if objection else ""
            raise Conflict(
                f"{trouble}{why}; let the router's DHCP range and the pool {self._pool.name!r}"
                f" ({describe_ranges(self._pool)}) overlap, or make the pool without --dhcp"
            )
        search.pass_over(want.address)
        if other is not None:
            # A range that has this one, and reaches into the pool, has the nearest there, too.
            search.prefer(want.owner, other)

    def _has(self, want: Reservation) -> bool:
        taken = self._taken.get(want.owner)
        return taken is not None and (taken.address, taken.mac) == (want.address, want.mac)

    def _give_back(self, unwanted: Sequence[Reservation]) -> None:
        entries = [self._leases.book.find(held.pool, held.owner) for held in unwanted]
        for held in unwanted:
            del self._taken[held.owner]
        pairs = zip(entries, unwanted, strict=True)
        self._leases.give_back([entry for entry, held in pairs if entry and entry.is_for(held)])

    def _standing(self, owners: Sequence[str]) -> tuple[Reservation, ...]:
        return self._store.held(self._pool.name, owners) if owners else ()
