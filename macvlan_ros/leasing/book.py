"""The book of leases: what was asked of DHCP servers, and until when it is ours.

A lease is in the book before a server can have given it, and leaves it after it was given back;
so whatever ends the program, and wherever, the next run knows of every lease.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace

from netaddr import IPAddress

from macvlan_ros.models.pools import Record, Reservation
from macvlan_ros.stores.base import Store
from macvlan_ros.values import dataclass

__all__ = ["ASKED", "HELD", "RELEASED", "Lease", "LeaseBook"]

# It may be had (it is being asked for, or whoever asked has died), it is had, or it is to be given
# back to a server that was away.
ASKED, HELD, RELEASED = "asked", "held", "released"

_KIND = "lease"
_OFTEN, _SELDOM = 60.0, 86400.0


@dataclass(frozen=True, slots=True)
class Lease:
    """One lease. Times are seconds since 1970.

    `server` is None before one was found; `via` is the MAC that it answers from. `since` is when
    the state began or the lease was last renewed, `rebind` when any server may be asked, `until`
    its end (None: it has none), and `due` when something is to be done next. `trouble` says what
    went wrong last, "" if nothing.
    """

    pool: str
    owner: str
    address: IPAddress
    mac: str
    host: str
    state: str
    since: float
    due: float
    server: IPAddress | None = None
    via: str = ""
    rebind: float = 0.0
    until: float | None = 0.0
    trouble: str = ""

    def is_for(self, held: Reservation) -> bool:
        """Whether the reservation is the one that the lease was taken for."""
        mine = (self.pool, self.owner, self.address, self.mac)
        return mine == (held.pool, held.owner, held.address, held.mac)

    @property
    def anonymous(self) -> bool:
        """Whether it is for a container that Docker started and nobody named: such a one is
        reserved before it is leased. No name has a colon."""
        return ":" in self.owner

    def is_due(self, now: float) -> bool:
        """Whether it is time; a clock that was set back must not keep a lease from renewal."""
        return now >= self.due or now < self.since - _OFTEN

    def is_over(self, now: float) -> bool:
        """Whether the server may have given the address to somebody else."""
        return self.state != HELD or (self.until is not None and now >= self.until)

    def is_left(self, now: float) -> bool:
        """Whether whoever was to renew it has let the time for that go by."""
        return self.until is not None and now >= max(self.due, self.rebind)

    def held_for(self, seconds: int | None, *, renew: float, rebind: float) -> Lease:
        """This lease, as a server has just given it."""
        now = time.time()
        end = None if seconds is None else now + seconds
        due = now + (_SELDOM if seconds is None else renew)
        return replace(
            self,
            state=HELD,
            since=now,
            due=due,
            rebind=now + rebind,
            until=end,
            trouble="",
        )

    def failed(self, trouble: str) -> Lease:
        """This lease, after an attempt that came to nothing: half of what is left until the next
        (RFC 2131, section 4.4.5), but not too often."""
        now = time.time()
        if self.until is None or self.is_over(now):
            return replace(self, due=now + _OFTEN, trouble=trouble)
        least = min(_OFTEN, (self.until - self.since) / 8)
        left = (self.rebind if now < self.rebind else self.until) - now
        return replace(self, due=now + max(left / 2, least), trouble=trouble)


class LeaseBook:
    """The leases that one host has taken, as records in the store."""

    def __init__(self, store: Store, *, host: str) -> None:
        self._store = store
        self._host = host

    def everybodys(self) -> tuple[Lease, ...]:
        """The leases of all hosts that share the store, by pool and owner."""
        found = (_lease(record) for record in self._store.recall(_KIND))
        return tuple(sorted(found, key=lambda lease: (lease.pool, lease.owner)))

    def mine(self) -> tuple[Lease, ...]:
        """This host's leases, by pool and owner."""
        return tuple(lease for lease in self.everybodys() if lease.host == self._host)

    def others(self) -> tuple[Lease, ...]:
        """The other hosts' leases, by pool and owner."""
        return tuple(lease for lease in self.everybodys() if lease.host != self._host)

    def find(self, pool: str, owner: str) -> Lease | None:
        """What the book says of the owner."""
        found = self._store.recall(_KIND, _key(pool, owner))
        return _lease(found[0]) if found else None

    def adopt(self, lease: Lease) -> Lease:
        """From now on this host renews the lease."""
        adopted = replace(lease, host=self._host)
        self.write(adopted)
        return adopted

    def ask(self, held: Reservation) -> Lease:
        """A new entry: a lease is about to be asked for."""
        now = time.time()
        lease = Lease(
            *(held.pool, held.owner, held.address, held.mac),
            host=self._host,
            state=ASKED,
            since=now,
            due=now + _OFTEN,
        )
        self.write(lease)
        return lease

    def write(self, lease: Lease) -> None:
        """What the book says of the owner from now on."""
        value = {
            "address": str(lease.address),
            "mac": lease.mac,
            "state": lease.state,
            "since": lease.since,
            "due": lease.due,
            "server": None if lease.server is None else str(lease.server),
            "via": lease.via,
            "rebind": lease.rebind,
            "until": lease.until,
            "trouble": lease.trouble,
        }
        key = _key(lease.pool, lease.owner)
        self._store.remember(Record(_KIND, key, lease.host, json.dumps(value)), replace=True)

    def strike(self, lease: Lease) -> None:
        """The book says nothing of the owner any more."""
        self._store.forget(_KIND, _key(lease.pool, lease.owner))


def _key(pool: str, owner: str) -> str:
    return f"{pool}/{owner}"


def _lease(record: Record) -> Lease:
    pool, _, owner = record.key.partition("/")
    value = json.loads(record.value)
    server = value.pop("server")
    return Lease(
        pool,
        owner,
        IPAddress(value.pop("address")),
        host=record.host,
        server=None if server is None else IPAddress(server),
        **value,
    )
