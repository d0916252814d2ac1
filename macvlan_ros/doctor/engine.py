"""The doctor on the Docker Engine: whether it answers, and has what is needed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from macvlan_ros.doctor.finding import BAD, OK, Finding

if TYPE_CHECKING:
    from macvlan_ros.app import App

#: The oldest engine whose API has all that is needed.
OLDEST_ENGINE = (20, 10)


def check(app: App) -> Iterator[Finding]:
    """Whether the engine answers and is recent enough."""
    info = app.engine.info()
    version = tuple(int(part) for part in info.version.split(".")[:2] if part.isdigit())
    if version < OLDEST_ENGINE:
        yield Finding(
            "docker", BAD, f"Docker Engine {info.version} is too old", "install 20.10 or later"
        )
    elif info.rootless:
        yield Finding(
            "docker",
            BAD,
            "this Docker Engine runs without root: it has no way to the LAN's interfaces",
            "use the usual engine: systemctl enable --now docker, docker context use default",
        )
    else:
        yield Finding("docker", OK, f"Docker Engine {info.version} on {info.name}")
