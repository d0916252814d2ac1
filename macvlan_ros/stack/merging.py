"""Merging: a later file over an earlier one, by Compose's rules.

Mappings merge, lists grow, everything else is replaced; a few keys have rules of their own. Lists
that hold one thing for each target (volumes, devices) are cleaned of what was overridden when they
are read. Source: the Compose Specification, "Merge", and compose-go's `override` package.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from macvlan_ros.stack.nodes import Node, with_entries

Rule: TypeAlias = Callable[[Node, Node], Node]


def merge(base: Node, over: Node) -> Node:
    """`over` laid over `base`. Raises StackFileError where the two cannot be brought together."""
    if over.tag == "!override":
        return replace(over, tag="")
    if over.tag == "!reset" or base.tag == "!reset" or base.absent:
        return over
    if over.absent:
        return base
    return _rule(over.path)(base, over)


def strip(node: Node) -> Node:
    """The node without what `!reset` throws away."""
    if isinstance(node.value, dict):
        kept = {key: strip(value) for key, value in node.value.items() if value.tag != "!reset"}
        return replace(node, value=kept, tag="")
    if isinstance(node.value, list):
        items = [strip(item) for item in node.value if item.tag != "!reset"]
        return replace(node, value=items, tag="")
    return replace(node, tag="")


def _plain(base: Node, over: Node) -> Node:
    if isinstance(base.value, dict) and isinstance(over.value, dict):
        entries = dict(base.value)
        for key, node in over.value.items():
            entries[key] = merge(entries[key], node) if key in entries else node
        return with_entries(over, entries)
    if isinstance(base.value, list) and isinstance(over.value, list):
        return replace(over, value=[*base.value, *over.value])
    if isinstance(base.value, (dict, list)) or isinstance(over.value, (dict, list)):
        raise over.error(
            f"is {over.kind}, but {base.file}:{base.line}, which it goes over, has {base.kind}; "
            "write both in the same form, or put !override before this one"
        )
    return over


def _replaced(_base: Node, over: Node) -> Node:
    return over


def _pairs(separators: str) -> Rule:
    def rule(base: Node, over: Node) -> Node:
        return with_entries(over, {**base.pairs(separators), **over.pairs(separators)})

    return rule


def _many(base: Node, over: Node) -> Node:
    """A value or a list of them, over a value or a list of them."""
    return replace(over, value=[*base.one_or_many(), *over.one_or_many()])


def _named(base: Node, over: Node) -> Node:
    """Lists of names, or mappings from names: the names of both, their settings merged."""
    return _plain(with_entries(base, base.named()), with_entries(over, over.named()))


def _logging(base: Node, over: Node) -> Node:
    """Another driver has other options, so they are not mixed."""
    drivers = [node.mapping().get("driver") for node in (base, over)]
    if all(drivers) and len({node.text for node in drivers if node}) > 1:
        return over
    return _plain(base, over)


def _ulimit(base: Node, over: Node) -> Node:
    both = isinstance(base.value, dict) and isinstance(over.value, dict)
    return _plain(base, over) if both else over


def _build(base: Node, over: Node) -> Node:
    """A text is the context alone."""
    both = (
        one if isinstance(one.value, dict) else with_entries(one, {"context": _at(one, "context")})
        for one in (base, over)
    )
    return _plain(*both)


def _at(node: Node, key: str) -> Node:
    return replace(node, path=(*node.path, key))


_ANY = "*"

_RULES: dict[tuple[str, ...], Rule] = {
    ("command",): _replaced,
    ("entrypoint",): _replaced,
    ("build",): _build,
    ("build", "args"): _pairs("="),
    ("build", "labels"): _pairs("="),
    ("build", "extra_hosts"): _pairs("=:"),
    ("gpus",): _replaced,
    ("healthcheck", "test"): _replaced,
    ("environment",): _pairs("="),
    ("labels",): _pairs("="),
    ("annotations",): _pairs("="),
    ("sysctls",): _pairs("="),
    ("extra_hosts",): _pairs("=:"),
    ("deploy", "labels"): _pairs("="),
    ("dns",): _many,
    ("dns_search",): _many,
    ("dns_opt",): _many,
    ("env_file",): _many,
    ("tmpfs",): _many,
    ("depends_on",): _named,
    ("networks",): _named,
    ("logging",): _logging,
    ("ulimits", _ANY): _ulimit,
}


def _rule(path: tuple[str, ...]) -> Rule:
    if path[:1] == ("services",) and len(path) > 2:
        key = path[2:]
        return _RULES.get(key) or _RULES.get((*key[:-1], _ANY)) or _plain
    if path[:1] in (("networks",), ("volumes",)) and path[2:] == ("labels",):
        return _pairs("=")
    if path[:1] == ("x-macvlan-ros",) and path[1:] in (("range",), ("exclude",)):
        return _many
    return _plain
