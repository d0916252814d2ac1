"""Security options: a seccomp profile is a file to people, and the file's content to Docker."""

from __future__ import annotations

import json
from pathlib import Path

from macvlan_ros.stack.context import Context
from macvlan_ros.stack.nodes import Node, child
from macvlan_ros.stack.yamlfile import read_text

_NO_FILES = ("unconfined", "builtin", "default")


def security_options(node: Node, context: Context) -> tuple[str, ...]:
    """The options as the engine takes them, each once.

    The docker command reads the profile before it asks the engine (docker/cli,
    "parseSecurityOpts"). Raises StackFileError for one that is missing or is not JSON.
    """
    return tuple(dict.fromkeys(_option(item, context) for item in node.items()))


def _option(node: Node, context: Context) -> str:
    text = node.string()
    for separator in "=:":
        name, found, value = text.partition(separator)
        if found and name == "seccomp" and value not in _NO_FILES and not value.startswith("{"):
            return f"seccomp={_profile(child(node, 'seccomp', value), context)}"
    return text


def _profile(node: Node, context: Context) -> str:
    path = Path(context.path(node))
    if not path.is_file():
        raise node.error(f"names the profile {path}, and there is no such file")
    try:
        return json.dumps(json.loads(read_text(path)), separators=(",", ":"))
    except json.JSONDecodeError as error:
        raise node.error(f"names the profile {path}, which is not JSON: {error}") from None
