"""Hosts, as one of them judges the others: who is there, who is silent, whose clock is off."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable

from macvlan_ros.fleet.register import HostRecord, Register, Sight, every, silent_after
from macvlan_ros.models.pools import STATIC, Reservation
from macvlan_ros.stores.base import Store
from macvlan_ros.values import dataclass

#: By so many rounds a clock may be off without a word: entries are looked at so far apart.
_TOLERANCE = 1.5

HERE, ALIVE, SILENT, UNWATCHED = "here", "alive", "silent", "no service"


@dataclass(frozen=True, slots=True)
class Judged:
    """One host as we see it.

    `state` is "here" (this PC), "alive", "silent" (its service has written nothing for a minute) or
    "no service" (only launches write its entry, so nobody knows). `heard` is how many seconds ago
    it was heard, None when that is not known. `clock` is by how many seconds its clock is ahead of
    ours (negative: behind), None when it is not off or not known. `held` counts its reservations.
    """

    entry: HostRecord
    state: str
    heard: float | None
    clock: float | None
    held: int

    @property
    def trouble(self) -> str:
        """What is wrong with it, in a sentence with the remedy; "" when nothing is."""
        parts = []
        if self.state == SILENT:
            parts.append(
                f"'{self.entry.name}' is silent; its {self.held} addresses stay reserved, and"
                " launch on another host takes them over once nobody answers for them"
            )
        if self.clock is not None:
            direction = "ahead of" if self.clock > 0 else "behind"
            parts.append(
                f"the clock of '{self.entry.name}' is {abs(self.clock):.0f} s {direction} ours; set"
                " it there with: timedatectl set-ntp true"
            )
        return "; ".join(parts)


def judge(
    entries: Iterable[HostRecord], held: Collection[Reservation], *, own: str, now: float
) -> tuple[Judged, ...]:
    """All hosts as the host `own` sees them; `now` is its clock.

    What its service saw of the others counts, if one runs; else they are taken by their own word,
    which a clock that is off makes worthless.
    """
    hosts = {entry.name: entry for entry in entries}
    us = hosts.get(own)
    patience = silent_after(len(hosts))
    watching = us is not None and bool(us.sights) and 0 <= now - us.seen < patience
    sights = us.sights if us is not None and watching else {}
    counts: dict[str, int] = {}
    for each in held:
        if each.kind == STATIC:
            counts[each.host] = counts.get(each.host, 0) + 1
    return tuple(
        _judge_one(
            entry,
            sights.get(name),
            own=own,
            now=now,
            hosts=len(hosts),
            held=counts.get(name, 0),
        )
        for name, entry in hosts.items()
    )


def _judge_one(
    entry: HostRecord, sight: Sight | None, *, own: str, now: float, hosts: int, held: int
) -> Judged:
    if entry.name == own:
        return Judged(entry, HERE, max(0.0, now - entry.seen), None, held)
    tolerance = _TOLERANCE * every(hosts)
    if sight is not None and sight.at:
        heard: float | None = max(0.0, now - sight.at)
        clock = sight.ahead if abs(sight.ahead) > tolerance else None
    else:
        age = now - entry.seen
        # an entry from the future: its clock, or ours, is off
        clock = -age if age < -tolerance else None
        heard = age if age >= 0 else None if clock else 0.0
    if not entry.services:
        state = UNWATCHED
    elif heard is None or heard < silent_after(hosts):
        state = ALIVE
    else:
        state = SILENT
    return Judged(entry, state, heard, clock, held)


def is_silent(store: Store, name: str, *, own: str) -> bool:
    """Whether the host `name` has not been heard for long, as the host `own` sees it."""
    judged = judge(Register(store, host=own).hosts(), (), own=own, now=time.time())
    return any(each.entry.name == name and each.state == SILENT for each in judged)
