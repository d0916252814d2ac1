"""The doctor on who manages the parent: NetworkManager may take it down, or give it another MAC."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from macvlan_ros.doctor.commands import said
from macvlan_ros.doctor.finding import OK, WARNING, Finding
from macvlan_ros.models.links import Link

if TYPE_CHECKING:
    from macvlan_ros.app import App

_DEVICE = "GENERAL.STATE,GENERAL.CONNECTION,GENERAL.NM-MANAGED"
_PROFILE = "connection.autoconnect,802-3-ethernet.cloned-mac-address"
_CONNECTED = "100"


def check(_app: App, parent: Link) -> Iterator[Finding]:
    """How NetworkManager, where there is one, holds the parent."""
    device = said("nmcli", "-t", "-f", _DEVICE, "device", "show", parent.name)
    if device is None:
        return
    facts = read(device)
    name = facts.get("GENERAL.CONNECTION", "")
    profile = said("nmcli", "-t", "-f", _PROFILE, "connection", "show", name) if name else None
    found = list(judge(parent.name, facts, read(profile or "")))
    yield from found
    if not found:
        yield Finding("manager", OK, f"NetworkManager keeps {parent.name} as it is")


def read(text: str) -> dict[str, str]:
    """What `nmcli -t` prints: lines of KEY:VALUE."""
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def judge(parent: str, device: Mapping[str, str], profile: Mapping[str, str]) -> Iterator[Finding]:
    """What may take the parent away."""
    if device.get("GENERAL.NM-MANAGED", "yes") == "no":
        return
    name, state = device.get("GENERAL.CONNECTION", ""), device.get("GENERAL.STATE", "")
    if state.startswith(_CONNECTED) and "externally" in state:
        return  # somebody else set it up, and NetworkManager only watches
    if not name or not state.startswith(_CONNECTED):
        yield Finding(
            "manager",
            WARNING,
            f"NetworkManager manages {parent}, but has no active connection on it: it takes it down"
            " when it likes",
            f"give it one (nmcli device connect {parent}), or let it alone: nmcli device set"
            f" {parent} managed no",
        )
        return
    if profile.get("connection.autoconnect") == "no":
        yield Finding(
            "manager",
            WARNING,
            f"NetworkManager's connection '{name}' does not come up by itself after a reboot",
            f"nmcli connection modify '{name}' connection.autoconnect yes",
        )
    cloned = profile.get("802-3-ethernet.cloned-mac-address", "").replace("\\:", ":")
    if cloned in ("random", "stable"):
        yield Finding(
            "manager",
            WARNING,
            f"NetworkManager gives {parent} a made-up MAC ({cloned}) each time it comes up",
            f"nmcli connection modify '{name}' 802-3-ethernet.cloned-mac-address permanent",
        )
