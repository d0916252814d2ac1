"""Rounds: choose what looks free, ask the LAN, reserve in one step, and choose again if need be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from netaddr import IPAddress

from macvlan_ros.defence.strangers import Strangers
from macvlan_ros.errors import AddressInUse, Conflict
from macvlan_ros.models.pools import Pool, Reservation
from macvlan_ros.reserving.search import Search, release_command
from macvlan_ros.stores.base import Store
from macvlan_ros.values import dataclass
from macvlan_ros.wire.vendors import who

if TYPE_CHECKING:
    from macvlan_ros.leasing.taking import Taking
    from macvlan_ros.reserving.around import Ask

__all__ = ["Allocation", "Inquiry", "Rounds", "check_kept"]

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


class Inquiry:
    """Finds out whether somebody has an address that the store says is free.

    `ask` asks the LAN about what this host's owners get (None: nobody is asked), with `for_all`
    about what all get. `ask_here` asks containers of this host that the store does not know, to
    whom the LAN's questions do not get.
    """

    def __init__(
        self, store: Store, *, host: str, ask: Ask | None, ask_here: Ask, for_all: bool
    ) -> None:
        self._store = store
        self._host = host
        self._ask = ask
        self._ask_here = ask_here
        self._for_all = for_all
        self._strangers = Strangers(store, host=host)

    @property
    def asks(self) -> bool:
        """Whether anybody is asked at all."""
        return self._ask is not None

    def marked(self, pool: Pool) -> Mapping[IPAddress, str]:
        """The addresses of the pool that strangers were heard with lately, with their MACs."""
        return self._strangers.marked(pool.name)

    def is_refused(
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
        here = list(chosen) if self._for_all else self._here(chosen)
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

    def check_unused(self, name: str, known: Sequence[Reservation]) -> None:
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


class Rounds:
    """One call's rounds for owners in a pool, of whom some have `claims`."""

    def __init__(
        self,
        search: Search,
        pool: Pool,
        claims: Mapping[str, IPAddress],
        *,
        store: Store,
        inquiry: Inquiry,
    ) -> None:
        self._search = search
        self._pool = pool
        self._claims = claims
        self._store = store
        self._inquiry = inquiry

    def run(self, owners: Sequence[str], *, taking: Taking | None) -> dict[str, Allocation]:
        """What each owner holds then. `taking` takes leases for what is chosen, None: there are
        none. Raises AddressInUse, Conflict, PoolExhausted, and what the store raises."""
        search, claims = self._search, self._claims
        settled: dict[str, Allocation] = {}
        lost = refused = 0
        while lost + refused < _ROUNDS:
            missing = [owner for owner in owners if owner not in settled]
            chosen = search.choose(missing, claims)
            if chosen is None:
                shortage = search.explain_shortage(wanted=len(missing))
                if shortage and not (self._inquiry.asks and search.unmark()):
                    raise shortage
                lost += 1
                continue
            if self._inquiry.is_refused(
                search, self._pool, chosen, claims, spares=_SPARES << min(refused, 5)
            ):
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
            check_kept(kept, claims)
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
            f"pool {self._pool.name!r}: others took every address that was chosen, {_ROUNDS} times"
            " in a row; try again"
        )


def check_kept(known: Mapping[str, Reservation], claims: Mapping[str, IPAddress]) -> None:
    """Raises Conflict when an owner claims another address than it holds."""
    for owner, held in known.items():
        wanted = claims.get(owner, held.address)
        if wanted != held.address:
            raise Conflict(
                f"{owner!r} holds {held.address} in pool {held.pool!r}, not {wanted}; to move it, "
                f"first: {release_command(held.pool)} {owner}"
            )


def _same_owner(one: Reservation, other: Reservation) -> bool:
    return (one.pool, one.owner) == (other.pool, other.owner)


def _is_older(want: Reservation, held: Reservation) -> bool:
    """Whether what stands is the owner's own and was there before this call."""
    return _same_owner(want, held) and held is not want
