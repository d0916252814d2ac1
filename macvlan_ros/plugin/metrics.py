"""Metrics: what the service counts; Prometheus's library is loaded only when it is asked for."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Metrics", "NoMetrics"]


class Metrics(Protocol):
    """What the service tells as it goes."""

    def request(self, call: str, outcome: str, seconds: float) -> None:
        """One request was answered; `outcome` is "ok" or the error's class."""

    def probe(self, conflict: bool) -> None:
        """One address was probed on the wire; `conflict` when somebody answered."""


class NoMetrics:
    """Nobody asked."""

    def request(self, call: str, outcome: str, seconds: float) -> None:
        pass

    def probe(self, conflict: bool) -> None:
        pass
