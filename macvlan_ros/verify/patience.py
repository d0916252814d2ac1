"""Patience: how long silence is listened to, also on a machine that is busy with other things."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Sequence


class Patience:
    """So many seconds of waiting, `until` (time.monotonic) at the latest; `spent` are those of them
    that are over.

    Only waiting counts. Seconds in which this process could not run, because others had the
    processors, say nothing about who is silent: what has come meanwhile is read first.
    """

    def __init__(self, seconds: float, *, until: float) -> None:
        self.spent = 0.0
        self._seconds = seconds
        self._until = until
        self._over = False

    @property
    def left(self) -> float:
        """Seconds that may still be waited."""
        return max(0.0, min(self._seconds - self.spent, self._until - time.monotonic()))

    def spend(self, allowed: float, began: float) -> None:
        """Somebody has waited since `began`, and wanted to wait for `allowed` seconds at most."""
        self.spent += min(allowed, time.monotonic() - began)

    def wait(self, sockets: Sequence[socket.socket]) -> list[socket.socket]:
        """Those that can be read, as soon as there are any; none when the time is over, after a
        last look."""
        if self._over:
            return []
        allowed, began = self.left, time.monotonic()
        self._over = allowed <= 0
        ready, _, _ = select.select(sockets, [], [], allowed)
        self.spend(allowed, began)
        return ready
