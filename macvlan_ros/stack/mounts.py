"""Mounts and devices: volumes in their short and long form, tmpfs, devices, GPUs.

Sources: the Compose Specification, "services"; compose-go's `format.ParseVolume`.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

from macvlan_ros.models.containers import Device, DeviceRequest, Mount, Volume
from macvlan_ros.near import did_you_mean
from macvlan_ros.stack.context import Context
from macvlan_ros.stack.nodes import Node, child, describe, shorten, take
from macvlan_ros.stack.values import size, text_pairs

_PROPAGATION = ("rprivate", "private", "rshared", "shared", "rslave", "slave")
_MODES = frozenset(("z", "Z", "cached", "consistent", "delegated", "nocopy", *_PROPAGATION))
_KINDS = ("bind", "volume", "tmpfs")
#: A device by its vendor's name for it, as nvidia.com/gpu=all (Container Device Interface, 0.6).
_CDI = re.compile(r"[a-z][a-z0-9.-]*/[a-z][a-z0-9_.-]*=[a-z0-9][a-z0-9_.:-]*", re.ASCII | re.I)


def named_volumes(node: Node | None, context: Context) -> dict[str, Volume]:
    """The top-level `volumes`, by key. Raises StackFileError."""
    found: dict[str, Volume] = {}
    for key, volume in (node.mapping() if node else {}).items():
        keys = ("name", "external", "driver", "driver_opts", "labels")
        entries = volume.known(keys, " of a volume")
        external, old_name = external_name(entries.get("external"))
        driver = take(entries, "driver", Node.string, "")
        default = key if external else f"{context.project}_{key}"
        found[key] = Volume(
            take(entries, "name", Node.string, old_name or default),
            external,
            "" if driver in ("local", "default") else driver,
            take(entries, "driver_opts", lambda one: _options(one, context), {}),
            take(entries, "labels", text_pairs, {}),
        )
    return found


def _options(node: Node, context: Context) -> dict[str, str]:
    """A driver's options. The folder of a bind may be relative (compose-go, package `paths`)."""
    found = text_pairs(node)
    bound = found.get("type") == "none" and "bind" in found.get("o", "").split(",")
    if bound and found.get("device"):
        found["device"] = context.path(node.mapping()["device"])
    return found


def external_name(node: Node | None) -> tuple[bool, str]:
    """`external: true`, and the old form `external: {name: NAME}` with its name."""
    if node is None:
        return False, ""
    if isinstance(node.value, dict):
        entries = node.known(("name",))
        return True, take(entries, "name", Node.string, "")
    return node.boolean(), ""


def mounts(node: Node, context: Context, volumes: Mapping[str, Volume]) -> tuple[Mount, ...]:
    """A service's `volumes`. Where two have one target, the later one stands."""
    found: dict[str, Mount] = {}
    for item in node.items():
        if isinstance(item.value, dict):
            mount = _long_form(item, context, volumes)
        else:
            mount = _short_form(item, context, volumes)
        found[mount.target] = mount
    return tuple(found.values())


def _short_form(node: Node, context: Context, volumes: Mapping[str, Volume]) -> Mount:
    text = node.string()
    parts = text.split(":")
    if len(parts) > 3:
        raise node.error(f"has more than two ':' in {shorten(text)}; use the long form")
    if len(parts) == 1:
        return Mount("volume", "", _target(node, parts[0]))
    source, target = parts[0], _target(node, parts[1])
    read_only, mode = _modes(node, parts[2], context) if len(parts) == 3 else (False, "")
    if not source:
        raise node.error(f"has nothing before the ':' in {shorten(text)}")
    if source[0] in "/.~":
        path = context.path(child(node, "source", source))
        return Mount("bind", path, target, read_only, create_source=True, mode=mode)
    name = _volume(node, source, volumes)
    return Mount("volume", name, target, read_only, mode=mode)


