"""The store's promise: few steps, each one atomic, each one durable when it returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from netaddr import IPAddress

from macvlan_ros.models.pools import Pool, Record, Reservation

#: So many held addresses `taken_near` tells of, from each place.
WINDOW = 128


class Store(Protocol):
    """Where pools and reservations live.

    Every method may raise `StoreDown` or `Forbidden`, within 5 seconds. Every change is one
    transaction: it is wholly done and on disk when the method returns, or nothing of it is.
    Safe to be called by several threads and several processes at once. An address is held at
    most once in the whole store, a MAC by at most one static reservation, and an owner holds at
    most one address in a pool.
    """

    def add_pool(self, pool: Pool) -> Pool:
        """Add a pool and return what now stands under its name.

        Adding the same definition twice is fine. Raises `Conflict` when the name stands for
        another definition, and `PoolOverlap` when another pool hands out one of its addresses.
        """

    def pools(self) -> tuple[Pool, ...]:
        """All pools by name."""

    def pool(self, name: str) -> Pool:
        """One pool. Raises `PoolNotFound`, naming those that exist."""

    def remove_pool(self, name: str) -> bool:
        """Remove a pool; False when there was none. Raises `Conflict` while it has reservations."""

    def reserve(self, wanted: Sequence[Reservation]) -> tuple[Reservation, ...]:
        """Reserve all of `wanted`, or nothing; return what then stands, in the same order.

        For each one that is: the owner's own reservation in that pool, if it has one (whatever
        its address); else the reservation that stands in the way (another owner with the same
        address, or with the same MAC and both static); else the wanted one itself, the very
        object, by which a caller tells what it has made from what stood. Nothing is written if
        any stands in the way. Two of `wanted` that are in each other's way count the same: the
        first stands. Raises `PoolNotFound`.
        """

    def held(self, pool: str, owners: Sequence[str]) -> tuple[Reservation, ...]:
        """What these owners hold in the pool, in their order; those that hold nothing are
        passed over. Costs by the number of owners, not of reservations. Raises `PoolNotFound`.
        """

    def release(self, pool: str, owners: Sequence[str]) -> tuple[Reservation, ...]:
        """Give up what these owners hold in the pool, in one transaction; return what was held.

        Owners that hold nothing are passed over. Raises `PoolNotFound`.
        """

    def move(self, held: Reservation, host: str) -> Reservation | None:
        """Make `host` the host of a reservation that stands exactly as `held`.

        Returns what then stands for that owner in the pool: with another host than `host` somebody
        else was quicker; None when nothing stands.
        """

    def exchange(self, held: Reservation, new: Reservation) -> Reservation | None:
        """Put `new`, with another owner or address, in the place of a reservation of the same pool
        that stands exactly as `held`.

        Returns `new` itself when that is done; else what is in the way, which may be what stands
        for that owner now; None when nothing stands for it any more.
        """

    def reservations(self, pool: str | None = None) -> tuple[Reservation, ...]:
        """The reservations of one pool, or of all, by pool and address.

        Raises `PoolNotFound` for a pool that is not there.
        """

    def taken(self, pool: str) -> tuple[int, ...]:
        """The addresses that are held in the pool, as integers in order: what `reservations`
        says, for those who only have to avoid them, and many times cheaper. Those of other pools
        on the subnet may be among them. Raises `PoolNotFound`.
        """

    def taken_near(self, pool: Pool, places: Sequence[int] = ()) -> tuple[int, ...]:
        """The addresses that are held from each of these places of the pool upwards, WINDOW at
        most from each (more where a store looks for the first gap, however far it is), as integers
        in order: enough to choose well from there, at a cost that does not grow with what is held.
        Without places: all. Those of other pools on the subnet are among them.
        """

    def holder(self, address: IPAddress) -> Reservation | None:
        """The reservation of an address, in whichever pool."""

    def owner_of_mac(self, pool: str, mac: str) -> Reservation | None:
        """The static reservation in the pool whose owner has this MAC."""

    def remember(self, record: Record, *, replace: bool = False) -> Record:
        """Write the record, unless one stands under its kind and key; return what then stands.

        When that is the record given, it is the very object. With `replace` it always is.
        """

    def forget(self, kind: str, key: str) -> bool:
        """Remove a record; False when there was none."""

    def recall(self, kind: str, key: str | None = None) -> tuple[Record, ...]:
        """The records of a kind by key, or the one under `key`, if there is one."""

    def kinds(self) -> tuple[str, ...]:
        """The kinds of which there are records, in order."""

    def inspect(self) -> tuple[str, ...]:
        """What is wrong in the store's own books, one sentence each: where one thing is written
        in several places, that these agree. What the values say is not looked at."""

    def age(self) -> float | None:
        """None: what was said last is what stands. Else the store is away, and a copy of that age,
        in seconds, has answered: what it says is free may have been taken since."""

    def spare(self, pool: str) -> tuple[Reservation, ...]:
        """While the store is away: what anonymous containers of this host have given up since, the
        longest ago first. Their addresses, and no others, can be reserved for other such ones; the
        store learns of it when it is back. Nothing while it answers."""

    def close(self) -> None:
        """Give back what the store holds open. Closing twice is fine."""
