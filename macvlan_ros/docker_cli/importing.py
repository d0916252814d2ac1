"""Importing: a `docker run` line -> the stack file's service for the same container. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from netaddr import IPNetwork

from macvlan_ros.docker_cli import joined, long_forms
from macvlan_ros.docker_cli.keys import HEALTH, LISTS, NEEDLESS, ROS, SWITCHES, TEXTS
from macvlan_ros.docker_cli.parsing import Option, RunLine
from macvlan_ros.docker_cli.rewriting import joining
from macvlan_ros.errors import InvalidRequest
from macvlan_ros.lan_names import host_names
from macvlan_ros.notation import parse_address

_CONTAINER = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", re.ASCII)


@dataclass(slots=True)
class Imported:
    """A service as its plain value for a stack file, with the networks and the volumes that it
    needs of the stack's, and notes about what has no place there. `folder` is where paths of the
    line begin, "" when that is the stack file's own folder."""

    name: str
    service: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    networks: dict[str, dict[str, Any]] = field(default_factory=dict)
    volumes: dict[str, dict[str, Any]] = field(default_factory=dict)
    folder: str = ""

    @property
    def sections(self) -> dict[str, dict[str, dict[str, Any]]]:
        """What the stack needs beside the service, by its section."""
        both = {"networks": self.networks, "volumes": self.volumes}
        return {section: entries for section, entries in both.items() if entries}

    def add(self, key: str, value: object) -> None:
        """One more entry of a list of the service."""
        self.service.setdefault(key, []).append(value)

    def path(self, text: str) -> str:
        """A path as the stack file says it."""
        if not self.folder or text.startswith(("/", "~")):
            return text
        return posixpath.normpath(posixpath.join(self.folder, text))


def imported(
    line: RunLine,
    *,
    host: str = "",
    drivers: Mapping[str, str] | None = None,
    lan: Collection[IPNetwork] = (),
    folder: str = "",
    names: Mapping[str, str] | None = None,
) -> Imported:
    """The service that a line is; `host` is the PC that it belongs to, `drivers` are those of the
    networks that it names and `lan` the LAN's subnets, as far as they are known; `folder` as in
    Imported; `names` are those that a container has by the host's network. Raises InvalidRequest.
    """
    name = line.value("name") or _name(line.image)
    if not _CONTAINER.fullmatch(name):
        raise InvalidRequest(
            f"Docker takes no container's name such as '{name}': it has 2 letters, digits, '_', '.'"
            " or '-' at least, the first a letter or digit; give it another --name"
        )
    found = Imported(name, {"container_name": name, "image": line.image}, folder=folder)
    if line.command:
        found.service["command"] = list(line.command)
    _options(line, found)
    _environment(line, found)
    networks = joined.networks(line, drivers or {})
    found.notes += networks.notes
    found.networks = {name: {"external": True} for name in networks.beside}
    if networks.aliases or networks.beside:
        own = {"aliases": list(networks.aliases)} if networks.aliases else {}
        found.service["networks"] = {"default": own, **networks.beside}
    if joining(line).name not in networks.beside:
        _place(line, found, lan)
    if joining(line).name == "host":
        _names(line, found, names or {})
    if line.has("no-healthcheck"):
        found.service["healthcheck"] = {"disable": True}
    if host:
        found.service.setdefault("x-macvlan-ros", {})["host"] = host
    return found


def _options(line: RunLine, found: Imported) -> None:
    left: dict[str, list[str]] = {}
    for one in line.options:
        why = _take(one, found)
        if why:
            left.setdefault(why, []).append(" ".join(one.words))
    for why, texts in left.items():
        found.notes.append(f"{' '.join(texts)} {'are' if texts[1:] else 'is'} left out: {why}")


def _name(image: str) -> str:
    base = image.rpartition("/")[2].partition("@")[0].partition(":")[0]
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", base).strip("-._")
    return name if len(name) > 1 else f"service-{name}".rstrip("-")


def _take(one: Option, found: Imported) -> str:
    """Put an option in its place; returns why it has none, "" when nothing need be said."""
    service, value = found.service, one.value or ""
    if one.name in TEXTS:
        service[TEXTS[one.name]] = value
    elif one.name in SWITCHES:
        service[SWITCHES[one.name]] = one.on
    elif one.name in LISTS:
        found.add(LISTS[one.name], value)
    elif one.name in HEALTH:
        text = int(value) if one.name == "health-retries" and value.isdigit() else value
        service.setdefault("healthcheck", {})[HEALTH[one.name]] = text
    elif one.name in _OTHERS:
        _OTHERS[one.name](value, found)
    elif one.name not in ("network", "ip", "mac-address", "network-alias", "no-healthcheck"):
        return NEEDLESS.get(one.name, "a stack file has no such key here")
    return ""


