"""Undo: the way back from what has been done so far, for use when a later step fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from macvlan_ros import interrupts
from macvlan_ros.errors import MacvlanRosError


class Undo:
    """Steps back, in the order of the steps forth. Several threads may add to it at once."""

    def __init__(self) -> None:
        self._steps: list[Callable[[], object]] = []

    def add(self, step: Callable[..., object], *arguments: object, **options: object) -> None:
        """Remember how to take back what has just been done."""
        self._steps.append(partial(step, *arguments, **options))

    def run(self, complain: Callable[[str], None]) -> None:
        """Take everything back, the last first; a step that fails does not keep the others."""
        while self._steps:
            try:
                self._steps.pop()()
            except MacvlanRosError as error:
                complain(f"could not be undone: {error}")


@contextmanager
def all_or_nothing(complain: Callable[[str], None]) -> Iterator[Undo]:
    """What is added to the Undo is taken back when the block fails or is interrupted.

    A second Ctrl-C does not stop the undoing half way.
    """
    undo = Undo()
    try:
        yield undo
    except BaseException:
        with interrupts.deaf():
            undo.run(complain)
        raise
