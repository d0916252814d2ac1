"""`deploy` and its older spellings: resources, GPUs, restarts. What only a swarm does is noted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from macvlan_ros.models.containers import DeviceRequest
from macvlan_ros.stack.context import Context
from macvlan_ros.stack.host_config import host_config
from macvlan_ros.stack.mounts import device_requests
from macvlan_ros.stack.nodes import Node, shorten, take
from macvlan_ros.stack.values import size, text_pairs

_SWARM_ONLY = ("endpoint_mode", "labels", "placement", "rollback_config", "update_config")
_POLICIES = ("no", "always", "on-failure", "unless-stopped")
_CONDITIONS = {"none": "no", "on-failure": "on-failure", "any": "always"}


def deploy(name: str, entries: Mapping[str, Node], context: Context) -> dict[str, Any]:
    """Fields of Service that `deploy`, limits, `scale`, `restart` and `logging` give.

    Raises StackFileError where two of them contradict each other, and for more than one replica.
    """
    fields: dict[str, Any] = {
        "memory": take(entries, "mem_limit", size, None),
        "cpus": take(entries, "cpus", _cores, None),
        "host_config": host_config(entries),
    }
    take(entries, "scale", _one_only, None)
    if "deploy" in entries:
        fields.update(_deploy(name, entries["deploy"], fields, context))
    if "restart" in entries:
        fields["restart"], fields["restart_retries"] = _restart(entries["restart"])
    logging = take(entries, "logging", _logging, {})
    fields["log_driver"] = take(logging, "driver", Node.string, None)
    fields["log_options"] = take(logging, "options", text_pairs, {})
    return fields


def _logging(node: Node) -> dict[str, Node]:
    return node.known(("driver", "options"), " of logging")


def _deploy(name: str, node: Node, given: Mapping[str, Any], context: Context) -> dict[str, Any]:
    keys = ("mode", "replicas", "resources", "restart_policy", *_SWARM_ONLY)
    entries = node.known(keys, " of deploy")
    _note_swarm(name, "deploy", entries, _SWARM_ONLY, context)
    if take(entries, "mode", Node.string, "replicated") not in ("replicated", "global"):
        raise entries["mode"].error("must be 'replicated'; jobs are not supported")
    take(entries, "replicas", _one_only, None)
    fields: dict[str, Any] = {}
    if "restart_policy" in entries:
        policy = entries["restart_policy"]
        fields["restart"], fields["restart_retries"] = _restart_policy(name, policy, context)
    if "resources" in entries:
        known = entries["resources"].known(("limits", "reservations"), " of resources")
        limits = take(known, "limits", _limits, {})
        reserve = partial(_reservations, name, context)
        fields["device_requests"], kept = take(known, "reservations", reserve, ((), {}))
        fields["host_config"] = _together({**limits, **kept}, given, fields)
    return fields


def _together(
    resources: Mapping[str, tuple[Node, str, Any]],
    given: Mapping[str, Any],
    fields: dict[str, Any],
) -> dict[str, Any]:
    """Docker's settings, with what is said in both places said once. Raises StackFileError."""
    settings = dict(given["host_config"])
    for key, (node, old, value) in resources.items():
        own = key in ("memory", "cpus")
        before = given[key] if own else settings.get(key)
        if before not in (None, value):
            raise node.error(f"contradicts the service's {old!r}; remove one of the two")
        (fields if own else settings)[key] = value
    return settings


def _limits(node: Node) -> dict[str, tuple[Node, str, Any]]:
    """What Docker or Service calls each, with its node, its older key and its value."""
    limits = node.known(("cpus", "memory", "pids"), " of limits")
    names = (
        ("memory", "memory", "mem_limit", size),
        ("cpus", "cpus", "cpus", _cores),
        ("pids", "PidsLimit", "pids_limit", Node.integer),
    )
    return {
        name: (limits[key], old, read(limits[key]))
        for key, name, old, read in names
        if key in limits
    }


def _reservations(
    name: str, context: Context, node: Node
) -> tuple[tuple[DeviceRequest, ...], dict[str, tuple[Node, str, Any]]]:
    swarm = ("cpus", "generic_resources")
    known = node.known(("devices", "memory", *swarm), " of reservations")
    _note_swarm(name, "deploy.resources.reservations", known, swarm, context)
    kept = {}
    if "memory" in known:
        memory = known["memory"]
        kept["MemoryReservation"] = (memory, "mem_reservation", size(memory))
    return take(known, "devices", device_requests, ()), kept


def _note_swarm(
    name: str, where: str, entries: Mapping[str, Node], keys: Iterable[str], context: Context
) -> None:
    for key in keys:
        if key in entries:
            context.note(f"service {name!r}: {where}.{key} speaks to a swarm alone and is ignored")


def _cores(node: Node) -> float:
    cores = node.number()
    if cores < 0:
        raise node.error(f"must not be negative, is {node.text}")
    return cores


def _one_only(node: Node) -> None:
    if node.integer() != 1:
        raise node.error(
            f"is {node.text}, but a service here is one container with one address; "
            "write a service for each"
        )


def _restart(node: Node) -> tuple[str, int]:
    if node.value is False:
        return "no", 0
    policy, colon, retries = node.string().partition(":")
    if policy not in _POLICIES or (colon and (policy != "on-failure" or not retries.isdecimal())):
        raise node.error(
            f"must be one of {', '.join(_POLICIES)} or on-failure:TIMES, is {shorten(node.text)}"
        )
    return policy, _times(node, retries)


def _times(node: Node, text: str) -> int:
    if len(text) > 9 or text.startswith("-"):
        raise node.error(f"is no number of restarts: {shorten(text)}")
    return int(text or 0)


def _restart_policy(name: str, node: Node, context: Context) -> tuple[str, int]:
    known = node.known(("condition", "delay", "max_attempts", "window"), " of restart_policy")
    _note_swarm(name, "deploy.restart_policy", known, ("delay", "window"), context)
    condition = take(known, "condition", Node.string, "any")
    if condition not in _CONDITIONS:
        raise known["condition"].error(
            f"must be one of {', '.join(_CONDITIONS)}, is {shorten(condition)}"
        )
    policy = _CONDITIONS[condition]
    return policy, take(known, "max_attempts", lambda node: _times(node, str(node.integer())), 0)
