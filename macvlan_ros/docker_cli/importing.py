"""Importing: a `docker run` line -> the stack file's service for the same container. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from macvlan_ros.docker_cli.parsing import Option, RunLine, option
from macvlan_ros.docker_cli.rewriting import Joining, joining
from macvlan_ros.docker_values import BUILT_IN, LAN_DRIVERS

_TEXTS = {
    "hostname": "hostname",
    "domainname": "domainname",
    "entrypoint": "entrypoint",
    "user": "user",
    "workdir": "working_dir",
    "ipc": "ipc",
    "pid": "pid",
    "platform": "platform",
    "restart": "restart",
    "runtime": "runtime",
    "shm-size": "shm_size",
    "stop-signal": "stop_signal",
    "memory": "mem_limit",
    "pull": "pull_policy",
    "mac-address": "mac_address",
    "cgroup-parent": "cgroup_parent",
    "cgroupns": "cgroup",
    "cpu-period": "cpu_period",
    "cpu-quota": "cpu_quota",
    "cpu-rt-period": "cpu_rt_period",
    "cpu-rt-runtime": "cpu_rt_runtime",
    "cpu-shares": "cpu_shares",
    "cpuset-cpus": "cpuset",
    "memory-reservation": "mem_reservation",
    "memory-swap": "memswap_limit",
    "memory-swappiness": "mem_swappiness",
    "oom-score-adj": "oom_score_adj",
    "pids-limit": "pids_limit",
    "userns": "userns_mode",
    "uts": "uts",
}
_SWITCHES = {
    "init": "init",
    "interactive": "stdin_open",
    "tty": "tty",
    "privileged": "privileged",
    "read-only": "read_only",
    "oom-kill-disable": "oom_kill_disable",
}
_LISTS = {
    "add-host": "extra_hosts",
    "cap-add": "cap_add",
    "cap-drop": "cap_drop",
    "device": "devices",
    "device-cgroup-rule": "device_cgroup_rules",
    "dns": "dns",
    "dns-option": "dns_opt",
    "dns-search": "dns_search",
    "env-file": "env_file",
    "group-add": "group_add",
    "label": "labels",
    "security-opt": "security_opt",
    "sysctl": "sysctls",
    "tmpfs": "tmpfs",
    "volume": "volumes",
}
_HEALTH = {
    "health-cmd": "test",
    "health-interval": "interval",
    "health-timeout": "timeout",
    "health-retries": "retries",
    "health-start-period": "start_period",
}
#: Those that a stack has no need of, and why; "" where that needs no word.
_NEEDLESS = {
    "name": "",
    "detach": "",
    "attach": "",
    "sig-proxy": "",
    "detach-keys": "",
    "quiet": "",
    "env": "",
    "rm": "launch keeps containers, and down removes them",
    "cidfile": "the container has a name",
    "publish": "every port is open on the container's own address",
    "publish-all": "every port is open on the container's own address",
    "expose": "every port is open on the container's own address",
    "ip6": "the network has IPv4 alone",
}
#: What the LAN's address makes out of date.
_ROS = {
    "ROS_IP": "launch sets it to the container's address",
    "ROS_HOSTNAME": "it would beat ROS_IP",
}


@dataclass(slots=True)
class Imported:
    """A service as its plain value for a stack file, with the networks that it needs of the
    stack's, and notes about what has no place there."""

    name: str
    service: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    networks: dict[str, dict[str, Any]] = field(default_factory=dict)


def imported(
    line: RunLine, *, host: str = "", drivers: Mapping[str, str] | None = None
) -> Imported:
    """The service that a line is; `host` is the PC that it belongs to, `drivers` are those of the
    networks that it names, as far as they are known. Raises InvalidRequest."""
    name = line.value("name") or _name(line.image)
    found = Imported(name, {"container_name": name, "image": line.image})
    if line.command:
        found.service["command"] = list(line.command)
    for one in line.options:
        _take(one, found)
    _environment(line, found)
    _network(line, found, drivers or {})
    if line.has("no-healthcheck"):
        found.service["healthcheck"] = {"disable": True}
    if host:
        found.service["x-macvlan-ros"] = {"host": host}
    return found


def _name(image: str) -> str:
    base = image.rpartition("/")[2].partition("@")[0].partition(":")[0]
    return re.sub(r"[^A-Za-z0-9_.-]", "-", base).strip("-.") or "service"


def _take(one: Option, found: Imported) -> None:
    service, value = found.service, one.value or ""
    if one.name in _TEXTS:
        service[_TEXTS[one.name]] = value
    elif one.name in _SWITCHES:
        service[_SWITCHES[one.name]] = one.on
    elif one.name in _LISTS:
        service.setdefault(_LISTS[one.name], []).append(value)
    elif one.name in _HEALTH:
        text = int(value) if one.name == "health-retries" and value.isdigit() else value
        service.setdefault("healthcheck", {})[_HEALTH[one.name]] = text
    elif one.name in _OTHERS:
        _OTHERS[one.name](value, service)
    elif one.name not in ("network", "ip", "network-alias", "no-healthcheck"):
        why = _NEEDLESS.get(one.name, "a stack file has no such key here")
        if why:
            found.notes.append(f"{' '.join(one.words)} is left out: {why}")


