"""Sources: one file with its variables put in, and what it takes from others by `extends` and
`include`.

Relative paths of what comes from another file start at that file's folder. Source: the Compose
Specification, "extends" and "include".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from macvlan_ros.near import did_you_mean
from macvlan_ros.stack.context import Context
from macvlan_ros.stack.files import read_variables
from macvlan_ros.stack.interpolation import interpolate
from macvlan_ros.stack.merging import merge, strip
from macvlan_ros.stack.nodes import Node, take, with_entries
from macvlan_ros.stack.section import SECTION
from macvlan_ros.stack.yamlfile import is_there, read
from macvlan_ros.values import dataclass

#: Services that extend services; nobody has more than a handful.
MAX_CHAIN = 50

#: What an included file gives; the rest of it is its own affair.
_IMPORTED = ("services", "networks", "volumes", "secrets")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a tree comes from. `included` are the files on the way to it, itself the last."""

    context: Context
    variables: Mapping[str, str]
    included: tuple[Path, ...]

    def interpolated(self, tree: Node) -> Node:
        """The tree with its variables put in; sections that only others read are left alone."""
        return interpolate(
            tree,
            self.variables.get,
            unset=lambda name, node: self.context.unset(name, f"{node.file}:{node.line}"),
            skip=_is_extension,
        )

    def file(self, node: Node) -> Path:
        """The file that a node names, which must be there. Raises StackFileError."""
        path = Path(self.context.path(node))
        if not is_there(path):
            raise node.error(f"names {path}, and there is no such file")
        return path


def _is_extension(node: Node) -> bool:
    depth = len(node.path)
    outer = depth == 1 or (depth == 3 and node.path[0] == "services")
    return outer and node.path[-1].startswith("x-") and node.path[-1] != SECTION


def complete(tree: Node, source: Source) -> Node:
    """The tree of one file, as read, with variables, extended services and included files.

    Raises StackFileError, also for files that name each other in a circle.
    """
    tree = source.interpolated(tree)
    entries = dict(tree.mapping())
    services = entries.get("services")
    if services is not None and isinstance(services.value, dict):
        done = {name: _extended(services.value, name, source, ()) for name in services.value}
        entries["services"] = with_entries(services, done)
    includes = entries.pop("include", None)
    imported: dict[str, Node] = {}
    for item in includes.items() if includes is not None else []:
        _import(_included(item, source), imported, tree)
    return merge(with_entries(tree, imported), with_entries(tree, entries))


def _extended(
    services: Mapping[str, Node], name: str, source: Source, trail: tuple[tuple[str, str], ...]
) -> Node:
    """A service with what it extends laid under it."""
    node = services[name]
    extends = node.value.get("extends") if isinstance(node.value, dict) else None
    if extends is None or extends.absent or extends.tag == "!reset":
        return node
    if len(trail) > MAX_CHAIN:
        raise extends.error(f"stands at the end of more than {MAX_CHAIN} others")
    if (node.file, name) in trail:
        circle = [place for _, place in (*trail, (node.file, name))]
        raise extends.error(f"goes in a circle: {' -> '.join(circle)}")
    base_name, others = _base(extends, services, source)
    if base_name not in others:
        where = "" if others is services else f" in {extends.mapping()['file'].string()}"
        raise extends.error(
            f"names {base_name!r}, which is no service{where}{did_you_mean(base_name, others)}"
        )
    base = _extended(others, base_name, source, (*trail, (node.file, name)))
    own = {key: value for key, value in node.mapping().items() if key != "extends"}
    return strip(merge(base, with_entries(node, own)))


def _base(
    extends: Node, services: Mapping[str, Node], source: Source
) -> tuple[str, Mapping[str, Node]]:
    """The name of the service that is extended, and the services that it is one of."""
    if not isinstance(extends.value, dict):
        return extends.string(), services
    entries = extends.known(("service", "file"), " of extends")
    if "service" not in entries:
        raise extends.error("has no 'service'")
    if "file" in entries:
        path = source.file(entries["file"])
        tree = source.interpolated(read(path, str(path.parent)))
        services = take(tree.mapping(), "services", Node.mapping, {})
    return entries["service"].string(), services


def _included(node: Node, source: Source) -> Node:
    """The tree of one entry of `include`: a path, or a mapping with one or more paths."""
    if not isinstance(node.value, dict):
        node = with_entries(node, {"path": node})
    entries = node.known(("path", "project_directory", "env_file"), " of include")
    paths = [source.file(item) for item in take(entries, "path", Node.one_or_many, [])]
    if not paths:
        raise node.error("has no 'path'")
    default = str(paths[0].parent)
    folder = take(entries, "project_directory", source.context.path, default)
    named = [source.file(item) for item in take(entries, "env_file", Node.one_or_many, [])]
    context = source.context
    variables = read_variables(
        Path(folder), source.variables, named, lambda name: context.unset(name, folder)
    )
    tree: Node | None = None
    for path in paths:
        if path in source.included:
            circle = " -> ".join(str(one) for one in (*source.included, path))
            raise node.error(f"goes in a circle: {circle}")
        inner = replace(source, variables=variables, included=(*source.included, path))
        done = complete(read(path, folder), inner)
        tree = done if tree is None else merge(tree, done)
    return strip(tree or node)


def _import(included: Node, entries: dict[str, Node], tree: Node) -> None:
    """Put what an included file gives beside what others before it gave.

    The same thing from two of them is one thing; two different ones of one name are an error.
    What the including file itself says goes over all of it (docker compose since version 5). The
    section of macvlan-ros is merged, the values of the file that was included first winning.
    """
    for kind in _IMPORTED:
        theirs = take(included.mapping(), kind, Node.mapping, {})
        own = entries.get(kind, replace(tree, value={}, path=(kind,), tag=""))
        both = dict(own.mapping())
        for name, node in theirs.items():
            if name in both and plain(both[name]) != plain(node):
                raise both[name].error(
                    f"is also in {node.file}:{node.line}, which is included too, and differs;"
                    " rename one, or say in the including file how it shall be"
                )
            both.setdefault(name, node)
        if both:
            entries[kind] = with_entries(own, both)
    section = included.mapping().get(SECTION)
    if section is not None:
        entries[SECTION] = merge(section, entries[SECTION]) if SECTION in entries else section


def plain(node: Node) -> object:
    """A node's bare value, without its place."""
    if isinstance(node.value, dict):
        return {key: plain(value) for key, value in node.value.items()}
    if isinstance(node.value, list):
        return [plain(item) for item in node.value]
    return node.value
