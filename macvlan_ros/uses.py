"""Uses: which reservations containers have now, and which addresses they had, as typed values over
the store's records.

A use counts on all hosts that share the store, for an owner's one container may be started on any.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import count

from netaddr import IPAddress

from macvlan_ros.models.pools import Record
from macvlan_ros.stores.base import Store
from macvlan_ros.values import dataclass

__all__ = ["Former", "Use", "Uses"]

# How many former addresses of a pool are remembered: more than a PC runs containers in a day.
_FORMERS = 256
# How many there may be beyond that: to look for the oldest is to read them all.
_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Use:
    """An owner's container has its reservation now. `since` is seconds since 1970."""

    pool: str
    address: IPAddress
    mac: str
    host: str
    since: float


@dataclass(frozen=True, slots=True)
class Former:
    """An anonymous container had the address until then (seconds since 1970)."""

    pool: str
    address: IPAddress
    mac: str
    until: float


class Uses:
    """Reads and writes them for one host."""

    def __init__(self, store: Store, *, host: str) -> None:
        self._store = store
        self._host = host
        self._kept = count()

    def begin(self, use: Use) -> Use | None:
        """Note the use; None when that is done, else the use that stands already."""
        record = _use_record(use)
        standing = self._store.remember(record)
        return None if standing is record else _use(standing)

    def succeed(self, standing: Use, use: Use) -> bool:
        """Put `use` in the place of another host's that stands; False when it stands no more.

        One host at a time does it: whoever writes the record of it looks again before it acts.
        """
        key = f"{use.pool}/{use.address}"
        turn = Record("succession", key, self._host, standing.host)
        if self._store.remember(turn).host != self._host:
            return False
        try:
            found = self._store.recall("use", key)
            if not found or _use(found[0]) != standing:
                return False
            self.keep(use)
        finally:
            self._store.forget("succession", key)
        return True

    def keep(self, use: Use) -> None:
        """Note the use, in place of the one that stands, if any."""
        self._store.remember(_use_record(use), replace=True)

    def drop(self, pool: str, address: IPAddress) -> bool:
        """The address is used no more; False when it was not."""
        return self._store.forget("use", f"{pool}/{address}")

    def here(self) -> tuple[Use, ...]:
        """The uses by this host's containers."""
        return tuple(_use(each) for each in self._store.recall("use") if each.host == self._host)

    def addresses(self, pool: str) -> tuple[IPAddress, ...]:
        """The addresses of the pool that owners' containers use, on whichever host."""
        return tuple(_use(each).address for each in self._store.recall("use") if _of(each, pool))

    def everywhere(self) -> tuple[Use, ...]:
        """The uses by containers of any host that shares the store."""
        return tuple(_use(each) for each in self._store.recall("use"))

    def find(self, pool: str, address: IPAddress) -> Use | None:
        """The use of one address, on whichever host."""
        found = self._store.recall("use", f"{pool}/{address}")
        return _use(found[0]) if found else None

    def formers(self, pool: str) -> Mapping[IPAddress, Former]:
        """The former addresses of the pool that are remembered."""
        found = (_former(each) for each in self._store.recall("former") if _of(each, pool))
        return {each.address: each for each in found}

    def former_at(self, pool: str, address: IPAddress) -> Former | None:
        found = self._store.recall("former", f"{pool}/{address}")
        return _former(found[0]) if found else None

    def last_of(self, pool: str, mac: str) -> IPAddress | None:
        """The address that a container with this MAC had last."""
        known = (each for each in self._store.recall("former") if each.value.endswith(mac))
        mine = [_former(each) for each in known if _of(each, pool)]
        last = max(mine, key=lambda each: each.until, default=None)
        return last.address if last is not None else None

    def drop_formers(self, pool: str) -> None:
        for each in self.formers(pool).values():
            self._store.forget("former", f"{pool}/{each.address}")

    def keep_former(self, former: Former) -> None:
        """Remember one; the oldest are forgotten when there are too many, some at once."""
        key, value = f"{former.pool}/{former.address}", f"{former.until:.3f} {former.mac}"
        self._store.remember(Record("former", key, self._host, value), replace=True)
        if next(self._kept) % _AT_ONCE:
            return
        known = sorted(self.formers(former.pool).values(), key=lambda each: each.until)
        for old in known[:-_FORMERS]:
            self._store.forget("former", f"{old.pool}/{old.address}")


def _of(record: Record, pool: str) -> bool:
    return record.key.partition("/")[0] == pool


def _use(record: Record) -> Use:
    pool, _, address = record.key.partition("/")
    since, _, mac = record.value.partition(" ")
    return Use(pool, IPAddress(address), mac, record.host, float(since))


def _use_record(use: Use) -> Record:
    return Record("use", f"{use.pool}/{use.address}", use.host, f"{use.since:.3f} {use.mac}")


@lru_cache(2 * _FORMERS)
def _former(record: Record) -> Former:
    pool, _, address = record.key.partition("/")
    until, _, mac = record.value.partition(" ")
    return Former(pool, IPAddress(address), mac, float(until))
