"""Counting: what the service tells as it goes, and where nobody asked for metrics."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Metrics", "NoMetrics"]


class Metrics(Protocol):
    """What the service tells as it goes."""

    def request(self, call: str, outcome: str, seconds: float) -> None:
        """One request was answered; `outcome` is "ok" or the error's class."""

    def probe(self, conflict: bool) -> None:
        """One address was asked for on the wire; `conflict` when somebody answered."""

    def conflict(self) -> None:
        """A stranger was heard with an address of ours; once a minute for each of the two."""


class NoMetrics:
    """Nobody asked."""

    def request(self, call: str, outcome: str, seconds: float) -> None:
        pass

    def probe(self, conflict: bool) -> None:
        pass

    def conflict(self) -> None:
        pass
