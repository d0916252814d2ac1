"""Forgiving: a stack without what we do not read, for whoever hands the files to Compose itself."""

from __future__ import annotations

from macvlan_ros.stack.context import Context
from macvlan_ros.stack.keys import REFUSED, TOP_KEYS
from macvlan_ros.stack.nodes import Node, child, with_entries
from macvlan_ros.stack.section import SECTION
from macvlan_ros.stack.services import SERVICE_KEYS

#: Keys whose insides are Compose's affair when it runs the service itself.
_NOT_OURS = frozenset(("build", "deploy", "logging", "gpus", "scale"))


def forgiving(tree: Node, context: Context) -> Node:
    """The tree without keys that `launch` refuses; what is left says who is to have which address.

    Notes about what changes nothing are not for Compose's users, and are dropped.
    """
    context.notes.clear()
    entries = {
        key: node for key, node in tree.mapping().items() if key in TOP_KEYS or key[:2] == "x-"
    }
    services = entries.get("services")
    if services is not None and isinstance(services.value, dict):
        done = {name: _service(node) for name, node in services.value.items()}
        entries["services"] = with_entries(services, done)
    return with_entries(tree, entries)


def _service(node: Node) -> Node:
    if not isinstance(node.value, dict):
        return node
    kept = {
        key: value
        for key, value in node.value.items()
        if key == SECTION or (key in SERVICE_KEYS and key not in REFUSED and key not in _NOT_OURS)
    }
    if "image" not in kept and "build" in node.value:
        # a service must have an image; this one's name does not matter here
        kept["build"] = Node(".", node.file, node.line, (*node.path, "build"), ".")
    mode = kept.get("network_mode")
    if mode is not None and str(mode.value).partition(":")[0] in ("service", "container", "none"):
        # it has no network of its own, so there is nothing to say of one
        kept["network_mode"] = child(node, "network_mode", "none")
        section = kept.get(SECTION, child(node, SECTION, None))
        off = {**section.mapping(), "lan": child(section, "lan", False)}
        kept[SECTION] = with_entries(section, off)
    return with_entries(node, kept)
