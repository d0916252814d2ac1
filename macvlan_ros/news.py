"""News: what was said already, so that who looks again and again says each thing once."""

from __future__ import annotations

import threading
from collections.abc import Hashable

__all__ = ["News"]


class News:
    """What was said so far; any number of threads may share it."""

    def __init__(self) -> None:
        self._said: dict[Hashable, Hashable] = {}
        self._lock = threading.Lock()

    def is_new(self, what: Hashable, *, about: Hashable = None) -> bool:
        """Whether it is to be said now: it never was, or, of what there is something new to say
        `about` now and then, it is not what was said last."""
        key = ("all", what) if about is None else ("last", about)
        with self._lock:
            known = self._said.get(key)
            self._said[key] = what
        return known != what

    def over(self, about: Hashable) -> bool:
        """What was said about that is so no more, and is news when it comes again; whether
        something was said."""
        with self._lock:
            return self._said.pop(("last", about), None) is not None
