"""Secrets: files and variables that a build may see while it goes on, and that no image keeps.

Sources: the Compose Specification, "secrets" and "build"; docker build, "--secret".
"""

from __future__ import annotations

from collections.abc import Mapping

from macvlan_ros.near import did_you_mean
from macvlan_ros.stack.context import Context
from macvlan_ros.stack.nodes import Node, take
from macvlan_ros.values import dataclass

_KEYS = ("file", "environment", "external", "name", "labels", "driver", "driver_opts")
_SAID = ("file", "environment")


@dataclass(frozen=True, slots=True)
class Secret:
    """One of the stack's secrets: the absolute path of a file, or else the name of a variable; both
    are empty for one that is kept elsewhere, which matters once a build asks for it."""

    file: str = ""
    variable: str = ""


def declared_secrets(node: Node | None, context: Context) -> dict[str, Secret]:
    """The top-level `secrets`, by key. Raises StackFileError."""
    found = {}
    for key, one in (node.mapping() if node else {}).items():
        entries = one.known(_KEYS, " of a secret")
        said = [name for name in _SAID if name in entries]
        if len(said) > 1:
            raise entries[said[1]].error(f"contradicts '{said[0]}'; remove one of the two")
        found[key] = Secret(
            file=take(entries, "file", context.path, ""),
            variable=take(entries, "environment", Node.string, ""),
        )
    return found


def build_secrets(
    node: Node, secrets: Mapping[str, Secret], context: Context
) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """The flags of `docker build` for a build's `secrets`, and the variables that they name.

    Raises StackFileError for one that is not declared, or whose variable is not set.
    """
    flags, variables = [], {}
    for item in node.items():
        entries = {"source": item}
        if isinstance(item.value, dict):
            entries = item.known(("source", "target", "uid", "gid", "mode"), " of a secret")
        for key in ("uid", "gid", "mode"):
            if key in entries:
                raise entries[key].error(
                    "is not supported; say it in the Dockerfile, as in: RUN --mount=type=secret,"
                    f"{key}=…"
                )
        if "source" not in entries:
            raise item.error("has no 'source'")
        name = entries["source"].string()
        if name not in secrets:
            raise entries["source"].error(
                f"is not declared in the top-level 'secrets'{did_you_mean(name, secrets)}"
            )
        secret = secrets[name]
        if not secret.file and not secret.variable:
            raise entries["source"].error(
                f"names {name!r}, which is external; a build takes those with 'file' or"
                " 'environment'"
            )
        if secret.variable:
            if secret.variable not in context.variables:
                raise entries["source"].error(f"needs {secret.variable}, which is not set")
            variables[secret.variable] = context.variables[secret.variable]
        called = take(entries, "target", Node.string, name)
        where = f"src={secret.file}" if secret.file else f"env={secret.variable}"
        flags.append(("--secret", f"id={called},{_field(where)}"))
    return flags, variables


def _field(text: str) -> str:
    """A field of a line of comma-separated values, as docker reads it (RFC 4180)."""
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"') else text
