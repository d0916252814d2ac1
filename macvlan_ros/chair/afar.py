"""Afar: the one PC whose engine a command was given, with --docker, where that is not this one.

What `--all-hosts` does on each PC of a stack is done there too.
"""

from __future__ import annotations

from collections.abc import Callable

from macvlan_ros.chair.errands import Errands
from macvlan_ros.chair.facts import Facts
from macvlan_ros.chair.seats import Seat
from macvlan_ros.engine import Engine
from macvlan_ros.kernel import parents
from macvlan_ros.models.links import Link
from macvlan_ros.models.stacks import HostEntry


def seat_of(engine: Engine) -> Seat | None:
    """The seat of the engine's PC, by its hostname; None where that is this PC.

    Raises what `Engine.info` raises.
    """
    if engine.endpoint.scheme == "unix":
        return None
    info = engine.info()
    entry = HostEntry(info.name.partition(".")[0], docker=engine.endpoint.url)
    return Seat(entry, engine, local=False, info=info)


class FarParents:
    """The interfaces of the engine's PC. `known` gives what its service wrote into the store, ()
    if nothing; `own` is this PC's parent, by the name that was asked for."""

    def __init__(
        self,
        seat: Seat,
        *,
        errands: Errands,
        known: Callable[[str], tuple[Link, ...]],
        own: Callable[[str], Link],
        note: Callable[[str], None],
    ) -> None:
        self._seat = seat
        self._facts = Facts(seat, errands=errands, known=known, lan=lambda: None, note=note)
        self._own = own
        self._note = note

    def parent(self, wanted: str = "") -> Link:
        """The parent by name, MAC or subnet, "" is the one that the PC itself would take. Where
        nobody tells of its interfaces, they are taken to be as this PC's, with a note.

        Raises what `parents.find_parent` raises.
        """
        links, why = self._facts.links()
        if links:
            return parents.pick(links, wanted)
        own = self._own(wanted)
        self._note(
            f"{self._seat.name}: that its interface to the LAN is {own.name}, as this PC's, is"
            f" taken for granted: {why} (another: --parent NAME)"
        )
        return own
