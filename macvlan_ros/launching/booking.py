"""Booking: the addresses of a stack's services, reserved before the first container is touched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field

from netaddr import IPAddress

from macvlan_ros import addresses, interrupts
from macvlan_ros import stack as stacks
from macvlan_ros.errors import PoolOverlap
from macvlan_ros.ipam import Ipam
from macvlan_ros.launching import landing, placement
from macvlan_ros.models.containers import Service
from macvlan_ros.models.pools import DEFAULT_POOL, Pool, Reservation
from macvlan_ros.models.stacks import Stack
from macvlan_ros.reserving.takeover import Takeover
from macvlan_ros.undo import Undo
from macvlan_ros.values import dataclass


@dataclass(frozen=True, slots=True)
class Booked:
    """What the services of one host have: the pool, the reservations by service, and the addresses
    that the file fixes (by service, those of other hosts too). What ends with 6 is IPv6's."""

    pool: Pool
    held: Mapping[str, Reservation]
    wanted: Mapping[str, IPAddress]
    pool6: Pool | None = None
    held6: Mapping[str, Reservation] = field(default_factory=dict)
    wanted6: Mapping[str, IPAddress] = field(default_factory=dict)


class Booking:
    """Makes pools and reservations for launches. `note` hears of each pool that was made."""

    def __init__(self, ipam: Ipam, *, takeover: Takeover, note: Callable[[str], None]) -> None:
        self._ipam = ipam
        self._takeover = takeover
        self._note = note

    def book(
        self, stack: Stack, here: Sequence[Service], *, site: landing.Site, undo: Undo
    ) -> Booked:
        """Reserve for all that belongs to the site's host, started now or not, for a
        ROS_MASTER_URI may name it; and for what has a fixed address elsewhere: nobody else may get
        that one here either. What another host had is taken over, if nobody answers for it."""
        wanted = landing.wanted_addresses(stack, site)
        pool = self._ensure_pool(landing.wanted_pool(stack, site, wanted, self._ipam.pools()), undo)
        named6 = landing.wanted_pool6(stack, site, self._ipam.pools())
        held = self._reserve(stack, here, site=site, pool=pool, wanted=wanted, undo=undo)
        if named6 is None:
            return Booked(pool, held, wanted)
        pool6, wanted6 = self._ensure_pool(named6, undo), landing.wanted_addresses6(stack)
        held6 = self._reserve(stack, here, site=site, pool=pool6, wanted=wanted6, undo=undo)
        return Booked(pool, held, wanted, pool6, held6, wanted6)

    def _reserve(
        self,
        stack: Stack,
        here: Sequence[Service],
        *,
        site: landing.Site,
        pool: Pool,
        wanted: Mapping[str, IPAddress],
        undo: Undo,
    ) -> dict[str, Reservation]:
        belongs = [one for one in stacks.enabled(stack) if placement.is_here(one, site.host)]
        names = {service.name for service in (*here, *belongs) if not service.off_lan}
        held_for = [
            service
            for service in stack.services.values()
            if service.name in names
            or (service.name in wanted and addresses.contains(pool, wanted[service.name]))
        ]
        held = self._allocate(held_for, site=site, pool=pool, wanted=wanted, undo=undo)
        mine = [service for service in held_for if service.name in names]
        for service in mine:
            if service.mac and pool.subnet.version == 4:
                held[service.name] = self._wear(held[service.name], service.mac, undo)
        hosts = {service.name: service.host or site.host for service in mine}
        foreign = [
            (held[name], host) for name, host in hosts.items() if held[name].host not in ("", host)
        ]
        if not foreign:
            return held
        taken = self._takeover.take(pool, foreign, undo=undo)
        by_owner = {each.owner: each for each in taken}
        return {name: by_owner.get(each.owner, each) for name, each in held.items()}

    def _allocate(
        self,
        held_for: Sequence[Service],
        *,
        site: landing.Site,
        pool: Pool,
        wanted: Mapping[str, IPAddress],
        undo: Undo,
    ) -> dict[str, Reservation]:
        """What each of the services holds now, by name."""
        with interrupts.shielded():
            done = self._ipam.allocate(
                pool.name,
                [service.owner for service in held_for],
                addresses={s.owner: wanted[s.name] for s in held_for if s.name in wanted},
                hosts={service.owner: service.host or site.host for service in held_for},
                within=pool,
            )
            fresh = [allocation.reservation.owner for allocation in done if allocation.new]
            if fresh:
                undo.add(self._ipam.release, pool.name, fresh)
        return {
            service.name: allocation.reservation
            for service, allocation in zip(held_for, done, strict=True)
        }

    def _wear(self, held: Reservation, mac: str, undo: Undo) -> Reservation:
        worn = self._ipam.wear(held, mac)
        if worn is not held:
            undo.add(self._ipam.wear, worn, held.mac)
        return worn

    def elsewhere(self, stack: Stack, site: landing.Site) -> dict[str, IPAddress]:
        """The addresses, by service, that the store has for what belongs to other hosts; of the
        family that ROS speaks."""
        subnet = site.subnet6 if stack.ros_over == "ipv6" else site.subnet
        others = {
            service.owner: service
            for service in stack.services.values()
            if not placement.is_here(service, site.host)
        }
        found: dict[str, IPAddress] = {}
        for pool in self._ipam.pools() if others else ():
            if pool.subnet == subnet:
                for held in self._ipam.held(pool.name, list(others)):
                    if held.host in ("", others[held.owner].host):
                        found[others[held.owner].name] = held.address
        return found

    def _ensure_pool(self, pool: Pool, undo: Undo) -> Pool:
        if any(there.name == pool.name for there in self._ipam.pools()):
            # of the pool that all use who name none, a stack may take a part
            return pool if pool.name == DEFAULT_POOL else self._ipam.add_pool(pool)
        try:
            return self._make_pool(pool, undo)
        except PoolOverlap as error:
            error.args = (
                f"{error}; or let the stack take the pool that is there, with x-macvlan-ros:"
                " {pool: NAME} instead of its range",
            )
            raise

    def _make_pool(self, pool: Pool, undo: Undo) -> Pool:
        with interrupts.shielded():
            made = self._ipam.add_pool(pool)
            undo.add(self._unmake_pool, pool.name)
        self._note(f"made the pool '{pool.name}': {pool.subnet}, {addresses.size(pool)} addresses")
        return made

    def _unmake_pool(self, name: str) -> None:
        self._ipam.remove_pool(name)
        self._note(f"removed the pool '{name}' again")
