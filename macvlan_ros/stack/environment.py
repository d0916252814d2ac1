"""A service's variables: `environment` over `env_file`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from macvlan_ros.errors import StackFileError
from macvlan_ros.stack import envfile
from macvlan_ros.stack.context import Context
from macvlan_ros.stack.nodes import Node, shorten, take
from macvlan_ros.stack.yamlfile import is_there

_VARIABLE = re.compile(r"[^=\x00]+")


def environment(entries: Mapping[str, Node], context: Context) -> tuple[dict[str, str], str]:
    """env_file's variables, and over them those of `environment`; and what is wrong with a file
    that is not there, which matters once the service starts here ("" when all are there).

    A variable without a value takes the caller's; where the caller has none it is not set.
    """
    found: dict[str, str] = {}
    missing = ""
    for item in take(entries, "env_file", Node.one_or_many, []):
        try:
            found.update(_env_file(item, context))
        except _NotThere as error:
            missing = missing or str(error)
    for name, node in take(entries, "environment", Node.pairs, {}).items():
        if not _VARIABLE.fullmatch(name):
            raise node.error(f"is no variable's name: {shorten(name)}")
        if "\x00" in node.text:
            raise node.error("has a NUL byte, which no variable can hold")
        value = context.variables.get(name) if node.absent else node.rendered()
        if value is None:
            found.pop(name, None)
        else:
            found[name] = value
    return found, missing


class _NotThere(StackFileError):
    """An env_file is required, and there is none."""


def _env_file(node: Node, context: Context) -> dict[str, str]:
    named, required, raw = node, True, False
    if isinstance(node.value, dict):
        entries = node.known(("path", "required", "format"), " of env_file")
        if "path" not in entries:
            raise node.error("has no 'path'")
        named = entries["path"]
        required = take(entries, "required", Node.boolean, True)
        if "format" in entries:
            raw = entries["format"].string() == "raw"
            if not raw:
                raise entries["format"].error("must be raw, or be left out")
    path = Path(context.path(named))
    if not is_there(path):
        if required:
            problem = f"names {path}, and there is no such file; make it or remove the key"
            raise _NotThere(str(named.error(problem)))
        return {}
    if raw:
        return envfile.read_raw(path)
    return envfile.read(path, context.variables.get, lambda name: context.unset(name, str(path)))