def _target(node: Node, text: str) -> str:
    if not text.startswith("/"):
        what = shorten(text) if text else "nothing"
        raise node.error(f"must have an absolute path in the container, has {what}")
    return posixpath.normpath("/" + text.lstrip("/"))


def _modes(node: Node, text: str, context: Context) -> tuple[bool, str]:
    """Whether it is read-only, and what else is said. Words that nobody knows are passed over, as
    docker compose does: `rwx` stands in many a file."""
    read_only, kept = False, []
    for word in text.split(","):
        if word in ("ro", "rw", ""):
            read_only = word == "ro" or (read_only and not word)
        elif word in _MODES:
            kept.append(word)
        else:
            near = did_you_mean(word, ("ro", "rw", *_MODES))
            where = describe(node.path)
            context.note(f"{where}has the mode {shorten(word)}, which nobody knows{near}; ignored")
    return read_only, ",".join(kept)


def _volume(node: Node, key: str, volumes: Mapping[str, Volume]) -> str:
    if key not in volumes:
        raise node.error(
            f"names the volume {key!r}, which the top-level 'volumes' does not declare"
            f"{did_you_mean(key, volumes)}; declare it there, or write ./{key} for a folder"
        )
    return volumes[key].name


def _long_form(node: Node, context: Context, volumes: Mapping[str, Volume]) -> Mount:
    keys = ("type", "source", "target", "read_only", "consistency", *_KINDS)
    entries = node.known(keys, " of a volume")
    kind = take(entries, "type", Node.string, "")
    if kind not in _KINDS:
        raise entries.get("type", node).error(
            f"must have a type of {', '.join(_KINDS)}" + (f", has {kind!r}" if kind else "")
        )
    if "target" not in entries:
        raise node.error("has no 'target'")
    for other in _KINDS:
        if other in entries and other != kind:
            raise entries[other].error(f"has no meaning for a mount of type {kind!r}")
    options = entries.get(kind, child(node, kind, None))
    mode = [entries["consistency"].string()] if "consistency" in entries else []
    source = entries.get("source")
    read_only = "read_only" in entries and entries["read_only"].boolean()
    target = _target(entries["target"], entries["target"].string())
    if kind == "bind":
        return _bind(node, options, context, target=target, read_only=read_only, mode=mode)
    if kind == "tmpfs":
        if source is not None:
            raise source.error("has no meaning for a tmpfs")
        return _tmpfs(options, target, read_only)
    nocopy = options.known(("nocopy",), " of a volume's options").get("nocopy")
    if nocopy is not None and nocopy.boolean():
        mode.append("nocopy")
    name = _volume(source, source.string(), volumes) if source is not None else ""
    return Mount("volume", name, target, read_only, mode=",".join(mode))


def _bind(
    node: Node, options: Node, context: Context, *, target: str, read_only: bool, mode: list[str]
) -> Mount:
    source = node.mapping().get("source")
    if source is None or source.absent:
        raise node.error("must have a 'source', as every bind mount")
    known = options.known(("propagation", "create_host_path", "selinux"), " of a bind's options")
    for key, allowed in (("propagation", _PROPAGATION), ("selinux", ("z", "Z"))):
        if key in known:
            word = known[key].string()
            if word not in allowed:
                raise known[key].error(f"must be one of {', '.join(allowed)}, is {shorten(word)}")
            mode.append(word)
    create = take(known, "create_host_path", Node.boolean, True)
    path = context.path(source)
    return Mount("bind", path, target, read_only, create_source=create, mode=",".join(mode))


def _tmpfs(options: Node, target: str, read_only: bool) -> Mount:
    known = options.known(("size", "mode"), " of a tmpfs's options")
    limit = take(known, "size", size, None)
    mode = f"{known['mode'].integer():o}" if "mode" in known else ""
    return Mount("tmpfs", "", target, read_only, mode=mode, size=limit)


