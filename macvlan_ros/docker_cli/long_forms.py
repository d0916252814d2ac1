"""--mount and --gpus: comma-separated fields, as the docker command takes them -> what a stack file
says in their place. Pure.

Sources: docker/cli, opts/mount.go and opts/gpus.go; both read one line of CSV (RFC 4180).
"""

from __future__ import annotations

import csv
from typing import Any

from macvlan_ros.errors import InvalidRequest

_TRUE = ("", "1", "true")
_SAME = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly"}
_KINDS = ("bind", "volume", "tmpfs")


def mount(text: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A mount for a service's `volumes`, and the fields that have no place there; all of them, and
    no mount, where the type has none. Raises InvalidRequest for what cannot be read."""
    said = dict(field.partition("=")[::2] for field in _fields(text, "--mount"))
    said = {_SAME.get(key.lower(), key.lower()): value for key, value in said.items()}
    kind = said.pop("type", "volume")
    if kind not in _KINDS:
        return {}, (text,)
    found: dict[str, Any] = {"type": kind}
    for key in ("source", "target"):
        if said.get(key):
            found[key] = said.pop(key)
    if _is_true(said.pop("readonly", "false")):
        found["read_only"] = True
    if "consistency" in said:
        found["consistency"] = said.pop("consistency")
    options = _of_kind(kind, said)
    if options:
        found[kind] = options
    return found, tuple(f"{key}={value}" if value else key for key, value in said.items())


def _of_kind(kind: str, said: dict[str, str]) -> dict[str, Any]:
    """The fields of one type alone, taken out of `said`."""
    if kind == "bind":
        # with --mount a folder that is not there is an error, other than with -v
        options: dict[str, Any] = {"create_host_path": False}
        if "bind-propagation" in said:
            options["propagation"] = said.pop("bind-propagation")
        return options
    if kind == "volume":
        return {"nocopy": True} if _is_true(said.pop("volume-nocopy", "false")) else {}
    options = {"size": said.pop("tmpfs-size")} if "tmpfs-size" in said else {}
    mode = said.get("tmpfs-mode", "")
    if mode and set(mode) <= set("01234567"):
        options["mode"] = int(said.pop("tmpfs-mode"), 8)
    return options


def gpus(text: str) -> dict[str, Any]:
    """A request for devices, as `deploy` has it. Raises InvalidRequest for what cannot be read."""
    request: dict[str, Any] = {"capabilities": ["gpu"]}
    for field in _fields(text, "--gpus"):
        key, sign, value = field.partition("=")
        if not sign:
            key, value = "count", key
        if key == "count":
            request["count"] = int(value) if value.isdecimal() else value.replace("-1", "all")
        elif key == "device":
            request["device_ids"] = value.split(",")
        elif key == "driver":
            request["driver"] = value
        elif key == "capabilities":
            request["capabilities"] = list(dict.fromkeys([*value.split(","), "gpu"]))
        elif key == "options":
            pairs = (pair.partition("=") for pair in value.split(","))
            request["options"] = {name: option for name, _, option in pairs}
        else:
            raise InvalidRequest(f"--gpus {text} cannot be read: it has no field {key!r}")
    if "device_ids" not in request:
        # where a stack file says nothing of it, it means all
        request.setdefault("count", 1)
    return request


def _fields(text: str, flag: str) -> list[str]:
    try:
        found = next(csv.reader([text], strict=True), [])
    except csv.Error as error:
        raise InvalidRequest(f"{flag} {text} cannot be read: {error}") from None
    if not found:
        raise InvalidRequest(f"{flag} has no value; is a variable not set?")
    return found


def _is_true(text: str) -> bool:
    return text.lower() in _TRUE
