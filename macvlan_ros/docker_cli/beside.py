"""Beside: what becomes of the networks that a `docker run` line names, other than the LAN's."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from macvlan_ros.docker_api.network_values import BUILT_IN, REPLACED_DRIVERS
from macvlan_ros.docker_api.payload import ENDPOINT_MAC_SINCE, api_number
from macvlan_ros.docker_cli.parsing import RunLine
from macvlan_ros.docker_cli.rewriting import lan_first, network_name
from macvlan_ros.engine import Engine

__all__ = ["Beside"]


class Beside:
    """Sorts the networks of a line. `note` hears of those that the container does not join."""

    def __init__(self, engine: Engine, *, note: Callable[[str], None]) -> None:
        self._engine = engine
        self._note = note

    def split(self, line: RunLine, ours: Collection[str]) -> tuple[RunLine, tuple[str, ...]]:
        """The line with one network at most, the one that is or is to be the LAN's; and those that
        the container joins beside it, as the line says them. `ours` are the LAN's networks."""
        line = lan_first(line, ours)
        kept, gone = [], []
        for number, text in enumerate(line.values("network")):
            name = network_name(text)
            if name not in ours and self._stays(name):
                kept.append(text)
            elif number:
                gone.append(text)
                self._note(
                    f"--network {text} is left out; join it afterwards with: docker network connect"
                )
        options = tuple(
            one for one in line.options if one.name != "network" or one.value not in (*kept, *gone)
        )
        return replace(line, options=options), tuple(kept)

    def replaced(self, wanted: str, instead: str) -> str:
        """What is said of a network whose place the LAN's takes."""
        lan = f"the macvlan network '{instead}'"
        if wanted == "host":
            return f"--network host is replaced by {lan}: the container has an address of its own"
        if wanted in BUILT_IN:
            return f"--network {wanted} is replaced by {lan}"
        driver = self._engine.driver_of(wanted)
        if driver and driver not in REPLACED_DRIVERS:
            return (
                f"--network {wanted} ({driver}) is replaced by {lan}; join it too, once the"
                f" container runs, with: docker network connect {wanted} NAME"
            )
        kind = f" ({driver})" if driver else ", which is not there,"
        return f"--network {wanted}{kind} is replaced by {lan}"

    def _stays(self, name: str) -> bool:
        """Whether it may be joined beside the LAN's: a run joins several since Docker 25."""
        if name in BUILT_IN:
            return False
        if api_number(self._engine.api_version()) < ENDPOINT_MAC_SINCE:
            return False
        return self._engine.driver_of(name) not in ("", *REPLACED_DRIVERS)
