"""Logs: what several containers write, on one engine or many, as one stream of lines."""

from __future__ import annotations

import heapq
import queue
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone

from macvlan_ros.docker_api.logs import Entry
from macvlan_ros.engine import Engine
from macvlan_ros.errors import EngineRefused, InvalidRequest, MacvlanRosError, NotFound
from macvlan_ros.values import dataclass

__all__ = ["LogLine", "Source", "follow", "parse_since", "read"]

#: Seconds in which a container that has ended may run again, as after a restart.
_AGAIN = 2.0
_LOOK_EVERY = 0.1
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class Source:
    """A container whose log is read, by its name on that engine, and what people call it."""

    engine: Engine
    container: str
    service: str
    host: str = ""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line, and who wrote it where. `time` and `stream` are as in `docker_api.logs.Entry`."""

    service: str
    container: str
    host: str
    stream: str
    time: str
    text: str


def parse_since(text: str, *, now: float) -> str:
    """Seconds since 1970 of a moment: "10m" and "1h30m" are that long ago, else an ISO 8601 time
    (UTC unless it says otherwise). Raises InvalidRequest."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        ago = sum(float(number) * _UNITS[unit] for number, unit in parts)
        return f"{max(0.0, now - ago):.3f}"  # Docker knows no earlier moment
    try:
        moment = datetime.fromisoformat(re.sub(r"Z$", "+00:00", text))
    except ValueError:
        raise InvalidRequest(
            f"{text!r} is no moment; say how long ago (10m, 1h30m), or when (2026-11-22T14:00:00)"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return f"{max(0.0, moment.timestamp()):.6f}"


def read(
    sources: Sequence[Source],
    *,
    tail: int | None = None,
    since: str = "",
    note: Callable[[str], None],
) -> Iterator[LogLine]:
    """What all have written so far, in the order of time; the last `tail` lines of each.

    `note` hears whose log cannot be read. Raises what the engine raises when that is all of them.
    """
    logs = [_readable(one, tail=tail, since=since, note=note) for one in sources]
    return heapq.merge(*logs, key=lambda line: line.time)


def _readable(
    source: Source, *, tail: int | None, since: str, note: Callable[[str], None]
) -> Iterator[LogLine]:
    try:
        for entry in source.engine.log_entries(source.container, tail=tail, since=since):
            yield _line(source, entry)
    except (NotFound, EngineRefused) as error:
        note(f"{source.service}: {error}")


def follow(
    sources: Sequence[Source],
    *,
    tail: int | None = None,
    since: str = "",
    note: Callable[[str], None],
) -> Iterator[LogLine]:
    """The same, and then each line as it is written, until every container has ended.

    One that is started again is followed further. The threads behind it end with the process.
    """
    lines: queue.SimpleQueue[LogLine | str | None] = queue.SimpleQueue()
    for source in sources:
        arguments = (source, lines, tail, since)
        threading.Thread(target=_pump, args=arguments, daemon=True, name="log").start()
    left = len(sources)
    while left:
        found = lines.get()
        if found is None:
            left -= 1
        elif isinstance(found, str):
            note(found)
        else:
            yield found


def _pump(
    source: Source,
    lines: queue.SimpleQueue[LogLine | str | None],
    tail: int | None,
    since: str,
) -> None:
    try:
        while True:
            for entry in source.engine.log_entries(
                source.container, follow=True, tail=tail, since=since
            ):
                lines.put(_line(source, entry))
            # the next round takes up where this one ended
            tail, since = None, f"{time.time():.6f}"
            ended = _ended(source)
            if ended:
                lines.put(f"{source.service} {ended}")
                return
    except MacvlanRosError as error:
        lines.put(f"{source.service}: {error}")
    finally:
        lines.put(None)


def _ended(source: Source) -> str:
    """How the container ended; "" when it runs, maybe again."""
    deadline = time.monotonic() + _AGAIN
    while True:
        found = source.engine.container(source.container)
        if found is not None and found.running:
            return ""
        if time.monotonic() > deadline:
            break
        time.sleep(_LOOK_EVERY)
    if found is None:
        return "has no container any more"
    return f"has ended with exit code {found.exit_code}"


def _line(source: Source, entry: Entry) -> LogLine:
    return LogLine(
        source.service, source.container, source.host, entry.stream, entry.time, entry.text
    )
