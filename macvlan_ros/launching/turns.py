"""Turns: what is done side by side is told in one order, the same in every run."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence


class Turns:
    """Tells a line for each of `names` in their order, each as soon as those before it are told.

    A context manager: at its end what is still held back is told, because somebody before it never
    got its turn. Several threads may speak.
    """

    def __init__(self, names: Sequence[str], tell: Callable[[str], None]) -> None:
        self._waiting = deque(names)
        self._tell = tell
        self._said: dict[str, str] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Turns:
        return self

    def __exit__(self, *_exception: object) -> None:
        with self._lock:
            self._waiting = deque(name for name in self._waiting if name in self._said)
            self._tell_ready()

    def say(self, name: str, text: str) -> None:
        """The line of that name, once."""
        with self._lock:
            self._said[name] = text
            self._tell_ready()

    def _tell_ready(self) -> None:
        while self._waiting and self._waiting[0] in self._said:
            self._tell(self._said.pop(self._waiting.popleft()))