def _entrypoint(value: str, found: Imported) -> None:
    # one word to docker run, whatever is in it; of a text Compose would make words
    found.service["entrypoint"] = [value] if value else []


def _cpus(value: str, found: Imported) -> None:
    found.service["cpus"] = float(value) if re.fullmatch(r"\d+(\.\d+)?", value) else value


def _stop_timeout(value: str, found: Imported) -> None:
    found.service["stop_grace_period"] = f"{value}s"


def _ulimit(value: str, found: Imported) -> None:
    name, _, limits = value.partition("=")
    soft, _, hard = limits.partition(":")
    both = [int(text) if re.fullmatch(r"-?\d+", text) else text for text in (soft, hard or soft)]
    found.service.setdefault("ulimits", {})[name] = {"soft": both[0], "hard": both[1]}


def _log_driver(value: str, found: Imported) -> None:
    found.service.setdefault("logging", {})["driver"] = value


def _log_option(value: str, found: Imported) -> None:
    name, _, text = value.partition("=")
    found.service.setdefault("logging", {}).setdefault("options", {})[name] = text


def _env_file(value: str, found: Imported) -> None:
    found.add("env_file", found.path(value))


def _security(value: str, found: Imported) -> None:
    name, sign, text = value.partition("=")
    profile = name == "seccomp" and text not in ("unconfined", "builtin", "default")
    found.add("security_opt", f"{name}{sign}{found.path(text)}" if profile else value)


def _gpus(value: str, found: Imported) -> None:
    devices = [long_forms.gpus(value)]
    found.service["deploy"] = {"resources": {"reservations": {"devices": devices}}}


def _volume(value: str, found: Imported) -> None:
    source, colon, rest = value.partition(":")
    if colon and source.startswith("."):
        value = f"{found.path(source)}:{rest}"
    elif colon and source[:1] not in ("", "/", "~"):
        _declare(source, found)
    found.add("volumes", value)


def _mount(value: str, found: Imported) -> None:
    mount, left = long_forms.mount(value)
    if left:
        what = f"{', '.join(left)} of " if mount else ""
        found.notes.append(f"{what}--mount {value} is left out: a stack file has no such key here")
    if not mount:
        return
    source = mount.get("source", "")
    if mount["type"] == "bind" and source:
        mount["source"] = found.path(source)
    elif mount["type"] == "volume" and source:
        _declare(source, found)
    found.add("volumes", mount)


def _declare(volume: str, found: Imported) -> None:
    """A volume of the stack under the name that it has without one."""
    found.volumes[volume] = {"name": volume}


_OTHERS = {
    "cpus": _cpus,
    "entrypoint": _entrypoint,
    "env-file": _env_file,
    "stop-timeout": _stop_timeout,
    "ulimit": _ulimit,
    "log-driver": _log_driver,
    "log-opt": _log_option,
    "gpus": _gpus,
    "mount": _mount,
    "security-opt": _security,
    "volume": _volume,
}


def _environment(line: RunLine, found: Imported) -> None:
    kept: dict[str, str | None] = {}
    for text in line.values("env"):
        name, sign, value = text.partition("=")
        if name in ROS:
            found.notes.append(f"{text} is left out: {ROS[name]}")
        elif name == "ROS_MASTER_URI" and sign and not value:
            found.notes.append(f"{text} is left out: it is empty; name x-macvlan-ros.master")
        else:
            kept[name] = value if sign else None
    if kept:
        found.service["environment"] = kept


def _names(line: RunLine, found: Imported, names: Mapping[str, str]) -> None:
    """Names that the line speaks of, and that only the PC's own hosts file knows."""
    values = [one.value or "" for one in line.options]
    said = {re.split("[:=]", text)[0] for text in line.values("add-host")}
    spoken = host_names.spoken_of(names, [*values, *line.command])
    for name, address in host_names.without(spoken, {*said, found.name}).items():
        found.add("extra_hosts", f"{name}:{address}")


def _place(line: RunLine, found: Imported, lan: Collection[IPNetwork]) -> None:
    """The address and the MAC that the line asks for on the LAN."""
    said = joining(line)
    if said.mac:
        found.service["mac_address"] = said.mac
    if not said.address:
        return
    if any(parse_address(said.address, said="--ip") in subnet for subnet in lan):
        found.service["x-macvlan-ros"] = {"address": said.address}
        return
    why = "it is not on the LAN" if lan else "if it is on the LAN, write"
    hint = "" if lan else f" x-macvlan-ros: {{address: {said.address}}}"
    found.notes.append(f"--ip {said.address} is left out: {why}{hint}")
