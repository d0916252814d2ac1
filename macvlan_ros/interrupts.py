"""Interrupts: Ctrl-C, `kill` and a closed terminal, held off where a step must stay whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeAlias

_Handler: TypeAlias = "Callable[[int, FrameType | None], object] | signal.Handlers"

_NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def as_ctrl_c() -> None:
    """From now on `kill` and a closed terminal do what Ctrl-C does: undo, and end."""
    for number in _NUMBERS[1:]:
        signal.signal(number, _raise)


def end_well() -> None:
    """From now on Ctrl-C and `kill` end the process with 0, for what runs until it is told to end
    and whose steps are each whole by themselves; what was opened is closed on the way out."""
    for number in _NUMBERS[:2]:
        signal.signal(number, _end)


@contextmanager
def shielded() -> Iterator[None]:
    """An interrupt that comes within the block is raised at its end.

    The block must be short: a change, and the registration of its undo.
    """
    arrived: list[int] = []
    with _handling(lambda number, _frame: arrived.append(number)):
        yield
    if arrived:
        raise KeyboardInterrupt


@contextmanager
def deaf() -> Iterator[None]:
    """Interrupts within the block are dropped: for undoing, which a second Ctrl-C must not end."""
    with _handling(signal.SIG_IGN):
        yield


@contextmanager
def _handling(handler: _Handler) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # Python delivers signals to the main thread alone
        return
    before = {number: signal.getsignal(number) for number in _NUMBERS}
    for number in before:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _raise(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _end(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)
