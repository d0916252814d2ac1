"""Errands: a short-lived container on an engine, which does there what needs its host's kernel."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from macvlan_ros.docker_api.calls import Calls
from macvlan_ros.docker_api.files import archive
from macvlan_ros.docker_api.labels import LABEL_MANAGED, MANAGED
from macvlan_ros.errors import EngineRefused, NotFound
from macvlan_ros.values import dataclass

#: Where an errand finds the files that it is given.
FOLDER = "/run/macvlan-ros-errand"
_PREFIX = "macvlan-ros-errand-"
_LOOK_EVERY = 0.1
_MOST = 1 << 20


@dataclass(frozen=True, slots=True)
class Done:
    """How an errand ended: its exit code, and what it wrote to either stream."""

    code: int
    output: str
    errors: str


class ErrandCalls(Calls):
    """What an engine can be asked to do on its host."""

    def run_errand(
        self,
        image: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        files: Mapping[str, bytes],
        timeout: float,
    ) -> Done:
        """Run our command line (the image's program `macvlan-ros`) with the host's network and
        processes, and the right to change links there.

        `files` come into `FOLDER`. The container is removed whatever happens. Raises
        `ImageNotFound`, `EngineRefused` when it has not ended after `timeout` seconds.
        """
        name = _PREFIX + secrets.token_hex(4)
        doing = f"run {' '.join(command[:2])} in a container of {image}"
        with self.asking(doing) as client:
            payload = {
                "Image": image,
                "Entrypoint": ["macvlan-ros"],
                "Cmd": list(command),
                "Env": [f"{key}={value}" for key, value in environment.items()],
                "Labels": {LABEL_MANAGED: MANAGED},
                "HostConfig": {
                    "NetworkMode": "host",
                    "PidMode": "host",
                    # what it takes to make a shim, and to lead containers to it (capabilities(7))
                    "CapAdd": ["NET_ADMIN", "NET_RAW", "SYS_ADMIN", "SYS_PTRACE"],
                    "SecurityOpt": ["apparmor=unconfined", "seccomp=unconfined"],
                    # /proc/sys would be read-only
                    "MaskedPaths": [],
                    "ReadonlyPaths": [],
                    "Binds": ["/var/run/docker.sock:/var/run/docker.sock"],
                },
            }
            identity = client.create_container(payload, name=name)["Id"]
        try:
            return self._run(identity, files, timeout=timeout, doing=doing)
        finally:
            with suppress(NotFound), self.asking(f"remove container {name!r}") as client:
                client.remove_container(identity, force=True, v=True)

    def _run(
        self, identity: str, files: Mapping[str, bytes], *, timeout: float, doing: str
    ) -> Done:
        with self.asking(doing) as client:
            if files:
                placed = {f"{FOLDER}/{name}": content for name, content in files.items()}
                client.put_archive(identity, "/", archive(placed, mode=0o600))
            client.start(identity)
        deadline = time.monotonic() + timeout
        while True:
            with self.asking(doing, quick=True) as client:
                state = client.inspect_container(identity)["State"]
            if state["Status"] in ("exited", "dead"):
                break
            if time.monotonic() > deadline:
                raise EngineRefused(f"Docker cannot {doing}: it has not ended after {timeout:g} s")
            time.sleep(_LOOK_EVERY)
        with self.streaming(doing) as client:
            output = client.logs(identity, stdout=True, stderr=False)
            errors = client.logs(identity, stdout=False, stderr=True)
        return Done(
            state["ExitCode"],
            output[:_MOST].decode(errors="replace"),
            errors[:_MOST].decode(errors="replace"),
        )

    def listens(self, identity: str, port: int) -> bool:
        """Whether something in the container listens on the TCP port, as its kernel says.

        False too where nobody can tell, for want of a `cat` in it.
        """
        doing = "look what a container listens on"
        with self.asking(doing, quick=True) as client:
            command = ["cat", "/proc/net/tcp", "/proc/net/tcp6"]
            text = client.output_of(identity, command).decode(errors="replace")
        return any(_is_listening(line.split(), port) for line in text.splitlines())


def _is_listening(fields: Sequence[str], port: int) -> bool:
    """Whether a line of /proc/net/tcp is a socket that listens there (proc(5): state 0A)."""
    return len(fields) > 3 and fields[3] == "0A" and fields[1].endswith(f":{port:04X}")
