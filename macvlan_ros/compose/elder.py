"""What docker-compose 1.29 has no word for, said in its own words or left out, where that changes
nothing. Pure. Source: compose/config/compose_spec.json of docker-compose 1.29.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Keys that speak to other commands than those that make containers.
_OTHERS = ("attach", "develop")
#: What it knows of a volume's options. Without `create_host_path` it makes no folder itself.
_VOLUME = {"bind": ("propagation",), "volume": ("nocopy",), "tmpfs": ("size",)}
_STARTED = "service_started"


def in_old_words(service: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """The service for it. `environment` is what the container's is to be, with what is read from
    files."""
    result = {key: value for key, value in service.items() if key not in _OTHERS}
    for key, rewrite in (
        ("depends_on", _depends_on),
        ("healthcheck", lambda one: _without(one, ("start_interval",))),
        ("volumes", _volumes),
    ):
        if result.get(key):
            result[key] = rewrite(result[key])
    if isinstance(result.get("build"), dict):
        result["build"] = {"context": ".", **result["build"]}
    files = result.get("env_file")
    if any(isinstance(one, dict) for one in (files if isinstance(files, list) else [files])):
        del result["env_file"]
        result["environment"] = dict(environment)
    return result


def _depends_on(said: Any) -> Any:
    if not isinstance(said, dict):
        return said
    return {
        name: {"condition": (one or {}).get("condition", _STARTED)} for name, one in said.items()
    }


def _volumes(said: Any) -> Any:
    return [_volume(one) if isinstance(one, dict) else one for one in said]


def _volume(said: dict[str, Any]) -> dict[str, Any]:
    result = dict(said)
    for kind, known in _VOLUME.items():
        if isinstance(said.get(kind), dict):
            result[kind] = {key: value for key, value in said[kind].items() if key in known}
    return result


def _without(said: Any, keys: tuple[str, ...]) -> Any:
    return {key: value for key, value in said.items() if key not in keys}
