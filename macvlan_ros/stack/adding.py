"""Adding a service to a stack file: what stands there stays as it is, comments and all."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from macvlan_ros.errors import Conflict, StackFileError
from macvlan_ros.stack.nodes import Node
from macvlan_ros.stack.sources import plain
from macvlan_ros.stack.writing import escape, to_yaml
from macvlan_ros.stack.yamlfile import is_there, parse, read_text
from macvlan_ros.whole_file import is_stream, write_whole


def with_service(text: str, file: str, name: str, service: Mapping[str, Any]) -> str:
    """The text of a stack file with one more service; unchanged when that very one is there.

    Raises StackFileError for a file that is none, and Conflict when another service has the name.
    """
    there = parse(text, file).mapping().get("services")
    standing = there.mapping().get(name) if there is not None and not there.absent else None
    if standing is not None and plain(standing) != _plain("services", name, service):
        raise Conflict(
            f"{file}:{standing.line}: the service '{name}' is there already, and differs; take it"
            " out, or give the container another --name"
        )
    return _with_entry(text, file, "services", name, service)


def _with_entry(text: str, file: str, section: str, name: str, entry: Mapping[str, Any]) -> str:
    """The text with one more entry in a section; unchanged when one of that name is there."""
    tree = parse(text, file)
    entries = tree.mapping().get(section)
    if entries is None or entries.absent:
        return f"{text.rstrip()}\n\n{_block(section, name, entry, '')}".lstrip()
    if name in entries.mapping():
        return text
    result = _inserted(text, entries, section, name, entry)
    # what was there must still be there, whatever unusual form the file has
    again = plain(parse(result, file))
    before = plain(tree)
    assert isinstance(before, dict)
    more = {name: _plain(section, name, entry)}
    if again != {**before, section: {**before[section], **more}}:
        raise StackFileError(
            f"{file}:{entries.line}: nothing can be added to '{section}' as it is written; write"
            f" one of the {section} a line there"
        )
    return result


def _plain(section: str, name: str, entry: Mapping[str, Any]) -> object:
    """An entry as it is read again."""
    tree = plain(parse(_block(section, name, entry, ""), "new"))
    assert isinstance(tree, dict)
    return tree[section][name]


def _block(section: str, name: str, entry: Mapping[str, Any], indent: str) -> str:
    """With no indent, a whole section."""
    if not indent:
        return to_yaml({section: {name: escape(entry)}})
    return textwrap.indent(to_yaml({name: escape(entry)}), indent)


def _inserted(text: str, services: Node, section: str, name: str, entry: Mapping[str, Any]) -> str:
    lines = text.splitlines(keepends=True)
    entries = services.mapping()
    if not entries:
        return text
    first = lines[min(_key_line(lines, key, services.line) for key in entries)]
    indent = first[: len(first) - len(first.lstrip())]
    start = services.line - 1
    end = start + 1
    while end < len(lines) and (lines[end].startswith((indent, "#")) or not lines[end].strip()):
        end += 1
    # comments and empty lines before the next section belong to that one
    while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
        end -= 1
    if not lines[end - 1].endswith("\n"):
        lines[end - 1] += "\n"
    block = _block(section, name, entry, indent or "  ")
    return "".join([*lines[:end], "\n", block, *lines[end:]])


def _key_line(lines: list[str], key: str, after: int) -> int:
    """Where a service's name stands; the last line where it cannot be told."""
    for number in range(max(after - 1, 0), len(lines)):
        if lines[number].lstrip().strip("\"'").startswith(key):
            return number
    return len(lines) - 1


def add_to_file(
    path: Path,
    name: str,
    service: Mapping[str, Any],
    *,
    more: Mapping[str, Mapping[str, Mapping[str, Any]]] = {},
) -> bool:
    """Add a service to the file, which is made when it is not there; False when it is in it. Of
    `more`, entries by section ("networks", "volumes"), those that the file has not are added too.

    The file is replaced as a whole or not at all. Raises what `with_service` and `write_whole`
    raise.
    """
    there = is_there(path) and not is_stream(path)
    old = read_text(path) if there else ""
    if old.strip():
        new = with_service(old, str(path), name, service)
    else:
        new = _block("services", name, service, "")
    for section, entries in more.items():
        for key, entry in entries.items():
            new = _with_entry(new, str(path), section, key, entry)
    if new == old:
        return False
    write_whole(path, new, mode=path.stat().st_mode & 0o777 if there else 0o644)
    return True
