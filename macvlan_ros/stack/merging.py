"""Merging: a later file over an earlier one, by Compose's rules.

Mappings merge, lists grow, everything else is replaced; a few keys have rules of their own. Lists
that hold one thing for each target (volumes, devices) are cleaned of what was overridden when they
are read. Source: the Compose Specification, "Merge", and compose-go's `override` package.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from macvlan_ros.stack.nodes import Node, child, with_entries
from macvlan_ros.stack.section import SECTION

Rule: TypeAlias = Callable[[Node, Node], Node]


def merge(base: Node, over: Node) -> Node:
    """`over` laid over `base`. Raises StackFileError where the two cannot be brought together."""
    if over.tag == "!override":
        return replace(over, tag="")
    if over.tag == "!reset" or base.tag == "!reset" or base.absent:
        return over
    rule = _rule(over.path)
    if over.absent and rule is not _gone_over:
        return base
    return rule(base, over)


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
            both = key in entries and (key[:2] != "x-" or key == SECTION)
            entries[key] = merge(entries[key], node) if both else node
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


def _gone_over(_base: Node, over: Node) -> Node:
    """Also by nothing: that is as the image has it."""
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


def _depends(base: Node, over: Node) -> Node:
    """A name in a list asks for the condition that a bare name has."""
    return _plain(*(with_entries(one, _conditions(one)) for one in (base, over)))


def _conditions(node: Node) -> dict[str, Node]:
    found = node.named()
    if not isinstance(node.value, list):
        return found
    started = "service_started"
    return {
        name: with_entries(one, {"condition": child(one, "condition", started)})
        for name, one in found.items()
    }


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
    ("command",): _gone_over,
    ("entrypoint",): _gone_over,
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
    ("depends_on",): _depends,
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
