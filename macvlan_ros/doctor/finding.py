"""Findings: what a check came to, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import field, replace

from macvlan_ros.errors import MacvlanRosError
from macvlan_ros.levels import BAD, OK, WARNING
from macvlan_ros.values import dataclass

__all__ = ["BAD", "OK", "WARNING", "Finding", "cure", "guarded"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's outcome. `level` is ok, warning or bad; `remedy` is "" when nothing is wrong.

    `cure` does what is safe to do about it and returns what it has done, in one sentence; None
    where people must decide.
    """

    check: str
    level: str
    text: str
    remedy: str = ""
    cure: Callable[[], str] | None = field(default=None, compare=False, repr=False)


def guarded(check: str, make: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """What `make` finds; an error of ours is a finding, with what it says to do as the remedy."""
    try:
        yield from make()
    except MacvlanRosError as error:
        text, _, remedy = str(error).partition("; ")
        yield Finding(check, BAD, text, remedy)


def cure(finding: Finding) -> Finding:
    """The finding after what is safe has been done about it; as it is, where nothing is."""
    if finding.cure is None:
        return finding
    try:
        done = finding.cure()
    except MacvlanRosError as error:
        return replace(finding, text=f"{finding.text}; not mended: {error}", cure=None)
    return replace(finding, level=OK, text=f"{finding.text}; {done}", remedy="", cure=None)
