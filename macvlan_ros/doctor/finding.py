"""Findings: what a check came to, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from macvlan_ros.errors import MacvlanRosError
from macvlan_ros.levels import BAD, OK, WARNING

__all__ = ["BAD", "OK", "WARNING", "Finding", "guarded"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's outcome. `level` is ok, warning or bad; `remedy` is "" when nothing is wrong."""

    check: str
    level: str
    text: str
    remedy: str = ""


def guarded(check: str, make: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """What `make` finds; an error of ours is a finding, with what it says to do as the remedy."""
    try:
        yield from make()
    except MacvlanRosError as error:
        text, _, remedy = str(error).partition("; ")
        yield Finding(check, BAD, text, remedy)
