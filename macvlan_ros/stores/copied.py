"""A store on etcd with a local copy: what this host has been given it knows when etcd is away, too.

While etcd answers, it alone is asked; the copy takes in whatever is heard. While it is away, the
copy answers; what is released or written down meanwhile waits in the copy's journal, and nothing
new is given: an address that only this host knows of could be given twice. What containers that
nobody has named give up meanwhile is still this host's in etcd, so others of them may have it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import NoReturn, TypeVar

from netaddr import IPAddress

from macvlan_ros.errors import Forbidden, PoolNotFound, StoreAway, StoreDown
from macvlan_ros.models.pools import Pool, Record, Reservation
from macvlan_ros.stores.access import EtcdAccess
from macvlan_ros.stores.base import Store
from macvlan_ros.stores.copy_file import CopyFile, Standing
from macvlan_ros.stores.copy_space import CopySpace, kin_in
from macvlan_ros.stores.etcd import EtcdStore
from macvlan_ros.stores.etcd_address import parse_url
from macvlan_ros.stores.etcd_client import EtcdClient
from macvlan_ros.stores.etcd_seen import Seen
from macvlan_ros.stores.etcd_space import EtcdSpace
from macvlan_ros.stores.settling import Settled, Witness, refresh, settle
from macvlan_ros.stores.stand_in import StandIn

__all__ = ["CopiedStore"]

T = TypeVar("T")

# What the copy can answer is not waited for as long as what etcd alone can say. Together they stay
# below the 4 s within which a request of Docker's has to be done.
_READ_PATIENCE, _PATIENCE = 1.2, 2.5
# For as long, in seconds, somebody who wants something else makes up for what has been.
_SETTLING = 1.8
# For so long, in seconds, after etcd was away the copy is asked at once.
_REST = 5.0
# For so long, in seconds, this process does not write what it hears into a copy that refused.
_SPOILT = 30.0


class CopiedStore:
    """The store's promise over one prefix of an etcd, with a copy in the file `copy`.

    `host` is whose records and reservations may change while etcd is away. `witness` writes down
    that an address was lost, and `note` hears what people should know.
    """

    def __init__(
        self,
        url: str,
        access: EtcdAccess | None = None,
        *,
        copy: Path,
        host: str,
        witness: Witness,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        client = EtcdClient(parse_url(url), access or EtcdAccess())
        self.space = EtcdSpace(client, observe=self._hear)
        self.file = CopyFile(copy, everything=self.space.all_of_it, kin=kin_in(self.space))
        self._reading = EtcdStore.over(self.space, patience=_READ_PATIENCE)
        self._changing = EtcdStore.over(self.space, patience=_PATIENCE)
        self._copy = EtcdStore.over(CopySpace(client, self.file))
        self._stand_in = StandIn(
            self._copy, self.file, self.space, host=host, refusal=self._refusal
        )
        self._host = host
        self._witness = witness
        self._note = note
        self._away: StoreAway | None = None
        self._rests_until = 0.0
        self._spoilt_until = 0.0
        self._tried = False

    def age(self) -> float | None:
        """None when etcd has answered last, else how old the copy is that answers, in seconds."""
        if self._away is None:
            return None
        return max(0.0, time.time() - self.file.standing().current)

    # -- what etcd alone can do ------------------------------------------------------------------

    def add_pool(self, pool: Pool) -> Pool:
        return self._change(
            lambda store: store.add_pool(pool), lambda _: self._stand_in.add_pool(pool)
        )

    def remove_pool(self, name: str) -> bool:
        return self._change(
            lambda store: store.remove_pool(name),
            lambda _: self._refuse(f"pool {name!r} cannot be removed"),
        )

    def reserve(self, wanted: Sequence[Reservation]) -> tuple[Reservation, ...]:
        return self._change(
            lambda store: store.reserve(wanted),
            lambda tried: self._stand_in.reserve(wanted, tried=tried),
        )

    def move(self, held: Reservation, host: str) -> Reservation | None:
        return self._change(
            lambda store: store.move(held, host),
            lambda _: self._refuse(f"{held.owner!r} cannot be taken over"),
        )

    def exchange(self, held: Reservation, new: Reservation) -> Reservation | None:
        return self._change(
            lambda store: store.exchange(held, new),
            lambda _: self._refuse(f"{held.owner!r} cannot be renamed or moved"),
        )

    def inspect(self) -> tuple[str, ...]:
        return self._change(
            EtcdStore.inspect, lambda _: self._refuse("the store cannot be checked")
        )

    # -- what the copy knows, too ----------------------------------------------------------------

    def pools(self) -> tuple[Pool, ...]:
        return self._read(EtcdStore.pools)

    def pool(self, name: str) -> Pool:
        return self._read(lambda store: store.pool(name))

    def held(self, pool: str, owners: Sequence[str]) -> tuple[Reservation, ...]:
        return self._read(lambda store: store.held(pool, owners))

    def reservations(self, pool: str | None = None) -> tuple[Reservation, ...]:
        return self._read(lambda store: store.reservations(pool))

    def taken(self, pool: str) -> tuple[int, ...]:
        return self._read(lambda store: store.taken(pool))

    def taken_near(self, pool: Pool, places: Sequence[int] = ()) -> tuple[int, ...]:
        return self._read(lambda store: store.taken_near(pool, places))

    def holder(self, address: IPAddress) -> Reservation | None:
        return self._read(lambda store: store.holder(address))

    def owner_of_mac(self, pool: str, mac: str) -> Reservation | None:
        return self._read(lambda store: store.owner_of_mac(pool, mac))

    def recall(self, kind: str, key: str | None = None) -> tuple[Record, ...]:
        return self._read(lambda store: store.recall(kind, key))

    def kinds(self) -> tuple[str, ...]:
        return self._read(EtcdStore.kinds)

    def spare(self, pool: str) -> tuple[Reservation, ...]:
        return () if self._away is None else self._stand_in.spare(pool)

    # -- what is made up for later ---------------------------------------------------------------

    def release(self, pool: str, owners: Sequence[str]) -> tuple[Reservation, ...]:
        return self._change(
            lambda store: store.release(pool, owners),
            lambda tried: self._stand_in.release(pool, owners, tried=tried),
        )

    def remember(self, record: Record, *, replace: bool = False) -> Record:
        return self._change(
            lambda store: store.remember(record, replace=replace),
            lambda _: self._stand_in.remember(record, replace=replace),
        )

    def forget(self, kind: str, key: str) -> bool:
        return self._change(
            lambda store: store.forget(kind, key), lambda _: self._stand_in.forget(kind, key)
        )

    def close(self) -> None:
        self.space.close()
        self.file.close()

    # -- between etcd and the copy ---------------------------------------------------------------

    def settle(self, *, patience: float = _SETTLING) -> None:
        """Make up for what happened while etcd was away, if it was. Raises StoreDown, Forbidden."""
        standing = self._standing() if self._keeps else None
        if standing is None:
            return
        if standing.away or standing.waiting:
            self._reading.kinds()  # it has less time to answer at all
            deadline = time.monotonic() + patience
            done = settle(
                self.space, self.file, host=self._host, witness=self._witness, deadline=deadline
            )
            self._tell(done)
        elif not standing.current and not self._tried:
            # The first time here; a store that is too large for that is learned bit by bit.
            self._tried = True
            with suppress(StoreAway):
                refresh(self.space, self.file, deadline=time.monotonic() + patience)

    def _read(self, ask: Callable[[EtcdStore], T]) -> T:
        if time.monotonic() >= self._rests_until:
            try:
                self.settle()
                return self._asking(ask, self._reading)
            except StoreAway as error:
                self._goes_away(error)
        try:
            self._check_known()
            return ask(self._copy)
        except PoolNotFound:
            raise self._refusal("the pool is not known here") from None

    def _change(self, ask: Callable[[EtcdStore], T], instead: Callable[[bool], T]) -> T:
        """`instead` is what the copy does; it is told whether etcd was tried, which may have done
        it and not come to say so."""
        store = self._changing
        if time.monotonic() < self._rests_until:
            # Nobody waits for what the copy can do; for the rest etcd is asked once more.
            with suppress(StoreAway):
                return self._known(instead, tried=False)
            store = self._reading
        tried = False
        try:
            self.settle()
            tried = True
            return self._asking(ask, store)
        except StoreAway as error:
            self._goes_away(error)
        return self._known(instead, tried=tried)

    def _known(self, instead: Callable[[bool], T], *, tried: bool) -> T:
        self._check_known()
        try:
            return instead(tried)
        except PoolNotFound:
            raise self._refusal("the pool is not known here") from None

    def _asking(self, ask: Callable[[EtcdStore], T], store: EtcdStore) -> T:
        answer = ask(store)
        if self._away is not None:
            self._away = None
            self._note("etcd answers again")
        return answer

    def _goes_away(self, error: StoreAway) -> None:
        self._rests_until = time.monotonic() + _REST
        was_there, self._away = self._away is None, error
        standing = self._standing()
        if standing is None or not standing.cluster:
            raise error
        if not standing.away:
            # Whoever may not write the copy has changed nothing either that is to be settled.
            with suppress(StoreDown, Forbidden):
                self.file.set_away(True)
        if was_there:
            self._note(f"{error}; answered from this PC's copy, {_since(standing.current)}")

    @cached_property
    def _keeps(self) -> bool:
        """A user without rights reads the copy, and leaves it as it is."""
        return self.file.is_ours

    def _check_known(self) -> None:
        """Raises StoreAway when there is no copy yet."""
        standing = self._standing()
        if self._away is not None and (standing is None or not standing.cluster):
            raise self._away

    def _hear(self, seen: Seen) -> None:
        if not self._keeps or time.monotonic() < self._spoilt_until:
            return
        try:
            self.file.take(seen)
            if self.space.address_key() in seen.whole:
                self.file.mark_current()
        except (StoreDown, Forbidden) as error:
            self._spoilt_until = time.monotonic() + _SPOILT
            self._note(f"the local copy of the store is not kept up: {error}")

    def _standing(self) -> Standing | None:
        try:
            return self.file.standing()
        except (StoreDown, Forbidden):
            return None

    def _refuse(self, what: str) -> NoReturn:
        raise self._refusal(what)

    def _refusal(self, what: str) -> StoreAway:
        return StoreAway(f"{what} while etcd is away: {self._away}")

    def _tell(self, done: Settled) -> None:
        if done.made:
            changes = "1 change" if done.made == 1 else f"{done.made} changes"
            self._note(f"etcd has been told what happened while it was away: {changes}")
        for problem in done.passed_over:
            self._note(problem)
        for lost in done.lost:
            held, now = lost.held, lost.now
            self._note(
                f"{held.address} of {held.owner!r} was given to {now.owner!r} on {now.host} while "
                f"this PC was cut off; stop the container here that uses it, then reserve anew"
            )


def _since(moment: float) -> str:
    if not moment:
        return "which has what this PC has heard of so far"
    seconds = max(0, int(time.time() - moment))
    for size, word in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {word}{'' if count == 1 else 's'} old"
    return f"{seconds} seconds old"


def _conforms(store: CopiedStore) -> Store:
    return store
