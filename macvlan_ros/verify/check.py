"""Checks: what was looked at, from where, and what came of it."""

from __future__ import annotations

from macvlan_ros.levels import BAD, OK, WARNING
from macvlan_ros.values import dataclass

__all__ = ["BAD", "OK", "WARNING", "Check"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was proven, or not.

    `kind` is runs, reach, name, tcp, mtu, multicast (the last five with a 6 over IPv6), discovery,
    master, node, stale, topic or traffic. `source` is where it was looked from, `target` what
    was looked at. `remedy` is "" when nothing is wrong.
    """

    kind: str
    source: str
    target: str
    level: str
    text: str = ""
    remedy: str = ""
    milliseconds: float | None = None
