"""`deploy` and its older spellings: resources, GPUs, restarts. What only a swarm does is noted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .context import Context
from .mounts import device_requests
from .nodes import Node, shorten, take
from .values import size, text_pairs

_SWARM_ONLY = ("endpoint_mode", "labels", "placement", "rollback_config", "update_config")
_POLICIES = ("no", "always", "on-failure", "unless-stopped")
_CONDITIONS = {"none": "no", "on-failure": "on-failure", "any": "always"}


def deploy(name: str, entries: Mapping[str, Node], context: Context) -> dict[str, Any]:
    """Fields of Service that `deploy`, `mem_limit`, `cpus`, `scale`, `restart` and `logging` give.

    Raises StackFileError where two of them contradict each other, and for more than one replica.
    """
    fields: dict[str, Any] = {}
    if "mem_limit" in entries:
        fields["memory"] = size(entries["mem_limit"])
    if "cpus" in entries:
        fields["cpus"] = _cores(entries["cpus"])
    if "scale" in entries:
        _one_only(entries["scale"])
    if "deploy" in entries:
        _merge_deploy(name, entries["deploy"], fields, context)
    if "restart" in entries:
        fields["restart"], fields["restart_retries"] = _restart(entries["restart"])
    if "logging" in entries:
        known = entries["logging"].known(("driver", "options"), " of logging")
        fields["log_driver"] = take(known, "driver", Node.string, None)
        fields["log_options"] = take(known, "options", text_pairs, {})
    return fields


def _merge_deploy(name: str, node: Node, fields: dict[str, Any], context: Context) -> None:
    entries = node.known(("mode", "replicas", "resources", "restart_policy", *_SWARM_ONLY))
    for key in _SWARM_ONLY:
        if key in entries:
            context.note(f"service {name!r}: deploy.{key} speaks to a swarm alone and is ignored")
    if "mode" in entries and entries["mode"].string() not in ("replicated", "global"):
        raise entries["mode"].error("must be 'replicated'; jobs are not supported")
    if "replicas" in entries:
        _one_only(entries["replicas"])
    if "restart_policy" in entries:
        fields["restart"], fields["restart_retries"] = _restart_policy(
            name, entries["restart_policy"], context
        )
    if "resources" not in entries:
        return
    resources = entries["resources"].known(("limits", "reservations"), " of resources")
    if "limits" in resources:
        limits = resources["limits"].known(("cpus", "memory"), " of limits that is supported")
        for key, field, reader in (("memory", "memory", size), ("cpus", "cpus", _cores)):
            if key in limits:
                value = reader(limits[key])
                if fields.setdefault(field, value) != value:
                    old = "mem_limit" if key == "memory" else "cpus"
                    raise limits[key].error(f"contradicts the service's '{old}'; remove one")
    if "reservations" in resources:
        known = resources["reservations"].known(
            ("cpus", "memory", "devices"), " of reservations that is supported"
        )
        for key in ("cpus", "memory"):
            if key in known:
                context.note(
                    f"service {name!r}: deploy.resources.reservations.{key} speaks to a swarm "
                    "alone and is ignored"
                )
        if "devices" in known:
            fields["device_requests"] = device_requests(known["devices"])


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
    if policy not in _POLICIES or (colon and (policy != "on-failure" or not retries.isdigit())):
        raise node.error(
            f"must be one of {', '.join(_POLICIES)} or on-failure:TIMES, is {shorten(node.text)}"
        )
    return policy, _times(node, retries)


def _times(node: Node, text: str) -> int:
    if len(text) > 9:
        raise node.error(f"is too large a number of restarts: {shorten(text)}")
    return int(text or 0)


def _restart_policy(name: str, node: Node, context: Context) -> tuple[str, int]:
    known = node.known(("condition", "delay", "max_attempts", "window"), " of restart_policy")
    for key in ("delay", "window"):
        if key in known:
            context.note(
                f"service {name!r}: deploy.restart_policy.{key} speaks to a swarm alone and is "
                "ignored"
            )
    condition = take(known, "condition", Node.string, "any")
    if condition not in _CONDITIONS:
        raise known["condition"].error(
            f"must be one of {', '.join(_CONDITIONS)}, is {shorten(condition)}"
        )
    policy = _CONDITIONS[condition]
    attempts = known["max_attempts"] if "max_attempts" in known else None
    return policy, _times(attempts, str(attempts.integer())) if attempts is not None else 0
