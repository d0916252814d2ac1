"""The override: what a stack's own files do not say of addresses, in Compose's language. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from macvlan_ros.compose.elder import in_old_words
from macvlan_ros.docker_api import labels
from macvlan_ros.docker_api.labels import LABEL_MANAGED, MANAGED
from macvlan_ros.launching.plan import Planned
from macvlan_ros.models.containers import Attachment
from macvlan_ros.models.stacks import Stack
from macvlan_ros.stack.building import is_url
from macvlan_ros.stack.nodes import Node, take
from macvlan_ros.stack.writing import RESET, Override

#: The network's name within the files; no file has one of its own called so.
_KEY = "macvlan-ros"
#: The default route goes by way of the network with the highest.
_FIRST = 1000
#: A profile that nobody activates: what is in no active one is neither built nor pulled.
_ELSEWHERE = Override(("macvlan-ros-elsewhere",))
_STARTED = {"condition": "service_started"}
_VARIABLES = ("ROS_IP", "ROS_HOSTNAME", "ROS_IPV6", "ROS_MASTER_URI")


def override(
    stack: Stack,
    planned: Iterable[Planned],
    *,
    elsewhere: Iterable[str],
    scaled: Collection[str] = (),
    tree: Node,
    endpoint_macs: bool,
) -> dict[str, Any]:
    """What is laid over the stack's files: the planned services on the network, those that run
    `elsewhere` not started. What has to go is RESET. `scaled` are to be several containers, and
    cannot all have one name. `tree` is the stack as `resolve` gives it;
    `endpoint_macs` says that a MAC belongs to a network, and one of the service is not heeded."""
    nodes = tree.mapping()["services"].mapping()
    bridges = _names(tree, stack)
    services: dict[str, Any] = {}
    for one in planned:
        name, place = one.service.name, one.attachment
        services[name] = _known(stack, one)
        if name in scaled:
            del services[name]["container_name"]
        # off the LAN it is on what its own file says
        if place is not None:
            services[name] |= _placed(one, place, nodes[name], bridges)
        if place is not None and endpoint_macs:
            services[name]["networks"][_KEY]["mac_address"] = place.mac
    absent = {"scale": 0, "profiles": _ELSEWHERE}
    elsewhere = list(elsewhere)
    for name in elsewhere:
        if stack.services[name].off_lan:
            services[name] = dict(absent)
            continue
        kept = {bridge.name for bridge in stack.services[name].bridges}
        services[name] = absent | _off_the_files(nodes[name], kept, bridges)
        services[name]["networks"][_KEY] = None
    for service in stack.services.values():
        needless = [one.service for one in service.depends_on if one.service in elsewhere]
        if needless:
            optional = {**_STARTED, "required": False}
            services.setdefault(service.name, {})["depends_on"] = dict.fromkeys(needless, optional)
    return {
        "services": services,
        "networks": {_KEY: {"name": stack.network, "external": True}},
    }


def _off_the_files(node: Node, kept: Collection[str], names: Mapping[str, str]) -> dict[str, Any]:
    """What a service's own networks must make room with."""
    entries = node.mapping()
    networks: dict[str, Any] = {
        key: RESET
        for key in take(entries, "networks", Node.named, {})
        if names.get(key, key) not in kept
    }
    mode = entries.get("network_mode")
    return {"networks": networks} | ({"network_mode": RESET} if mode and not mode.absent else {})


def _names(tree: Node, stack: Stack) -> dict[str, str]:
    """What Docker calls each of the file's networks."""
    found = {}
    for key, node in take(tree.mapping(), "networks", Node.mapping, {}).items():
        entries = node.mapping()
        external = "external" in entries and entries["external"].value not in (False, None)
        default = key if external else f"{stack.name}_{key}"
        found[key] = entries["name"].string() if "name" in entries else default
    return found


def _known(stack: Stack, planned: Planned) -> dict[str, Any]:
    """By what all commands know the container."""
    own = {
        key: value
        for key, value in labels.of_container(stack, planned).items()
        if not key.startswith("com.docker.compose.")
    }
    return {
        "container_name": planned.service.container_name,
        "labels": {**own, LABEL_MANAGED: MANAGED},
    }


def _placed(
    planned: Planned, place: Attachment, node: Node, names: Mapping[str, str]
) -> dict[str, Any]:
    service = planned.service
    room = _off_the_files(node, {bridge.name for bridge in service.bridges}, names)
    networks: dict[str, Any] = room.pop("networks")
    networks[_KEY] = {"ipv4_address": str(place.address), "priority": _FIRST}
    aliases = [name for name in (service.compose_name, *service.aliases) if name]
    if aliases:
        networks[_KEY]["aliases"] = aliases
    result: dict[str, Any] = {
        "networks": networks,
        "mac_address": place.mac,
        "environment": _environment(planned),
    }
    if planned.hosts:
        result["extra_hosts"] = [f"{name}:{address}" for name, address in planned.hosts]
    return result | room


