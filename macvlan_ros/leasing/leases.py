"""Leases: reservations that the LAN's DHCP server knows of, taken and given back.

The order of the steps is what keeps a lease from being lost when the program dies between two of
them. Taking: the book, the server's offer, the book (with the server), the request, the book (with
the times), the reservation. Giving back: the reservation, the server, the book. What is in the
book without a reservation is given back by the next run, and what is reserved without being in the
book is taken then.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace

from macvlan_ros.errors import MacvlanRosError, Unavailable
from macvlan_ros.leasing.book import RELEASED, Lease, LeaseBook
from macvlan_ros.leasing.wire import LeaseWire
from macvlan_ros.models.pools import NETWORK, Reservation
from macvlan_ros.news import News
from macvlan_ros.stores.base import Store
from macvlan_ros.values import dataclass
from macvlan_ros.wire.dhcp_client import Given, Outcome, Refused

__all__ = ["Done", "Leases"]


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a lease: taken, renewed, released, or failed (`text` says why)."""

    lease: Lease
    what: str
    text: str = ""


class Leases:
    """The leases of one host's reservations; any number of threads and processes may be in it.

    `note` is told what went wrong without stopping anything.
    """

    def __init__(
        self,
        store: Store,
        *,
        host: str,
        note: Callable[[str], None],
        wire: LeaseWire | None = None,
    ) -> None:
        self.book = LeaseBook(store, host=host)
        self.wire = wire or LeaseWire()
        self._store = store
        self._host = host
        self._note = note
        self._news = News()

    def obtain(self, wanted: Sequence[Reservation]) -> Mapping[str, Refused]:
        """Take leases for exactly these addresses, side by side; what was refused, by owner.

        Raises Unavailable when no server answers for one of them, and what `LeaseWire` raises.
        Nothing is reserved for them yet, so what was refused or not answered is given back.
        """
        with ExitStack() as undo:
            entries: dict[str, Lease] = {}
            undo.callback(lambda: self.give_back(list(entries.values())))

            def found(lease: Lease) -> None:
                entries[lease.owner] = lease
                self.book.write(lease)

            for held in wanted:
                entries[held.owner] = self.book.ask(held)
            outcomes = self.wire.take(list(entries.values()), found=found)
            undo.pop_all()
        refused: dict[str, Refused] = {}
        for lease, outcome in outcomes.items():
            if isinstance(outcome, Given):
                self.book.write(held_as(lease, outcome))
            elif isinstance(outcome, Refused):
                refused[lease.owner] = outcome
        # Where nobody answered, the answer may be all that was lost.
        self.give_back([each for each, said in outcomes.items() if not isinstance(said, Given)])
        silent = [lease for lease, said in outcomes.items() if said is None]
        if silent:
            raise self._silence(silent)
        return refused

    def to_take(self, wanted: Sequence[Reservation], *, everybodys: bool) -> list[Reservation]:
        """Those of `wanted` that leases are taken for here: this host's own; `everybodys`, too,
        where this PC is on their LAN. A DHCP server does not mind which PC of its LAN asks."""
        others = [held for held in wanted if not self.is_own(held)]
        if everybodys and all(self.wire.leads_to(held.address) for held in others):
            return list(wanted)
        away = {held.host: held.pool for held in others if everybodys}
        for host, pool in away.items():
            text = (
                f"this PC is not on the LAN of pool '{pool}': leases for what runs on {host} are"
                " taken by its own service, where the store is shared; look there with: macvlan-ros"
                " leases"
            )
            if self._news.is_new(text):
                self._note(text)
        return self.own(wanted)

    def own(self, standing: Iterable[Reservation]) -> list[Reservation]:
        """Those of them that are this host's, but for what Docker's networks hold: no lease is
        taken for a gateway."""
        return [held for held in standing if self.is_own(held) and held.kind != NETWORK]

    def ensure(self, standing: Iterable[Reservation]) -> tuple[Done, ...]:
        """Take the leases that are missing for exactly what is reserved here.

        Raises nothing but what the store raises: the reservations stand in any case.
        """
        entries = []
        for held in standing:
            old = self.book.find(held.pool, held.owner)
            if old is None or not old.is_for(held) or old.state == RELEASED:
                if old is not None and not old.is_for(held):
                    self.give_back([old])
                entries.append(self.book.ask(held))
        return self.retake(entries)

    def supply(self, standing: Iterable[Reservation]) -> None:
        """`ensure`, with a note of each lease that could not be taken."""
        for done in self.ensure(standing):
            if done.text:
                self._note(f"'{done.lease.owner}' has no lease yet: {done.text}")

    def retake(self, lost: Sequence[Lease]) -> tuple[Done, ...]:
        """Take leases for addresses that are reserved, and stay so in any case."""
        if not lost:
            return ()
        outcomes: Mapping[Lease, Outcome]
        try:
            outcomes = self.wire.take(lost, found=self.book.write, insist=True)
        except MacvlanRosError as error:
            return tuple(self.failed(lease, str(error)) for lease in lost)
        done = []
        for lease, outcome in outcomes.items():
            if isinstance(outcome, Given):
                done.append(self.kept(lease, outcome, "taken"))
            else:
                done.append(self.failed(lease, explain(lease, outcome)))
        return tuple(done)

    def release(self, gone: Iterable[Reservation]) -> None:
        """Give back the leases of reservations that are no more."""
        found = [self.book.find(held.pool, held.owner) for held in gone]
        leases = [lease for lease in found if lease is not None]
        self.give_back(leases)
        # Somebody may have reserved for the same owner while the server was told.
        for lease in leases:
            self.ensure(self.own(self._standing(lease)))

    def forget_pool(self, name: str) -> None:
        """Give back whatever is still in the book for a pool that is no more."""
        self.give_back([lease for lease in self.book.mine() if lease.pool == name])

    def give_back(self, leases: Sequence[Lease]) -> tuple[Done, ...]:
        """Tell the servers, and strike out what they were told of.

        A server that is away is told later, by the service, unless the lease ends before.
        """
        for lease in leases:
            if lease.server is None:
                self.book.strike(lease)
        had = [lease for lease in leases if lease.server is not None]
        try:
            present = self.wire.present(had)
        except MacvlanRosError as error:
            return tuple(self._not_given_back(lease, str(error)) for lease in had)
        return tuple(self._tell(lease, present.get(lease.server or lease.address)) for lease in had)

    def kept(self, lease: Lease, given: Given, what: str) -> Done:
        """Write down that a server gave the lease."""
        kept = held_as(lease, given)
        self.book.write(kept)
        return Done(kept, what)

    def failed(self, lease: Lease, trouble: str) -> Done:
        """Write down that it did not."""
        failed = lease.failed(trouble)
        self.book.write(failed)
        return Done(failed, "failed", trouble)

    def is_own(self, held: Reservation) -> bool:
        """Whether the reservation is this host's."""
        return held.host == self._host

    def holds(self, held: Reservation) -> bool:
        """Whether the book has the lease for this reservation, and not on its way back."""
        known = self.book.find(held.pool, held.owner)
        return known is not None and known.is_for(held) and known.state != RELEASED

    def _tell(self, lease: Lease, via: str | None) -> Done:
        try:
            self.wire.release(lease, via or lease.via)
        except MacvlanRosError as error:
            return self._not_given_back(lease, str(error))
        if via is None:
            return self._not_given_back(lease, f"the DHCP server {lease.server} does not answer")
        self.book.strike(lease)
        return Done(lease, "released")

    def _not_given_back(self, lease: Lease, trouble: str) -> Done:
        waiting = replace(lease, state=RELEASED).failed(trouble)
        self.book.write(waiting)
        if lease.state != RELEASED:
            end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(lease.until or 0))
            self._note(
                f"the lease of '{lease.owner}' ({lease.address}) could not be given back"
                f" ({trouble}); it is tried again later"
                + (f", and ends by itself at {end}" if lease.until else "")
            )
        return Done(waiting, "failed", trouble)

    def _standing(self, lease: Lease) -> tuple[Reservation, ...]:
        if all(pool.name != lease.pool for pool in self._store.pools()):
            return ()
        return self._store.held(lease.pool, [lease.owner])

    def _silence(self, leases: Sequence[Lease]) -> Unavailable:
        names = ", ".join(repr(lease.owner) for lease in leases)
        return Unavailable(
            f"no DHCP server gave a lease for {names} on {self.wire.interface(leases[0].address)}"
            f" within {self.wire.patience:g} s; see that it runs and has addresses left, or make"
            f" the pool {leases[0].pool!r} anew without --dhcp"
        )


def held_as(lease: Lease, given: Given) -> Lease:
    """The lease as a server has just given it."""
    known = replace(lease, server=given.server, via=given.via)
    return known.held_for(given.seconds, renew=given.renew, rebind=given.rebind)


def explain(lease: Lease, outcome: Refused | None) -> str:
    """Why there is no lease for a reservation, and what to do about it."""
    if outcome is None:
        return "no DHCP server answers; is the router on?"
    said = f" ({outcome.text})" if outcome.text else ""
    does = f"gives {outcome.instead} instead" if outcome.instead else f"refuses it{said}"
    return (
        f"'{lease.owner}' has {lease.address} reserved, but the DHCP server {outcome.server}"
        f" {does}; free the address in the router's table, or take another one: macvlan-ros"
        f" release {lease.owner}, then allocate"
    )
