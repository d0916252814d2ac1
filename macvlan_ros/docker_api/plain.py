"""The calls of the Docker Engine API that take JSON and answer with JSON, by the SDK's names.

See https://docs.docker.com/reference/api/engine/ for what goes in and comes out. What comes bit by
bit (a pull, a log) is left to the SDK; see docs/adr.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from macvlan_ros.docker_api.wire import NotDocker, Wire

__all__ = ["PlainClient"]


class PlainClient:
    """Calls that last `timeout` seconds each at most. Raises what `Wire.ask` raises."""

    def __init__(self, wire: Wire, *, timeout: float) -> None:
        self._wire = wire
        self._timeout = timeout

    @property
    def api_version(self) -> str:
        """The newest version of the API that the engine speaks ("1.41")."""
        if not self._wire.api_version:  # each answer tells it, and this is the shortest
            self._wire.ask("GET", "/_ping", timeout=self._timeout)
        return self._wire.api_version or str(self.version()["ApiVersion"])

    def version(self) -> Any:
        return self._get("/version")

    def info(self) -> Any:
        return self._get("/info")

    def plugins(self) -> Any:
        return self._get("/plugins")

    # -- containers -------------------------------------------------------------------------------

    def containers(
        self,
        *,
        all: bool = False,  # noqa: A002 - Docker's own word
        filters: Mapping[str, Any] | None = None,
    ) -> list[dict[str, Any]]:
        return self._list("/containers/json", all=all, filters=_filters(filters))

    def inspect_container(self, identity: str) -> Any:
        return self._get(f"/containers/{_part(identity)}/json")

    def create_container(self, config: Any, *, name: str, platform: str | None = None) -> Any:
        return self._post("/containers/create", config, name=name, platform=platform)

    def start(self, identity: str) -> None:
        self._post(f"/containers/{_part(identity)}/start")

    def pause(self, identity: str) -> None:
        self._post(f"/containers/{_part(identity)}/pause")

    def unpause(self, identity: str) -> None:
        self._post(f"/containers/{_part(identity)}/unpause")

    def stop(self, identity: str, *, timeout: int) -> None:
        """`timeout` is the engine's own, before it kills; the call lasts as much longer."""
        path = _with(f"/containers/{_part(identity)}/stop", t=timeout)
        self._wire.ask("POST", path, timeout=self._timeout + timeout)

    def kill(self, identity: str, signal: str | None = None) -> None:
        self._post(f"/containers/{_part(identity)}/kill", signal=signal)

    def rename(self, identity: str, name: str) -> None:
        self._post(f"/containers/{_part(identity)}/rename", name=name)

    def remove_container(self, identity: str, *, force: bool = False, v: bool = False) -> None:
        self._delete(f"/containers/{_part(identity)}", force=force, v=v)

    def put_archive(self, identity: str, path: str, data: bytes) -> None:
        """Unpack a tar archive in a container's folder."""
        where = _with(f"/containers/{_part(identity)}/archive", path=path)
        self._wire.ask("PUT", where, body=data, kind="application/x-tar", timeout=self._timeout)

    def output_of(self, identity: str, command: Sequence[str]) -> bytes:
        """What a command in a running container writes. It has a terminal, for without one Docker
        takes the output apart into frames."""
        wanted = {"Cmd": list(command), "AttachStdout": True, "Tty": True}
        made = self._post(f"/containers/{_part(identity)}/exec", wanted)["Id"]
        begin = json.dumps({"Detach": False, "Tty": True}).encode()
        return self._wire.ask("POST", f"/exec/{made}/start", body=begin, timeout=self._timeout)

    # -- networks, images, volumes ----------------------------------------------------------------

    def networks(
        self, *, names: Sequence[str] = (), filters: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        wanted = {**(filters or {}), **({"name": list(names)} if names else {})}
        return self._list("/networks", filters=_filters(wanted))

    def inspect_network(self, name: str) -> Any:
        return self._get(f"/networks/{_part(name)}")

    def create_network(self, config: Mapping[str, Any]) -> Any:
        return self._post("/networks/create", config)

    def remove_network(self, name: str) -> None:
        self._delete(f"/networks/{_part(name)}")

    def connect_container_to_network(
        self, identity: str, name: str, endpoint: Mapping[str, Any]
    ) -> None:
        wanted = {"Container": identity, "EndpointConfig": endpoint}
        self._post(f"/networks/{_part(name)}/connect", wanted)

    def inspect_image(self, name: str) -> Any:
        return self._get(f"/images/{_part(name)}/json")

    def volumes(self, *, filters: Mapping[str, Any]) -> Any:
        return self._get("/volumes", filters=_filters(filters))

    def create_volume(
        self,
        name: str,
        *,
        labels: Mapping[str, str],
        driver: str | None = None,
        driver_opts: Mapping[str, str] | None = None,
    ) -> Any:
        wanted: dict[str, Any] = {"Name": name, "Labels": dict(labels)}
        wanted |= {"Driver": driver} if driver else {}
        wanted |= {"DriverOpts": dict(driver_opts)} if driver_opts else {}
        return self._post("/volumes/create", wanted)

    def remove_volume(self, name: str) -> None:
        self._delete(f"/volumes/{_part(name)}")

    # -- HTTP -------------------------------------------------------------------------------------

    def _get(self, path: str, /, **query: Any) -> Any:
        return _read(self._wire.ask("GET", _with(path, **query), timeout=self._timeout))

    def _list(self, path: str, /, **query: Any) -> list[dict[str, Any]]:
        found = self._get(path, **query)
        if not isinstance(found, list):
            raise NotDocker
        return found

    def _post(self, path: str, content: Any = None, /, **query: Any) -> Any:
        body = b"" if content is None else json.dumps(content).encode()
        said = self._wire.ask("POST", _with(path, **query), body=body, timeout=self._timeout)
        return _read(said) if said else None

    def _delete(self, path: str, /, **query: Any) -> None:
        self._wire.ask("DELETE", _with(path, **query), timeout=self._timeout)


def _read(said: bytes) -> Any:
    try:
        return json.loads(said)
    except ValueError as error:
        raise NotDocker from error


def _part(name: str) -> str:
    """A name or id in a path; those of images have slashes and colons."""
    return quote(name, safe="/:@")


def _with(path: str, /, **query: Any) -> str:
    """The path with what is said of the query; what is None or False is not."""
    said = {key: value for key, value in query.items() if value is not None and value is not False}
    said = {key: 1 if value is True else value for key, value in said.items()}
    return f"{path}?{urlencode(said)}" if said else path


def _filters(wanted: Mapping[str, Any] | None) -> str | None:
    """Docker's form: each filter with a list of what it lets through."""
    if not wanted:
        return None
    return json.dumps({k: [v] if isinstance(v, str) else list(v) for k, v in wanted.items()})
