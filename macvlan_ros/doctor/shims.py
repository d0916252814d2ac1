"""The doctor on the shim: whether this PC and its own containers reach each other, and how ARP is
answered here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from macvlan_ros.doctor.finding import BAD, OK, WARNING, Finding
from macvlan_ros.errors import NotFound
from macvlan_ros.kernel.link_names import shim_name
from macvlan_ros.models.links import Link
from macvlan_ros.reaching import reach_plugins

if TYPE_CHECKING:
    from macvlan_ros.app import App
    from macvlan_ros.reaching.reach import Reached

_SETTINGS = Path("/proc/sys/net/ipv4/conf")
_STRICT = 1
_UP = "macvlan-ros shim up"


def check(app: App) -> Iterator[Finding]:
    """Each network's shim and its routes."""
    if app.settings.shim != "yes" or app.engine.endpoint.scheme != "unix":
        return
    for network in app.engine.networks():
        found = app.reach.show(network)
        if found.objection:
            yield Finding("shim", OK, found.objection)
        elif found.containers:
            yield _judge(app, found)
    host = app.settings.host_name
    for found in reach_plugins.show(app.store, host=host, engine=app.engine, links=app.links):
        yield from _judge_plugins(found)


def _judge_plugins(found: Reached) -> Iterator[Finding]:
    """The plugin's service makes these itself, where it can."""
    name, link = found.network.name, found.shim.link if found.shim else ""
    lost = [one.name for one in found.containers if not set(one.addresses) & set(found.routed)]
    if found.objection:
        yield Finding("shim", OK, found.objection)
    elif found.containers and not link:
        yield Finding(
            "shim",
            WARNING,
            f"'{name}' has no shim, so this PC and its containers do not reach each other",
            "its pool may have no address to spare, or the service run with --no-shim; it says so:"
            " journalctl -u macvlan-ros",
        )
    elif lost:
        text = f"{link} has no route to {', '.join(lost)}"
        yield Finding("shim", BAD, text, "start the service again: systemctl restart macvlan-ros")
    elif found.containers:
        yield Finding("shim", OK, f"{link} reaches {len(found.containers)} containers of '{name}'")


def _judge(app: App, found: Reached) -> Finding:
    network = found.network
    cure = partial(_cure, app, found)
    if found.shim is None:
        text = (
            f"'{network.name}' has no shim, so this PC and its containers do not reach each other"
        )
        return Finding("shim", WARNING, text, _UP, cure)
    if not found.shim.up:
        return Finding("shim", BAD, f"the shim {found.shim.link} is down", _UP, cure)
    lost = [one.name for one in found.containers if not set(one.addresses) & set(found.routed)]
    if lost:
        text = f"{found.shim.link} has no route to {', '.join(lost)}"
        return Finding("shim", BAD, text, _UP, cure)
    text = f"{found.shim.link} reaches {len(found.containers)} containers of '{network.name}'"
    return Finding("shim", OK, text)


def _cure(app: App, found: Reached) -> str:
    done = app.reach.up(found.network)
    link = done.shim.link if done.shim else ""
    return f"made the shim {link} reach the containers of '{found.network.name}'"


def check_arp(app: App, parent: Link) -> Iterator[Finding]:
    """The settings by which parent and shim answer for their own addresses only, and by which
    nothing that comes in by the other one is dropped (the kernel's ip-sysctl)."""
    found = list(judge_arp(parent.name, _SETTINGS))
    for one in found:
        ours = _UP in one.remedy
        yield replace(one, cure=partial(_cure_arp, app, parent)) if ours else one
    if not found:
        yield Finding("arp", OK, f"{parent.name} answers for this PC alone")


def _cure_arp(app: App, parent: Link) -> str:
    names = [one.name for one in app.engine.networks() if one.parent == parent.name]
    if not names:
        raise NotFound(f"no network of ours is over {parent.name}, so its shim is not needed")
    app.reach.up(app.engine.network(names[0]))
    return f"set {parent.name} and its shim as they should be"


def judge_arp(parent: str, settings: Path) -> Iterator[Finding]:
    """What is wrong with the settings in that folder; nothing when nothing is."""
    if _value(settings, parent, "proxy_arp") or _value(settings, "all", "proxy_arp"):
        yield Finding(
            "arp",
            WARNING,
            f"{parent} answers ARP for others (proxy_arp), so every address looks taken",
            f"turn it off: sysctl net.ipv4.conf.{parent}.proxy_arp=0 net.ipv4.conf.all.proxy_arp=0",
        )
    shim = shim_name(parent)
    if not (settings / shim).exists():
        return
    if not _greater(settings, parent, "arp_ignore"):
        yield Finding(
            "arp",
            WARNING,
            f"{parent} has arp_ignore=0 beside its shim: others see two MACs for one address",
            f"set it again: {_UP}",
        )
    if _greater(settings, shim, "rp_filter") == _STRICT:
        yield Finding(
            "arp",
            BAD,
            f"rp_filter=1 on {shim} drops what containers send to this PC",
            f"set it again: {_UP}, or: sysctl net.ipv4.conf.{shim}.rp_filter=2",
        )


def _greater(settings: Path, name: str, key: str) -> int:
    """What counts: the greater of the interface's own setting and that of all."""
    return max(_value(settings, name, key), _value(settings, "all", key))


def _value(settings: Path, name: str, key: str) -> int:
    with suppress(OSError, ValueError):
        return int((settings / name / key).read_text())
    return 0