def _cpus(value: str, service: dict[str, Any]) -> None:
    service["cpus"] = float(value) if re.fullmatch(r"\d+(\.\d+)?", value) else value


def _stop_timeout(value: str, service: dict[str, Any]) -> None:
    service["stop_grace_period"] = f"{value}s"


def _ulimit(value: str, service: dict[str, Any]) -> None:
    name, _, limits = value.partition("=")
    soft, _, hard = limits.partition(":")
    both = [int(text) if re.fullmatch(r"-?\d+", text) else text for text in (soft, hard or soft)]
    service.setdefault("ulimits", {})[name] = {"soft": both[0], "hard": both[1]}


def _log_driver(value: str, service: dict[str, Any]) -> None:
    service.setdefault("logging", {})["driver"] = value


def _log_option(value: str, service: dict[str, Any]) -> None:
    name, _, text = value.partition("=")
    service.setdefault("logging", {}).setdefault("options", {})[name] = text


def _gpus(value: str, service: dict[str, Any]) -> None:
    request: dict[str, Any] = {"driver": "nvidia", "capabilities": ["gpu"]}
    value = value.strip('"')
    if value.startswith("device="):
        request["device_ids"] = value.removeprefix("device=").split(",")
    else:
        request["count"] = int(value) if value.isdigit() else value
    service["deploy"] = {"resources": {"reservations": {"devices": [request]}}}


def _mount(value: str, service: dict[str, Any]) -> None:
    said = dict((*part.partition("=")[::2],) for part in value.split(","))
    mount: dict[str, Any] = {"type": said.get("type", "volume")}
    for keys, name in ((("source", "src"), "source"), (("target", "destination", "dst"), "target")):
        text = next((said[key] for key in keys if key in said), "")
        if text:
            mount[name] = text
    if any(said.get(key, "no") in ("", "1", "true") for key in ("readonly", "ro")):
        mount["read_only"] = True
    service.setdefault("volumes", []).append(mount)


_OTHERS: dict[str, Callable[[str, dict[str, Any]], None]] = {
    "cpus": _cpus,
    "stop-timeout": _stop_timeout,
    "ulimit": _ulimit,
    "log-driver": _log_driver,
    "log-opt": _log_option,
    "gpus": _gpus,
    "mount": _mount,
}


def _environment(line: RunLine, found: Imported) -> None:
    kept: dict[str, str | None] = {}
    for text in line.values("env"):
        name, sign, value = text.partition("=")
        if name in _ROS:
            found.notes.append(f"{text} is left out: {_ROS[name]}")
        elif name == "ROS_MASTER_URI" and sign and not value:
            found.notes.append(f"{text} is left out: it is empty; name x-macvlan-ros.master")
        else:
            kept[name] = value if sign else None
    if kept:
        found.service["environment"] = kept


def _network(line: RunLine, found: Imported, drivers: Mapping[str, str]) -> None:
    """The LAN's network is the stack's own; those that stay beside it are there already."""
    aliases = list(line.values("network-alias"))
    beside: dict[str, dict[str, Any]] = {}
    for number, text in enumerate(line.values("network")):
        said = joining(replace(line, options=(option("network", text),)))
        if is_beside(said.name, drivers.get(said.name, ""), first=not number):
            beside[said.name] = _use(said)
            continue
        aliases += said.aliases
        if said.name in BUILT_IN and number:
            found.notes.append(f"--network {text} is left out: it cannot stand beside others")
        elif said.name and said.name != "host":
            found.notes.append(f"--network {text} is left out: the stack's own takes its place")
    main = joining(line)
    if main.address and main.name not in beside:
        found.notes.append(
            f"--ip {main.address} is left out; if it is on the LAN, write x-macvlan-ros:"
            f" {{address: {main.address}}}"
        )
    if aliases or beside:
        own = {"aliases": list(_once(aliases))} if aliases else {}
        found.service["networks"] = {"default": own, **beside}
    found.networks = {name: {"external": True} for name in beside}


def is_beside(name: str, driver: str, *, first: bool) -> bool:
    """Whether a network that a line names stays beside the LAN's. Of one whose driver nobody knows
    (""), the first is taken for the LAN's."""
    if name in BUILT_IN:
        return False
    return driver not in ("overlay", *LAN_DRIVERS) if driver else bool(name) and not first


def _use(said: Joining) -> dict[str, Any]:
    """What a service says of a network beside the LAN's."""
    use: dict[str, Any] = {}
    if said.aliases:
        use["aliases"] = list(said.aliases)
    if said.address:
        use["ipv4_address"] = said.address
    return use


def _once(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))
