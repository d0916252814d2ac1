"""Reassigning what is reserved: another name for one address, another address for one name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from netaddr import IPAddress

from macvlan_ros import addresses, notation
from macvlan_ros.engine import Engine
from macvlan_ros.errors import (
    AddressInUse,
    BadSubnet,
    Conflict,
    DockerDown,
    Forbidden,
    InvalidRequest,
    NotFound,
)
from macvlan_ros.models.pools import STATIC, Pool, Reservation
from macvlan_ros.near import did_you_mean
from macvlan_ros.reserving.around import Ask, Surroundings
from macvlan_ros.stores.base import Store
from macvlan_ros.uses import Uses

__all__ = ["Reassigner"]


class Reassigner:
    """Changes reservations that no container has. `ask` None does not ask the LAN."""

    def __init__(
        self,
        store: Store,
        *,
        engine: Callable[[], Engine],
        surroundings: Callable[[Pool], Surroundings],
        ask: Ask | None,
        host: str,
        note: Callable[[str], None],
    ) -> None:
        self._store = store
        self._engine = engine
        self._surroundings = surroundings
        self._ask = ask
        self._host = host
        self._note = note

    def rename(self, pool: Pool, owner: str, name: str) -> Reservation:
        """The same address and MAC under another name. Raises NotFound, Conflict (a container has
        it, or the name is taken), InvalidRequest."""
        notation.check_name(name)
        held = self._free(pool, owner)
        if name == owner:
            return held
        return self._exchange(held, replace(held, owner=name))

    def move(self, pool: Pool, owner: str, address: IPAddress) -> Reservation:
        """Another address for the same name and MAC. Raises NotFound, Conflict (a container has
        it), BadSubnet (it is not the pool's to give), AddressInUse."""
        held = self._free(pool, owner)
        if address == held.address:
            return held
        objection = addresses.why_not(pool, address)
        if objection:
            raise BadSubnet(f"{address} {objection}; choose another")
        somebody = self._surroundings(pool).holder(address, but=held.mac)
        if somebody:
            raise AddressInUse(f"{address} is in use by {somebody}; choose another")
        answers = self._ask(pool, [address]) if self._ask else {}
        if address in answers:
            raise AddressInUse(
                f"{address} is in use on the LAN by {answers[address]}; choose another"
            )
        return self._exchange(held, replace(held, address=address))

    def _exchange(self, held: Reservation, new: Reservation) -> Reservation:
        stands = self._store.exchange(held, new)
        if stands is new:
            return new
        if stands is None:
            raise NotFound(f"'{held.owner}' holds nothing any more; see: macvlan-ros list")
        if stands.owner == held.owner:
            raise Conflict(f"'{held.owner}' was changed by somebody else just now; try again")
        raise AddressInUse(
            f"'{stands.owner}' holds {stands.address} in the pool '{stands.pool}' already; choose"
            f" another, or free it with: macvlan-ros release {stands.owner}"
        )

    def _free(self, pool: Pool, owner: str) -> Reservation:
        """What the owner holds, which nobody uses now."""
        held = next(iter(self._store.held(pool.name, [owner])), None)
        if held is None:
            known = [each.owner for each in self._store.reservations(pool.name)]
            hint = f"{did_you_mean(owner, known)}; see: macvlan-ros list"
            raise NotFound(f"'{owner}' holds nothing in the pool '{pool.name}'{hint}")
        if held.kind != STATIC or owner.startswith(addresses.SHIM_OWNER):
            raise InvalidRequest(f"'{owner}' is not yours to change: its address goes by itself")
        if pool.dhcp:
            raise Conflict(
                f"the addresses of the pool '{pool.name}' are leases of the router's, given by"
                f" name; release '{owner}' and allocate anew"
            )
        self._check_unused(pool, held)
        return held

    def _check_unused(self, pool: Pool, held: Reservation) -> None:
        """A container keeps the address that it was made with, also while it is stopped."""
        use = Uses(self._store, host=self._host).find(pool.name, held.address)
        if use is not None:
            raise Conflict(f"a container on {use.host} uses {held.address} now; stop it first")
        try:
            found = self._engine().container(held.owner)
        except (DockerDown, Forbidden) as error:
            self._note(f"Docker was not asked whether a container has {held.address}: {error}")
        else:
            if found is not None and found.address in (None, held.address):
                stack = f"macvlan-ros down {found.service}" if found.stack else ""
                raise Conflict(
                    f"the container '{found.name}' ({found.state}) was made with {held.address};"
                    f" remove it first, with: {stack or f'docker rm -f {found.name}'}"
                )
        answers = self._ask(pool, [held.address]) if self._ask else {}
        if held.address in answers:
            raise Conflict(
                f"on the LAN {answers[held.address]} answers for {held.address}: its container runs"
                f" on {held.host or 'another host'}; remove it there first"
            )