def tmpfs(node: Node) -> dict[str, str]:
    """`tmpfs`: one target or a list of them, each with its options after a ':'."""
    found = {}
    for item in node.one_or_many():
        target, _, options = item.string().partition(":")
        found[_target(item, target)] = options
    return found


def devices(node: Node) -> tuple[Device, ...]:
    """`devices`: SOURCE[:TARGET[:PERMISSIONS]] or a mapping. Where two have one target, the
    later one stands. Those of `vendor_devices` are left out."""
    found: dict[str, Device] = {}
    for item in node.items():
        if _is_vendors(item):
            continue
        if isinstance(item.value, dict):
            entries = item.known(("source", "target", "permissions"), " of a device")
            if "source" not in entries:
                raise item.error("has no 'source'")
            parts = [entries["source"].string()]
            parts.append(take(entries, "target", Node.string, parts[0]))
            if "permissions" in entries:
                parts.append(entries["permissions"].string())
        else:
            parts = item.string().split(":")
        device = _device(item, parts)
        found[device.target] = device
    return tuple(found.values())


def vendor_devices(node: Node) -> tuple[DeviceRequest, ...]:
    """Those of `devices` that are named as their vendor names them, as nvidia.com/gpu=all. They are
    no paths; the engine is asked for them (docker/cli, `parse` of cli/command/container/opts.go).
    """
    names = tuple(item.string() for item in node.items() if _is_vendors(item))
    return (DeviceRequest("cdi", None, names, ()),) if names else ()


def _is_vendors(item: Node) -> bool:
    return isinstance(item.value, str) and _CDI.fullmatch(item.string()) is not None


def _device(node: Node, parts: list[str]) -> Device:
    if len(parts) == 2 and _is_permissions(parts[1]):
        parts = [parts[0], parts[0], parts[1]]
    if len(parts) > 3:
        raise node.error(f"has more than two ':' in {shorten(':'.join(parts))}")
    source, target, permissions = (parts + [parts[0], "rwm"][len(parts) - 1 :])[:3]
    if not source.startswith("/") or not target.startswith("/"):
        raise node.error(
            f"must be a device's absolute path, such as /dev/video0:/dev/video0:rwm, is "
            f"{shorten(':'.join(parts))}"
        )
    if not _is_permissions(permissions):
        raise node.error(f"must have permissions of r, w and m, has {shorten(permissions)}")
    return Device(source, target, permissions)


def _is_permissions(text: str) -> bool:
    return 0 < len(text) <= 3 and set(text) <= set("rwm") and len(set(text)) == len(text)


def device_requests(node: Node) -> tuple[DeviceRequest, ...]:
    """`gpus`, and `deploy.resources.reservations.devices`: "all" or a list of requests."""
    if isinstance(node.value, (str, int)):
        return (DeviceRequest(count=_count(node)),)
    return tuple(_request(item) for item in node.items("'all' or a list"))


def _count(node: Node) -> int:
    if isinstance(node.value, str) and node.value == "all":
        return -1
    count = node.integer() if node.text.lstrip("-").isdigit() else -2
    if count < -1:
        raise node.error(f"must be 'all' or a number, is {node.kind}")
    return count


def _request(node: Node) -> DeviceRequest:
    keys = ("driver", "count", "device_ids", "capabilities", "options")
    entries = node.known(keys, " of a device request")
    if "count" in entries and "device_ids" in entries:
        raise node.error("has both 'count' and 'device_ids'; keep one of the two")
    ids = take(entries, "device_ids", Node.strings, ())
    count = take(entries, "count", _count, None)
    wanted = take(entries, "capabilities", Node.strings, ("gpu",))
    return DeviceRequest(
        driver=take(entries, "driver", Node.string, ""),
        # Compose takes every device when the request does not say how many
        count=-1 if count is None and not ids else count,
        device_ids=ids,
        capabilities=(wanted,),
        options=take(entries, "options", text_pairs, {}),
    )
