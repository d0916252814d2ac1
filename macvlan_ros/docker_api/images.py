"""Docker's images: what one brings along, and pulling one with a bound on every silence."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from macvlan_ros.docker_api.calls import Calls
from macvlan_ros.docker_api.errors import refusal
from macvlan_ros.docker_api.values import Image, read_image
from macvlan_ros.errors import ImageNotFound, NotFound

#: Seconds without a word after which a pull counts as stuck: unpacking a large layer on an SD
#: card is silent for minutes.
PULL_SILENCE = 300.0
#: Seconds between two reports of progress.
_REPORT_EVERY = 1.0


class ImageCalls(Calls):
    """What an engine's images can be asked for."""

    def image(self, name: str) -> Image:
        """The image of that name or id. Raises `ImageNotFound`."""
        try:
            with self.asking(f"find image {name}", quick=True) as client:
                return read_image(client.inspect_image(name))
        except NotFound as error:
            raise ImageNotFound(
                f"this engine has no image {name}; pull it with: docker pull {name}"
            ) from error

    def pull(
        self, name: str, *, progress: Callable[[str], None], platform: str | None = None
    ) -> Image:
        """Pull an image and return it; `progress` is told a line at most once a second.

        Raises `ImageNotFound` when no registry has it, `EngineRefused` when none is reached.
        """
        layers = _Layers(name)
        reported = time.monotonic()
        for event in self._pull_events(name, platform):
            layers.take(event)
            if time.monotonic() - reported >= _REPORT_EVERY:
                reported = time.monotonic()
                progress(layers.line())
        progress(f"{name}: pulled")
        return self.image(name)

    def _pull_events(self, name: str, platform: str | None) -> Iterator[dict[str, Any]]:
        """Docker's own events. Only the waiting is Docker's part: what the caller does with an
        event must not be taken for an error of Docker's."""
        doing = f"pull image {name}"
        with self.streaming(doing) as client:
            events = client.pull(name, stream=True, decode=True, platform=platform)
        while True:
            with self.streaming(doing):
                event = next(events, None)
            if event is None:
                return
            if "error" in event:
                raise refusal(500, str(event["error"]), doing)
            yield event


class _Layers:
    """How far a pull is, from the events of its layers."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._layers: dict[str, tuple[int, int]] = {}
        self._done: set[str] = set()

    def take(self, event: dict[str, Any]) -> None:
        layer, status = event.get("id") or "", event.get("status") or ""
        detail = event.get("progressDetail") or {}
        if not layer or status.startswith("Pulling from"):
            return
        self._layers.setdefault(layer, (0, 0))
        if status == "Downloading":
            self._layers[layer] = (detail.get("current") or 0, detail.get("total") or 0)
        if status in ("Pull complete", "Already exists"):
            self._done.add(layer)

    def line(self) -> str:
        """One line for people: "ros:noetic: 3 of 7 layers, 45 of 210 MB"."""
        if not self._layers:
            return f"{self.name}: asking the registry"
        here = sum(current for current, _ in self._layers.values()) // 1_000_000
        total = sum(total for _, total in self._layers.values()) // 1_000_000
        text = f"{self.name}: {len(self._done)} of {len(self._layers)} layers"
        return f"{text}, {here} of {total} MB" if total else text
