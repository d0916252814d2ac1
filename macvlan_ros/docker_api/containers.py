"""Docker's containers: create them with a fixed address and MAC, start, stop and look."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from macvlan_ros.docker_api.calls import SLOW, Calls
from macvlan_ros.docker_api.files import archive
from macvlan_ros.docker_api.labels import LABEL_MANAGED, LABEL_STACK, MANAGED
from macvlan_ros.docker_api.payload import bridge_endpoint, container_payload
from macvlan_ros.docker_api.values import Container, read_container
from macvlan_ros.errors import Conflict, DockerDown, MacvlanRosError, NotFound

if TYPE_CHECKING:
    from macvlan_ros.models.containers import Attachment, Service

#: Seconds between two looks at a container that is waited for.
_LOOK_EVERY = 0.1
#: Seconds in which a container that was asked for, but never answered for, may still appear.
_LATE = 1.0


class ContainerCalls(Calls):
    """What an engine's containers can be asked for.

    `identity` is a container's id or name. Errors name the container by what was given.
    """

    def containers(
        self, *, stack: str | None = None, state: str | None = None
    ) -> tuple[Container, ...]:
        """The containers that we made, of one stack or of all, in one state or in every one, by
        name."""
        labels = [f"{LABEL_MANAGED}={MANAGED}"]
        if stack is not None:
            labels.append(f"{LABEL_STACK}={stack}")
        states = {} if state is None else {"status": [state]}
        return self._find_containers({"label": labels, **states})

    def container(self, name: str) -> Container | None:
        """The container of exactly that name, whoever made it; None when there is none."""
        return self.named([name]).get(name)

    def named(self, names: Collection[str]) -> dict[str, Container]:
        """The containers of exactly these names, whoever made them, by name; in one listing."""
        if not names:
            return {}
        found = self._find_containers({"name": [f"^/?{re.escape(name)}$" for name in names]})
        return {one.name: one for one in found if one.name in names}

    def container_ids(self) -> frozenset[str]:
        """The ids of all containers, whoever made them, in every state."""
        return frozenset(str(one["Id"]) for one in self.list_containers(all=True))

    def _find_containers(self, filters: Mapping[str, list[str]]) -> tuple[Container, ...]:
        listing = self.list_containers(all=True, filters=dict(filters))
        found = []
        for entry in listing:
            try:
                with self.asking("look at a container", quick=True) as client:
                    details = client.inspect_container(entry["Id"])
            except NotFound:
                continue  # removed since it was listed
            found.append(read_container(details, status=entry.get("Status") or ""))
            self.names[found[-1].id] = found[-1].name
        return tuple(sorted(found, key=lambda container: container.name))

    def _name(self, identity: str) -> str:
        return self.names.get(identity, identity)

    def _inspect(self, identity: str) -> Container:
        with self.asking(f"look at container {self._name(identity)!r}", quick=True) as client:
            return read_container(client.inspect_container(identity))

    def create(
        self,
        service: Service,
        *,
        attachment: Attachment | None,
        environment: Mapping[str, str | None],
        hosts: Sequence[tuple[str, str]],
        labels: Mapping[str, str],
        name: str | None = None,
        files: Mapping[str, str] | None = None,
    ) -> str:
        """Create the service's container, joined to all its networks, and return its id.

        `attachment` is None for a service off the LAN. `name` is the service's container name if
        not said; `files` are put into it, by path, which reaches an engine on another PC too. An
        environment value of None removes the image's variable. All or nothing: what was created is
        removed if a later step fails, or is interrupted. Raises `ContainerConflict` (the name is
        taken), `ImageNotFound`, `NetworkNotFound`, `InvalidRequest`, `EngineRefused`.
        """
        name = name or service.container_name
        doing = f"create container {name!r}"
        with self.asking(doing) as client:
            payload = container_payload(
                service,
                attachment=attachment,
                environment=environment,
                hosts=hosts,
                labels=labels,
                api_version=client.api_version,
            )
        try:
            with self.asking(doing) as client:
                made = client.create_container(payload, name=name, platform=service.platform)
        except (KeyboardInterrupt, SystemExit, DockerDown):
            # the engine may have made it all the same, and nobody would know its id
            self._withdraw(name, payload["Labels"])
            raise
        identity = str(made["Id"])
        self.names[identity] = name
        try:
            self._join_bridges(identity, service)
            if files:
                self._put(identity, files)
        except BaseException:
            self.remove(identity, force=True)
            raise
        return identity

    def _join_bridges(self, identity: str, service: Service) -> None:
        # the first is what a container off the LAN is made on
        for bridge in service.bridges[1:] if service.off_lan else service.bridges:
            doing = f"join container {service.container_name!r} to network {bridge.name!r}"
            with self.asking(doing) as client:
                # for a container that does not run yet, Docker would find out at its start
                client.inspect_network(bridge.name)
                client.connect_container_to_network(
                    identity, bridge.name, bridge_endpoint(service, bridge)
                )

    def _put(self, identity: str, files: Mapping[str, str]) -> None:
        with self.asking(f"put files into container {self._name(identity)!r}") as client:
            client.put_archive(
                identity, "/", archive({path: text.encode() for path, text in files.items()})
            )

    def _withdraw(self, name: str, labels: Mapping[str, str]) -> None:
        """Remove a container that never ran and has exactly our labels, if it turns up."""
        deadline = time.monotonic() + _LATE
        with suppress(MacvlanRosError):  # what interrupted us is what matters
            while time.monotonic() < deadline:
                found = self.container(name)
                if found is not None:
                    if found.state == "created" and labels.items() <= found.labels.items():
                        self.remove(found.id, force=True)
                    return
                time.sleep(_LOOK_EVERY)

    def start(self, identity: str) -> None:
        """Start a container; starting a running one is fine.

        Raises `DeviceNotFound`, `AddressInUse`, `ParentNotFound`, `InvalidRequest`,
        `EngineRefused`, each with the remedy.
        """
        with self.asking(f"start container {self._name(identity)!r}") as client:
            client.start(identity)

    def pause(self, identity: str) -> None:
        """Hold a container's processes where they are. Raises EngineRefused, NotFound."""
        with self.asking(f"pause container {self._name(identity)!r}") as client:
            client.pause(identity)

    def unpause(self, identity: str) -> None:
        """Let a paused container go on. Raises EngineRefused, NotFound."""
        with self.asking(f"unpause container {self._name(identity)!r}") as client:
            client.unpause(identity)

    def stop(self, identity: str, timeout: float | None = None) -> bool:
        """Stop a container: its stop signal, and after `timeout` seconds a kill.

        None is the container's own stop_grace_period. False when there is no such container.
        """
        try:
            with self.asking(f"stop container {self._name(identity)!r}") as client:
                if timeout is None:
                    config = client.inspect_container(identity)["Config"]
                    # the SDK would wait for 10 s whatever the container says
                    timeout = config.get("StopTimeout")
                client.stop(identity, timeout=10 if timeout is None else math.ceil(timeout))
        except NotFound:
            return False
        return True

    def kill(self, identity: str, signal: str | None = None) -> bool:
        """Send a signal, SIGKILL if not said; False when no such container runs."""
        try:
            with self.asking(f"kill container {self._name(identity)!r}") as client:
                client.kill(identity, signal)
        except (NotFound, Conflict):
            return False
        return True

    def remove(self, identity: str, *, force: bool = False, volumes: bool = False) -> bool:
        """Remove a container, `force` also a running one, `volumes` with its anonymous volumes.

        False when there is none. Returns when it is gone, also where another one removes it.
        Raises `Conflict` for a running one without `force`.
        """
        try:
            with self.asking(f"remove container {self._name(identity)!r}") as client:
                client.remove_container(identity, force=force, v=volumes)
        except NotFound:
            return False
        except Conflict as error:
            if "already in progress" not in str(error):
                raise
            self._wait_gone(identity)
        return True

    def _wait_gone(self, identity: str) -> None:
        deadline = time.monotonic() + SLOW
        with suppress(NotFound):
            while time.monotonic() < deadline:
                self._inspect(identity)
                time.sleep(_LOOK_EVERY)
            raise DockerDown(
                f"container {self._name(identity)!r} is still being removed after {SLOW:g} s;"
                " see what Docker is at with: journalctl -u docker"
            )

    def rename(self, identity: str, name: str) -> None:
        """Give a container another name. Raises `ContainerConflict` when it is taken."""
        with self.asking(f"rename container {self._name(identity)!r} to {name!r}") as client:
            client.rename(identity, name)
        self.names[identity] = name

    def logs(self, identity: str, *, tail: int = 50) -> str:
        """The last `tail` lines that the container wrote, both streams."""
        with self.streaming(f"read the log of container {self._name(identity)!r}") as client:
            text: Any = client.logs(identity, tail=tail)
        return bytes(text).decode(errors="replace")
