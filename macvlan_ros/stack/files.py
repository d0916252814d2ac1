"""Finding a stack's files, its project's name and its variables, as Compose finds them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from macvlan_ros.errors import StackFileError
from macvlan_ros.stack import envfile
from macvlan_ros.stack.nodes import Node, shorten
from macvlan_ros.stack.yamlfile import is_there

#: In the order of preference. Source: compose-go's `cli` package.
NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
OVERRIDES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)

_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]*", re.ASCII)


def find_files(folder: Path, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """The files of the stack in a folder, the later ones to be laid over the earlier ones.

    COMPOSE_FILE (from the environment or the folder's .env) names them, parted by
    COMPOSE_PATH_SEPARATOR (":"); else it is the first of NAMES that is there, and the first of
    OVERRIDES beside it. Raises StackFileError when there is none.
    """
    variables = read_variables(folder, environ, (), lambda name: None)  # noqa: ARG005
    named = variables.get("COMPOSE_FILE", "")
    if named:
        parts = named.split(variables.get("COMPOSE_PATH_SEPARATOR") or ":")
        return tuple(folder / part for part in parts if part)
    for name in NAMES:
        if is_there(folder / name):
            over = (folder / other for other in OVERRIDES if is_there(folder / other))
            return (folder / name, *(path for path, _ in zip(over, range(1), strict=False)))
    raise StackFileError(
        f"no stack in {folder.absolute()}: looked for {', '.join(NAMES[:-1])} and {NAMES[-1]}; "
        "name the file with -f FILE"
    )


def read_variables(
    folder: Path,
    environ: Mapping[str, str],
    env_files: Sequence[Path],
    unset: Callable[[str], None],
) -> dict[str, str]:
    """The variables for interpolation: the caller's environment over `env_files`, or over the
    folder's .env when none is named. Raises StackFileError."""
    found: dict[str, str] = {}
    default = folder / ".env"
    for path in env_files or ([default] if is_there(default) else []):

        def lookup(name: str, earlier: Mapping[str, str] = dict(found)) -> str | None:
            return environ.get(name, earlier.get(name))

        found.update(envfile.read(path, lookup, unset))
    return {**found, **environ}


def name_project(
    wanted: str | None, variables: Mapping[str, str], node: Node | None, folder: Path
) -> str:
    """The project's name: what was asked for, COMPOSE_PROJECT_NAME, `name`, the folder's name.

    The folder's name is made to fit; the others must fit. Raises StackFileError.
    """
    for name, source in (
        (wanted, "the project name"),
        (variables.get("COMPOSE_PROJECT_NAME"), "COMPOSE_PROJECT_NAME"),
    ):
        if name:
            if not _PROJECT.fullmatch(name):
                raise StackFileError(f"{source} {shorten(name)} {_RULE}")
            return name
    if node is not None and not node.absent and node.string():
        if not _PROJECT.fullmatch(node.string()):
            raise node.error(f"{shorten(node.string())} {_RULE}")
        return node.string()
    name = re.sub(r"[^a-z0-9_-]", "", folder.name.lower()).lstrip("_-")
    if not name:
        raise StackFileError(
            f"the folder {folder} gives the project no name; write 'name: …' at the file's top"
        )
    return name


_RULE = (
    "is no project's name; use lower-case letters, digits, '_' and '-', the first a letter or digit"
)
