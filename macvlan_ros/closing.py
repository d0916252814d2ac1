"""Closing: what is given back at the end of a `with`."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["Closing"]

_C = TypeVar("_C", bound="Closing")


class Closing:
    """Something that `with` closes at its end."""

    def __enter__(self: _C) -> _C:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back what is held. Closing twice is fine."""
        raise NotImplementedError
