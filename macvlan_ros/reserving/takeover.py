"""Taking over: a reservation that another host has, for a container that is to run on this one.

The other host may be dead, or just cut off, with the container running: so the wire is asked, and
who is answered for is never taken over. In the store it is one atomic step, so that of two hosts
that want it one gets it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from macvlan_ros.errors import Conflict
from macvlan_ros.ipam import Ipam
from macvlan_ros.models.pools import Pool, Reservation
from macvlan_ros.reserving.around import Ask
from macvlan_ros.undo import Undo

__all__ = ["Takeover"]

# A service defends what belongs to its host and rests. It stops a second or two after the store
# says that it belongs to another one (outlook, oversight).
_DEFENDED = 5.0


class Takeover:
    """Takes reservations over. `ask` asks the LAN, and raises Unavailable when nobody can tell;
    `runs` says whether a container of that name runs on a host, as far as its engine can be asked
    from here."""

    def __init__(
        self,
        ipam: Ipam,
        *,
        ask: Ask,
        runs: Callable[[str, str], bool],
        note: Callable[[str], None],
    ) -> None:
        self._ipam = ipam
        self._ask = ask
        self._runs = runs
        self._note = note

    def take(
        self, pool: Pool, wanted: Sequence[tuple[Reservation, str]], *, undo: Undo
    ) -> list[Reservation]:
        """Give each reservation to the host beside it; what then stands, in the same order.

        Raises Conflict for one that is answered for, or that another host was quicker to take, and
        Unavailable where the wire cannot be asked; then nothing has changed.
        """
        former = [held for held, _ in wanted]
        for held in former:
            if self._runs(held.host, held.owner):
                raise _refusal(held, "is in use by its container, which runs")
        answers = self._ask(pool, [held.address for held in former])
        for held in former:
            mac = answers.get(held.address, held.mac)
            if mac != held.mac:
                raise _refusal(held, f"is answered for by {mac}")
        moved = [self._move(held, host, undo) for held, host in wanted]
        if answers:
            self._await_silence(pool, former)
        for held, now in zip(former, moved, strict=True):
            self._note(
                f"'{held.owner}' ({held.address}) was on the host '{held.host}', where nobody"
                f" answers for it now; '{now.host}' takes it over"
            )
        return moved

    def _move(self, held: Reservation, host: str, undo: Undo) -> Reservation:
        stands = self._ipam.move(held, host)
        if stands is None or stands.host != host:
            other = stands.host if stands else "nobody"
            raise Conflict(
                f"'{held.owner}' was about to be taken over from '{held.host}', and '{other}' was"
                " quicker; look who has it with: macvlan-ros list"
            )
        undo.add(self._ipam.move, stands, held.host)
        return stands

    def _await_silence(self, pool: Pool, held: Sequence[Reservation]) -> None:
        """Until the other host's service defends them no more; a container goes on answering."""
        deadline = time.monotonic() + _DEFENDED
        while True:
            answers = self._ask(pool, [each.address for each in held])
            left = [each for each in held if each.address in answers]
            if not left:
                return
            if time.monotonic() > deadline:
                raise _refusal(left[0], f"still answers ({left[0].mac})")


def _refusal(held: Reservation, why: str) -> Conflict:
    return Conflict(
        f"'{held.owner}' belongs to the host '{held.host}', and its address {held.address} {why};"
        f" stop it there first, with: docker stop {held.owner} (on '{held.host}'), or from here:"
        " macvlan-ros down --all-hosts"
    )
