"""Where the real Compose is: Docker's plugin, or docker-compose, old or new."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping

from macvlan_ros.errors import Unavailable
from macvlan_ros.values import dataclass

#: Seconds within which it says its version: the old one is Python, and slow on a small board.
_WITHIN = 30.0
_VERSION = re.compile(r"v?(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class ComposeCli:
    """The words that every call begins with. `modern` ones know `!reset`, and `include`."""

    words: tuple[str, ...]
    version: tuple[int, int]

    @property
    def modern(self) -> bool:
        """Whether it merges by today's rules (docker/compose 2.24)."""
        return self.version >= (2, 24)


def find(environ: Mapping[str, str] = os.environ) -> ComposeCli:
    """Compose as it is installed: MACVLAN_ROS_COMPOSE_CLI, `docker compose`, docker-compose.

    Raises Unavailable when there is none.
    """
    named = environ.get("MACVLAN_ROS_COMPOSE_CLI", "").split()
    for words in (named,) if named else (["docker", "compose"], ["docker-compose"]):
        program = shutil.which(words[0], path=environ.get("PATH"))
        found = _version((program, *words[1:]), environ) if program else None
        if found:
            return found
    what = " ".join(named) if named else "docker compose, nor docker-compose,"
    raise Unavailable(
        f"there is no {what} here; install it, as with: apt install docker-compose, or name it with"
        " MACVLAN_ROS_COMPOSE_CLI"
    )


def _version(words: tuple[str, ...], environ: Mapping[str, str]) -> ComposeCli | None:
    try:
        done = subprocess.run(
            [*words, "version", "--short"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_WITHIN,
            check=False,
            env={**environ},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.match(done.stdout.decode(errors="replace").strip())
    if done.returncode or match is None:
        return None
    return ComposeCli(words, (int(match[1]), int(match[2])))