def _environment(planned: Planned) -> dict[str, str | None]:
    """The ROS variables; one without a value takes the file's and the image's away."""
    before = planned.service.environment
    found = {name: planned.environment[name] for name in _VARIABLES if name in planned.environment}
    return found | {name: None for name in _VARIABLES if name in before and name not in found}


def unset(document: Mapping[str, Any]) -> frozenset[str]:
    """Variables that Compose must not find in its environment: they are to have no value."""
    return frozenset(
        name
        for service in document["services"].values()
        for name, value in service.get("environment", {}).items()
        if value is None
    )


def whole(document: Mapping[str, Any], tree: Node, stack: Stack) -> dict[str, Any]:
    """The stack's files and the override as one document, for a Compose that has no `!reset`, in
    its own words."""
    base = _anchored(tree)
    assert isinstance(base, dict)
    result = {key: value for key, value in base.items() if key not in ("name", "version")}
    result = {key: value for key, value in result.items() if key[:2] != "x-"}
    result["networks"] = {**(result.get("networks") or {}), **document["networks"]}
    nodes = tree.mapping()["services"].mapping()
    result["services"] = {
        name: _laid_over(
            in_old_words(service, stack.services[name].environment),
            document["services"].get(name, {}),
            nodes[name],
        )
        for name, service in base["services"].items()
    }
    used = {key for one in result["services"].values() for key in one.get("networks") or {}}
    networks = result["networks"].items()
    result["networks"] = {key: value for key, value in networks if key in used or key == "default"}
    return result


def _laid_over(service: Mapping[str, Any], over: Mapping[str, Any], node: Node) -> dict[str, Any]:
    entries = node.mapping()
    result = {key: value for key, value in service.items() if key[:2] != "x-"}
    for key in ("environment", "labels"):
        if key in over:
            said = {k: v.value for k, v in take(entries, key, Node.pairs, {}).items()}
            given = result.get(key)
            result[key] = {**(given if isinstance(given, dict) else said), **over[key]}
    if "extra_hosts" in over:
        hosts = entries["extra_hosts"].pairs("=:") if "extra_hosts" in entries else {}
        own = [f"{name}:{value.rendered()}" for name, value in hosts.items()]
        result["extra_hosts"] = [*own, *over["extra_hosts"]]
    if "depends_on" in over and "depends_on" in entries:
        others = entries["depends_on"].named().keys() - over["depends_on"].keys()
        said = result.pop("depends_on")
        if others:
            kept = said if isinstance(said, dict) else dict.fromkeys(said, _STARTED)
            result["depends_on"] = {key: kept[key] for key in kept if key in others}
    if "networks" in over:
        given = result.get("networks") or {}
        given = dict.fromkeys(given) if isinstance(given, list) else given
        result["networks"] = {**given, **over["networks"]}
    for key, value in over.items():
        if key not in ("environment", "labels", "extra_hosts", "networks", "depends_on"):
            result[key] = list(value.items) if isinstance(value, Override) else value
    done: dict[str, Any] = _without_resets(result)
    return _elsewhere(done) if over.get("profiles") is _ELSEWHERE else done


def _elsewhere(service: dict[str, Any]) -> dict[str, Any]:
    """Without folders and files, which the old one wants to see, also of what it does not start."""
    kept = {key: value for key, value in service.items() if key not in ("build", "env_file")}
    return {"image": "built-elsewhere", **kept}


def _without_resets(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_resets(item) for k, item in value.items() if item is not RESET}
    return value


def _anchored(node: Node) -> Any:
    """The plain value, with relative paths from another folder than the project's made absolute."""
    if isinstance(node.value, dict):
        return {key: _anchored(item) for key, item in node.value.items()}
    if isinstance(node.value, list):
        return [_anchored(item) for item in node.value]
    text = node.value
    if not node.base or not isinstance(text, str) or text.startswith(("/", "~")):
        return text
    before, path, after = _around_path(node, text)
    return before + posixpath.normpath(posixpath.join(node.base, path)) + after if path else text


def _around_path(node: Node, text: str) -> tuple[str, str, str]:
    """A text, cut before and behind the relative path in it; all of it before, when it has none."""
    kind, *key = node.path[::2] if node.path[:1] != ("services",) else ("services", *node.path[2:])
    whole, none = ("", text, ""), (text, "", "")
    if kind in ("secrets", "configs"):
        return whole if key == ["file"] else none
    if kind != "services":
        return none
    if key[:1] == ["volumes"]:
        source, colon, rest = text.partition(":")
        return ("", source, colon + rest) if text[0] == "." and key[-1] != "target" else none
    if key[:1] == ["security_opt"]:
        path = text[len("seccomp:") :]
        return ("seccomp:", path, "") if text.startswith(("seccomp:.", "seccomp=.")) else none
    if key in (["build"], ["build", "context"]):
        return none if is_url(text) else whole
    return whole if key[:1] == ["env_file"] and key[-1] != "format" else none
