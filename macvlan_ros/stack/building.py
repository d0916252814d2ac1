"""`build`: how a service's image is made, read for `docker build`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from macvlan_ros.models.containers import Build
from macvlan_ros.near import did_you_mean
from macvlan_ros.stack.context import Context
from macvlan_ros.stack.nodes import Node, take
from macvlan_ros.stack.secrets import Secret, build_secrets
from macvlan_ros.stack.values import size

#: What Docker takes for an address and not for a folder (moby, pkg/urlutil).
_URL = re.compile(r"(https?://|git://|ssh://|git@|github\.com/)")


def _flags(flag: str, separators: str = "") -> Callable[[Node], list[tuple[str, str]]]:
    """A flag for each item of a list, or of pairs when there are `separators`."""

    def read(node: Node) -> list[tuple[str, str]]:
        if separators:
            pairs = node.pairs(separators).items()
            return [(flag, f"{key}{separators[-1]}{value.rendered()}") for key, value in pairs]
        return [(flag, item.string()) for item in node.one_or_many()]

    return read


def _switch(flag: str) -> Callable[[Node], list[tuple[str, str]]]:
    return lambda node: [(flag, "true")] if node.boolean() else []


def _shm_size(node: Node) -> list[tuple[str, str]]:
    return [("--shm-size", str(size(node)))]


#: Keys that are one flag of `docker build` each.
_OPTIONS: dict[str, Callable[[Node], list[tuple[str, str]]]] = {
    "target": _flags("--target"),
    "labels": _flags("--label", "="),
    "cache_from": _flags("--cache-from"),
    "cache_to": _flags("--cache-to"),
    "network": _flags("--network"),
    "extra_hosts": _flags("--add-host", "=:"),
    "additional_contexts": _flags("--build-context", "="),
    "ssh": _flags("--ssh"),
    "platforms": _flags("--platform"),
    "tags": _flags("--tag"),
    "shm_size": _shm_size,
    "no_cache": _switch("--no-cache"),
    "pull": _switch("--pull"),
}
_YOURSELF = "build the image yourself, and name it at 'image'"
_REFUSED = {
    "entitlements": _YOURSELF,
    "isolation": "remove it",
    "privileged": _YOURSELF,
    "provenance": "remove it",
    "sbom": "remove it",
    "ulimits": "remove it",
}
_KEYS = ("context", "dockerfile", "dockerfile_inline", "args", "secrets", *_OPTIONS)


def build_recipe(node: Node, context: Context, secrets: Mapping[str, Secret]) -> Build:
    """How the image is made; `secrets` are the stack's. Raises StackFileError."""
    if not isinstance(node.value, dict):
        return Build(_context(node, context))
    entries = {key: one for key, one in node.mapping().items() if key[:2] != "x-"}
    for key, one in entries.items():
        if key in _REFUSED:
            raise one.error(f"is not supported; {_REFUSED[key]}")
        if key not in _KEYS:
            raise one.error(f"is not a key of build{did_you_mean(key, _KEYS)}")
    entries = {key: one for key, one in entries.items() if not one.absent}
    if "dockerfile" in entries and "dockerfile_inline" in entries:
        raise entries["dockerfile_inline"].error("contradicts 'dockerfile'; remove one of the two")
    here = Node(".", node.file, node.line, (*node.path, "context"), ".", base=node.base)
    arguments = take(entries, "args", Node.pairs, {})
    none = Node([], node.file, node.line, (*node.path, "secrets"), "")
    flags, variables = build_secrets(entries.get("secrets", none), secrets, context)
    return Build(
        context=_context(entries.get("context", here), context),
        dockerfile=take(entries, "dockerfile", Node.string, ""),
        inline=take(entries, "dockerfile_inline", Node.string, ""),
        arguments={
            key: None if value.absent else value.rendered() for key, value in arguments.items()
        },
        options=(
            *(
                pair
                for key, read in _OPTIONS.items()
                if key in entries
                for pair in read(entries[key])
            ),
            *flags,
        ),
        variables=variables,
    )


def is_url(context: str) -> bool:
    """Whether a build's context is not a folder."""
    return _URL.match(context) is not None


def _context(node: Node, context: Context) -> str:
    return node.string() if is_url(node.string()) else context.path(node)
