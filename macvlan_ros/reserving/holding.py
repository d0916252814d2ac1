"""Holding: whether a container runs with an address that is to be given up.

Docker knows it by name; the kernel knows the MACs that run on this PC, whoever started them; the
store knows which owners' containers the plugin gave their addresses to, on whichever PC.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

from macvlan_ros.errors import Conflict, MacvlanRosError
from macvlan_ros.models.pools import Reservation
from macvlan_ros.uses import Uses
from macvlan_ros.values import dataclass

__all__ = ["Holder", "Holding"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Holder:
    """Something runs with the address of a reservation. `container` is its name, "" when only its
    address is known; `host` is "" for this PC."""

    reservation: Reservation
    container: str = ""
    host: str = ""


class Holding:
    """`containers` gives the names of Docker's running containers by their MACs and addresses,
    `running` the MACs that run on this PC. Each may raise our errors, and counts for nothing then;
    `note` is told of it."""

    def __init__(
        self,
        uses: Uses,
        *,
        host: str,
        containers: Callable[[], Mapping[str, str]],
        running: Callable[[], Collection[str]],
        note: Callable[[str], None],
    ) -> None:
        self._uses = uses
        self._host = host
        self._containers = containers
        self._running = running
        self._note = note

    def check(self, held: Sequence[Reservation]) -> None:
        """Raises Conflict when something runs with one of them."""
        holders = self.holders(held)
        if holders:
            raise Conflict(_refusal(holders))

    def holders(self, held: Sequence[Reservation]) -> tuple[Holder, ...]:
        """What runs with these, in their order."""
        if not held:
            return ()
        containers = self._asked(self._containers, "Docker was not asked what runs")
        running = self._asked(self._running, "the kernel was not asked what runs")
        found = (self._holder(each, containers or {}, running) for each in held)
        return tuple(each for each in found if each is not None)

    def _holder(
        self,
        reservation: Reservation,
        containers: Mapping[str, str],
        running: Collection[str] | None,
    ) -> Holder | None:
        use = self._uses.find(reservation.pool, reservation.address)
        macs = [reservation.mac] + ([use.mac] if use is not None else [])
        for known_as in (*macs, str(reservation.address)):
            if known_as in containers:
                return Holder(reservation, container=containers[known_as])
        if use is not None and use.host != self._host:
            return Holder(reservation, host=use.host)
        if running is None:
            return Holder(reservation) if use is not None else None
        return Holder(reservation) if any(mac in running for mac in macs) else None

    def _asked(self, ask: Callable[[], T], otherwise: str) -> T | None:
        try:
            return ask()
        except MacvlanRosError as error:
            self._note(f"{otherwise}: {error}")
            return None


def _refusal(holders: Sequence[Holder]) -> str:
    first = holders[0]
    owner, address = first.reservation.owner, first.reservation.address
    if first.container:
        what = f"the container {first.container!r} runs with {address}"
        remedy = f"stop it first with: docker stop {first.container}"
    elif first.host:
        what = f"a container on {first.host} runs with {address}, reserved for {owner!r}"
        remedy = "stop it there first"
    else:
        what = f"{owner!r} runs on this PC with {address}"
        remedy = "stop it first"
    more = f" (and {len(holders) - 1} more of these names run)" if len(holders) > 1 else ""
    return f"{what}{more}; {remedy}, or give it up all the same with: --force"
