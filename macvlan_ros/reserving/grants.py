"""Grants: which address a container of Docker's gets, out of the reservations that all share.

`docker run` names no owner. A container is known by its MAC, by its name where Docker says it, or
because its network serves one owner only; such a one gets its owner's reservation. Any other is
anonymous: it gets an address that nobody holds, for as long as it runs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

from netaddr import IPAddress, IPRange

from macvlan_ros.addresses import why_not
from macvlan_ros.errors import (
    AddressInUse,
    BadSubnet,
    Conflict,
    InvalidRequest,
    PoolExhausted,
    StoreAway,
)
from macvlan_ros.ipam import Ipam
from macvlan_ros.models.pools import DYNAMIC, NETWORK, STATIC, Pool, Reservation
from macvlan_ros.reserving.around import Surroundings
from macvlan_ros.reserving.choosing import Choosing
from macvlan_ros.reserving.lookahead import Lookahead
from macvlan_ros.stores.base import Store
from macvlan_ros.uses import Former, Use, Uses
from macvlan_ros.values import dataclass

__all__ = ["Grants", "Wanted"]

# Each lost round means that somebody else got the address that was chosen.
_ROUNDS = 32

# So many addresses that others gave up are tried while the store is away: Docker waits.
_SPARES = 3

# Seconds for which an address that one of our containers had needs no new look at the LAN.
_LATELY = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What Docker says of the container that wants an address, and where it may lie.

    `owner` is set when its network serves that owner alone; `name` is the container's on Docker
    29 and later; `within` is Docker's --ip-range. `mac` is "" when Docker replays what it holds.
    """

    address: IPAddress | None = None
    mac: str = ""
    name: str = ""
    owner: str = ""
    within: IPRange | None = None


