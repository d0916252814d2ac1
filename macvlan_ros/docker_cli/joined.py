"""The networks of a `docker run` line, as a service of a stack joins them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from macvlan_ros.docker_api.network_values import BUILT_IN, REPLACED_DRIVERS
from macvlan_ros.docker_cli.parsing import RunLine, option
from macvlan_ros.docker_cli.rewriting import Joining, joining


@dataclass(slots=True)
class Joined:
    """`beside` is what a service says of the networks beside the LAN's, by name; `aliases` are its
    names on the LAN's; `notes` tell of networks that it does not join."""

    aliases: tuple[str, ...] = ()
    beside: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def networks(line: RunLine, drivers: Mapping[str, str]) -> Joined:
    """The LAN's network is the stack's own; those that stay beside it are there already."""
    found = Joined()
    aliases = list(line.values("network-alias"))
    for number, text in enumerate(line.values("network")):
        said = joining(replace(line, options=(option("network", text),)))
        if _is_beside(said.name, drivers.get(said.name, ""), first=not number):
            found.beside[said.name] = _use(said)
            continue
        aliases += said.aliases
        if said.name in BUILT_IN and number:
            found.notes.append(f"--network {text} is left out: it cannot stand beside others")
        elif said.name and said.name != "host":
            found.notes.append(f"--network {text} is left out: the stack's own takes its place")
    found.aliases = tuple(dict.fromkeys(aliases))
    return found


def _is_beside(name: str, driver: str, *, first: bool) -> bool:
    """Whether a network that a line names stays beside the LAN's. Of one whose driver nobody knows
    (""), the first is taken for the LAN's."""
    if name in BUILT_IN:
        return False
    return driver not in REPLACED_DRIVERS if driver else bool(name) and not first


def _use(said: Joining) -> dict[str, Any]:
    """What a service says of a network beside the LAN's."""
    use: dict[str, Any] = {}
    if said.aliases:
        use["aliases"] = list(said.aliases)
    if said.address:
        use["ipv4_address"] = said.address
    return use
