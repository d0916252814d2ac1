"""How figures are taken and printed."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.lab import Host


def seconds(step: Callable[[], object]) -> float:
    """How long one call takes."""
    begin = time.perf_counter()
    step()
    return time.perf_counter() - begin


def our_command(host: Host, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """A command of ours in a process of its own, as people start it; the lab forks it off one that
    has everything imported. `options` are those of `Host.run`; it is not checked unless told."""
    return host.run(*host.macvlan_ros_command(*words), **{"check": False, **options})


def medians(rounds: int, *steps: Callable[[], object]) -> tuple[float, ...]:
    """The median time of each step in seconds, taken in turn, so that all meet the same load."""
    taken: list[list[float]] = [[] for _ in steps]
    for _ in range(rounds):
        for times, step in zip(taken, steps, strict=True):
            times.append(seconds(step))
    return tuple(statistics.median(times) for times in taken)


def milliseconds(value: float) -> str:
    """A time as people read it."""
    return f"{value * 1000:.0f} ms" if value >= 0.01 else f"{value * 1000:.2f} ms"


def show(title: str, rows: Sequence[tuple[str, str]]) -> None:
    """One table of figures."""
    print(f"\n{title}")
    width = max(len(name) for name, _ in rows)
    for name, figure in rows:
        print(f"  {name:<{width}}  {figure}")
