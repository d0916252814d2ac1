"""What containers have written, read from Docker as it comes: lines with their time and stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from macvlan_ros.docker_api.calls import QUICK, Calls
from macvlan_ros.docker_api.errors import refusal
from macvlan_ros.values import dataclass

STREAMS = {1: "stdout", 2: "stderr"}
_HEADER = 8
#: How much is taken from the connection at once; less comes when there is less.
_PART = 1 << 16


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a container's log. `stream` is stdout or stderr, `time` UTC in RFC 3339 with
    nanoseconds ("" where Docker gave none), `text` without its end."""

    stream: str
    time: str
    text: str


class LogCalls(Calls):
    """What an engine's containers have said."""

    def log_entries(
        self, identity: str, *, follow: bool = False, tail: int | None = None, since: str = ""
    ) -> Iterator[Entry]:
        """The lines of a container's log, the oldest first; the last `tail` of them, those from
        `since` on (seconds since 1970, with a fraction). `follow` goes on until the container ends,
        and then alone a silence has no bound. Raises NotFound, EngineRefused (its log driver
        cannot be read), DockerDown.
        """
        doing = f"read the log of container {self.names.get(identity, identity)!r}"
        with self.asking(doing, quick=True) as client:
            tty = bool(client.inspect_container(identity)["Config"].get("Tty"))
        with self.streaming(doing) as client:
            # the SDK's own reader of terminals takes them apart into single bytes
            response = client.get(
                f"{client.base_url}/v{client.api_version}/containers/{identity}/logs",
                params={
                    "stdout": 1,
                    "stderr": 1,
                    "timestamps": 1,
                    "follow": int(follow),
                    "tail": "all" if tail is None else tail,
                    "since": since or 0,
                },
                stream=True,
                timeout=(QUICK, None if follow else QUICK),
            )
            if response.status_code != 200:
                raise refusal(response.status_code, _message(response), doing)
        reader = _Lines() if tty else _Frames()
        parts = response.raw.stream(_PART)
        try:
            while True:
                with self.streaming(doing):
                    part = next(parts, b"")
                if not part:
                    break
                yield from reader.feed(part)
            yield from reader.end()
        finally:
            response.close()


def _message(response: Any) -> str:
    try:
        return str(response.json().get("message") or "")
    except (ValueError, AttributeError):
        return ""


class _Lines:
    """The log of a container with a terminal: lines, each after its time."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, part: bytes) -> Iterator[Entry]:
        *whole, self._rest = (self._rest + part).split(b"\n")
        for line in whole:
            yield _entry("stdout", line)

    def end(self) -> Iterator[Entry]:
        if self._rest:
            yield _entry("stdout", self._rest)


class _Frames:
    """The log of one without: frames with a stream, a length, and a time and a piece of a line.

    Docker cuts lines of more than 16 KiB into several frames (moby, pkg/stdcopy).
    """

    def __init__(self) -> None:
        self._rest = b""
        self._open: dict[int, bytes] = {}

    def feed(self, part: bytes) -> Iterator[Entry]:
        data = self._rest + part
        place = 0
        while len(data) - place >= _HEADER:
            size = int.from_bytes(data[place + 4 : place + _HEADER], "big")
            if len(data) - place - _HEADER < size:
                break
            stream = data[place]
            place += _HEADER
            yield from self._take(stream, data[place : place + size])
            place += size
        self._rest = data[place:]

    def _take(self, stream: int, frame: bytes) -> Iterator[Entry]:
        begun = self._open.pop(stream, b"")
        line = begun + (frame.partition(b" ")[2] if begun else frame)
        if line.endswith(b"\n"):
            yield _entry(STREAMS.get(stream, "stdout"), line[:-1])
        else:
            self._open[stream] = line

    def end(self) -> Iterator[Entry]:
        for stream, line in self._open.items():
            yield _entry(STREAMS.get(stream, "stdout"), line)


def _entry(stream: str, line: bytes) -> Entry:
    time, _, text = line.decode(errors="replace").partition(" ")
    return Entry(stream, time, text.removesuffix("\r"))
