"""Where Docker's command line is, and how it is told which engine is meant."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping

from macvlan_ros.errors import Unavailable
from macvlan_ros.values import dataclass

#: Seconds within which a command line says what it is, on a slow SD card too.
_ANSWERS_WITHIN = 20.0


@dataclass(frozen=True, slots=True)
class DockerCli:
    """The docker command line. `words` is what every call begins with."""

    program: str
    words: tuple[str, ...]

    def usage(self, *command: str) -> str:
        """What `docker COMMAND --help` says. Raises Unavailable."""
        return self._ask(*command, "--help")

    def api(self) -> str:
        """The newest version of Docker's API that it speaks, as 1.41. Raises Unavailable."""
        found = self._ask("version", "--format", "{{.Client.DefaultAPIVersion}}").strip()
        return found if re.fullmatch(r"\d+\.\d+", found) else "0"

    def _ask(self, *words: str) -> str:
        """What it prints. Raises Unavailable."""
        try:
            done = subprocess.run(
                [*self.words, *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=_ANSWERS_WITHIN,
                check=False,
                # its columns must not depend on how wide the terminal is
                env={**os.environ, "COLUMNS": "200"},
            )
        except subprocess.TimeoutExpired:
            raise Unavailable(
                f"{self.program} {' '.join(words)} gave no answer in {_ANSWERS_WITHIN:g} s"
            ) from None
        except OSError as error:
            raise cannot_run(self.program, error) from None
        return done.stdout.decode(errors="replace")


def find(engine: str, *, needed_for: str, environ: Mapping[str, str] = os.environ) -> DockerCli:
    """The docker command line for an engine: a URL, a socket's path, a context's name, "" for what
    the environment says. Raises Unavailable when there is none."""
    program = environ.get("MACVLAN_ROS_DOCKER_CLI") or "docker"
    found = shutil.which(program, path=environ.get("PATH"))
    if found is None:
        raise Unavailable(
            f"there is no {program} command here, which {needed_for} needs; install it, as with:"
            " apt install docker.io (or docker-cli), or name it with MACVLAN_ROS_DOCKER_CLI"
        )
    return DockerCli(found, (found, *_engine_words(engine)))


def _engine_words(engine: str) -> tuple[str, ...]:
    if not engine:
        return ()
    if engine.startswith("/"):
        return ("--host", f"unix://{engine}")
    # as everywhere: no context's name may have a colon
    return ("--host", engine) if ":" in engine else ("--context", engine)


def cannot_run(program: str, error: OSError) -> Unavailable:
    """The error for a program that is there and does not start."""
    return Unavailable(f"{program} cannot be run: {error.strerror or error}")