class Grants:
    """Gives addresses to containers and takes them back.

    `gone` says whether the holder of an address is known to be no more; it may take a second or
    two, and is only asked when somebody else wants that very address. `runs_here` says whether a
    container of this host has a MAC. `checked` raises AddressInUse when a stranger on the LAN holds
    the address. `reclaim` frees what was left over in a pool, and is asked when it is full.
    `silent` says whether another host has not been heard for long, and the LAN of a pool can be
    asked from here.
    """

    def __init__(
        self,
        store: Store,
        *,
        ipam: Ipam,
        host: str,
        surroundings: Callable[[Pool], Surroundings],
        gone: Callable[[Pool, IPAddress], bool],
        runs_here: Callable[[str], bool],
        checked: Callable[[Pool, IPAddress], None],
        lookahead: Lookahead,
        reclaim: Callable[[Pool], Sequence[object]],
        silent: Callable[[Pool, str], bool] = lambda _pool, _host: False,
    ) -> None:
        self._store = store
        self._uses = Uses(store, host=host)
        self._ipam = ipam
        self._host = host
        self._surroundings = surroundings
        self._gone = gone
        self._runs_here = runs_here
        self._checked = checked
        self._lookahead = lookahead
        self._reclaim = reclaim
        self._silent = silent
        self._choosing = Choosing(store, host=host, surroundings=surroundings, lookahead=lookahead)

    def grant(self, pool: Pool, wanted: Wanted) -> Reservation:
        """The reservation whose address the container gets.

        Raises AddressInUse, BadSubnet, Conflict, InvalidRequest, PoolExhausted, and what the
        store raises; nothing is changed then.
        """
        own = self._own_reservation(pool, wanted)
        if wanted.owner and own is not None and wanted.address not in (None, own.address):
            raise InvalidRequest(
                f"this network serves {wanted.owner!r} alone, which has {own.address}, not "
                f"{wanted.address}; leave --ip out, or use another network"
            )
        if wanted.address is not None:
            return self._fixed(pool, wanted.address, wanted, own)
        if own is not None:
            return self._use(pool, own, wanted)
        return self._dynamic(pool, wanted)

    def prepare(self, pool: Pool, within: IPRange | None) -> None:
        """Containers will want addresses of the pool soon."""
        self._choosing.prepare(pool, within)

    def keep(self, pool: Pool, address: IPAddress, purpose: str) -> Reservation:
        """Keep an address for a Docker network itself: its gateway, an auxiliary address.

        What somebody holds already stays theirs, and succeeds: Docker replays these, too.
        """
        standing = self._store.holder(address)
        if standing is not None:
            return standing
        owner = f"{purpose}:{address}"
        return self._store.reserve((self._row(pool, address, owner, "", NETWORK),))[0]

    def give_back(self, pool: Pool, address: IPAddress) -> bool:
        """The container is done with the address; False when it had none there.

        An owner's reservation stays; an anonymous container's address becomes free, and is
        remembered, so that the next one to ask does not get it. Docker says the address only, and
        may mean an auxiliary one that a network had: what a container uses stays with it.
        """
        standing = self._store.holder(address)
        if standing is None or standing.pool != pool.name:
            # its owner may have given it up while its container ran
            return self._uses.drop(pool.name, address)
        if standing.kind == STATIC:
            use = self._uses.find(pool.name, address)
            if use is None or self._runs_here(use.mac):
                return False
            return self._uses.drop(pool.name, address)
        if standing.kind == DYNAMIC:
            if self._runs_here(standing.mac):
                return False
            self._uses.keep_former(Former(pool.name, address, standing.mac, time.time()))
        return bool(self._store.release(pool.name, (standing.owner,)))

    # -- who is it ----------------------------------------------------------------------------

    def _own_reservation(self, pool: Pool, wanted: Wanted) -> Reservation | None:
        """The reservation of the owner that the container is known to be, or None."""
        if wanted.owner:
            return self._ipam.allocate(pool.name, (wanted.owner,))[0].reservation
        if wanted.name:
            held = self._store.held(pool.name, (wanted.name,))
            if held and held[0].kind == STATIC:
                return held[0]
        return self._store.owner_of_mac(pool.name, wanted.mac) if wanted.mac else None

    # -- the three ways to an address -----------------------------------------------------------

    def _fixed(
        self, pool: Pool, address: IPAddress, wanted: Wanted, own: Reservation | None
    ) -> Reservation:
        standing = self._store.holder(address)
        if standing is None:
            return self._claim(pool, address, wanted)
        if not wanted.mac:
            return standing
        if standing.kind == STATIC:
            if own is not None and own.address == address:
                return self._use(pool, own, wanted)
            raise AddressInUse(
                f"{address} is reserved for {standing.owner!r} in pool {standing.pool!r}; start "
                f"that container with --mac-address {standing.mac}, or choose another address"
            )
        if standing.kind == NETWORK:
            raise AddressInUse(
                f"{address} is kept as a Docker network's {standing.owner.partition(':')[0]} in "
                f"pool {standing.pool!r}; choose another address"
            )
        return self._take_over(pool, standing, wanted)

    def _take_over(self, pool: Pool, standing: Reservation, wanted: Wanted) -> Reservation:
        """Another container's address, if that one is no more: Docker may have died before it
        could give it back."""
        if standing.host not in ("", self._host) or not self._gone(pool, standing.address):
            raise AddressInUse(
                f"{standing.address} is in use by a container with the MAC {standing.mac}"
                f"{_on(standing.host)}; stop that one first, or choose another address and MAC"
            )
        self._store.release(pool.name, (standing.owner,))
        return self._reserve_fixed(pool, standing.address, wanted)

    def _claim(self, pool: Pool, address: IPAddress, wanted: Wanted) -> Reservation:
        reason = why_not(pool, address)
        if reason and not (address == pool.gateway and not wanted.mac):
            raise BadSubnet(f"address {address} {reason}; choose another, or let one be chosen")
        use = self._uses.find(pool.name, address)
        if use is not None and (use.host != self._host or not self._gone(pool, address)):
            raise AddressInUse(
                f"{address} is still used by a container with the MAC {use.mac}{_on(use.host)}, "
                "though its owner has given it up; stop that one first, or choose another address"
            )
        lately = self._had_lately(pool, address)
        if wanted.mac and not lately:
            self._check_around(pool, address, wanted.mac)
        if wanted.mac and (not lately or self._store.age() is not None):
            self._checked(pool, address)
        return self._reserve_fixed(pool, address, wanted)

    def _reserve_fixed(self, pool: Pool, address: IPAddress, wanted: Wanted) -> Reservation:
        name = _anonymous(wanted.mac, address)
        if self._store.age() is not None and not self._store.held(pool.name, [name]):
            name = f"{name}@{address}"
        row = self._row(pool, address, name, wanted.mac, DYNAMIC)
        stands = self._store.reserve((row,))[0]
        if stands is row:
            return row
        if stands.owner == row.owner and stands.address != address:
            # The same MAC on another address: either it moved while we were not told, or two
            # containers were given one MAC.
            if not self._gone(pool, stands.address):
                raise Conflict(
                    f"the MAC {wanted.mac} holds {stands.address} already; two containers cannot "
                    "have one MAC: stop the other one, or choose another --mac-address"
                )
            self._store.release(pool.name, (stands.owner,))
            return self._reserve_fixed(pool, address, wanted)
        raise AddressInUse(
            f"{address} was taken by {stands.owner!r} just now; choose another address"
        )

    def _use(self, pool: Pool, own: Reservation, wanted: Wanted) -> Reservation:
        """An owner's reservation, for its one container."""
        use = Use(pool.name, own.address, wanted.mac, self._host, time.time())
        if self._store.age() is not None:
            # Cut off, this host cannot know whether it was given to somebody else meanwhile.
            self._checked(pool, own.address)
        standing = self._uses.begin(use)
        if standing is not None and not self._replace_use(pool, standing, use):
            raise AddressInUse(
                f"{own.address}, reserved for {own.owner!r}, is in use by its container with "
                f"the MAC {standing.mac}{_on(standing.host)}; stop that one first"
            )
        return own

    def _replace_use(self, pool: Pool, standing: Use, use: Use) -> bool:
        """Put a new use in the place of one whose container is gone. Another host's counts as gone
        when that host is silent, and nobody on the LAN answers for the address."""
        if standing.host == self._host:
            gone = self._gone(pool, use.address)
            if gone:
                self._uses.keep(use)
            return gone
        if not self._silent(pool, standing.host) or not self._gone(pool, use.address):
            return False
        return self._uses.succeed(standing, use)

    def _dynamic(self, pool: Pool, wanted: Wanted) -> Reservation:
        owner = _anonymous(wanted.mac or os.urandom(6).hex(), None)
        handed_on = self._hand_on(pool, owner, wanted)
        if handed_on is not None:
            return handed_on
        for _ in range(_ROUNDS):
            address = self._choose_or_reclaim(pool, owner, wanted)
            row = self._row(pool, address, owner, wanted.mac, DYNAMIC)
            stands = self._store.reserve((row,))[0]
            self._lookahead.take(pool, address)
            if stands is row:
                return row
            if stands.owner == owner:
                return self._take_over(pool, stands, wanted)
        raise Conflict(
            f"pool {pool.name!r}: others took every address that was chosen, {_ROUNDS} times in "
            "a row; try again"
        )

    def _hand_on(self, pool: Pool, owner: str, wanted: Wanted) -> Reservation | None:
        """While the store is away, what another anonymous container of this host has given up:
        best what this very one had, else what was given up first. None when there is nothing."""
        spare = sorted(self._store.spare(pool.name), key=lambda held: held.mac != wanted.mac)
        for held in spare[:_SPARES]:
            if wanted.within is not None and held.address not in wanted.within:
                continue
            # What it had itself is its own again. Any other address goes by a name that nobody else
            # can have, for its MAC may still stand in the store with another one.
            name = owner if held.owner == owner else f"{owner}@{held.address}"
            row = self._row(pool, held.address, name, wanted.mac, DYNAMIC)
            try:
                # Cut off, this host hears of others only by asking.
                self._checked(pool, held.address)
                if self._store.reserve((row,))[0] is row:
                    return row
            except AddressInUse:
                continue
            except StoreAway:
                return None  # another one was quicker, or etcd is just being told
        return None

    def _choose_or_reclaim(self, pool: Pool, owner: str, wanted: Wanted) -> IPAddress:
        def choose() -> IPAddress:
            return self._choosing.choose(pool, owner, mac=wanted.mac, within=wanted.within)

        try:
            return choose()
        except PoolExhausted:
            if not self._reclaim(pool):
                raise
        return choose()

    def _had_lately(self, pool: Pool, address: IPAddress) -> bool:
        """Whether a container of ours had the address until minutes ago: a restart need not ask
        the LAN again, and what neighbour tables say of it is about that container."""
        former = self._uses.former_at(pool.name, address)
        return former is not None and time.time() - former.until < _LATELY

    def _check_around(self, pool: Pool, address: IPAddress, mac: str) -> None:
        holder = self._surroundings(pool).holder(address, but=mac)
        if holder and self._uses.former_at(pool.name, address) is None:
            raise AddressInUse(f"address {address} is in use by {holder}; choose another")

    def _row(self, pool: Pool, address: IPAddress, owner: str, mac: str, kind: str) -> Reservation:
        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        return Reservation(
            pool.name, address, owner, mac, host=self._host, created=created, kind=kind
        )


def _anonymous(mac: str, address: IPAddress | None) -> str:
    """The owner of an anonymous container's address. The colon keeps it apart from names."""
    return f"dynamic:{mac or address}"


def _on(host: str) -> str:
    return f" on {host}" if host else ""
