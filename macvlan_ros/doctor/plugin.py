"""The doctor on Docker's plugin: whether its service does what its networks need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from macvlan_ros.doctor.finding import BAD, OK, WARNING, Finding

if TYPE_CHECKING:
    from macvlan_ros.app import App

_UNITS = Path("/etc/systemd/system")
_SOCKET = Path("/run/docker/plugins/macvlan-ros.sock")


def check(app: App) -> Iterator[Finding]:
    """Nothing where neither a unit nor a network is there."""
    from macvlan_ros.plugin import install
    from macvlan_ros.state import State

    networks = State(app.store, host=app.settings.host_name).networks()
    status = install.status(_UNITS, _SOCKET)
    if status.answers:
        yield Finding("plugin", OK, f"the service answers; {len(networks)} networks are its own")
    elif networks:
        yield Finding(
            "plugin",
            BAD,
            f"the service does not answer, and {len(networks)} of Docker's networks need it: no"
            " container starts there",
            "systemctl restart macvlan-ros (or: macvlan-ros plugin install)",
        )
    elif status.installed:
        state = status.active or "not running"
        yield Finding(
            "plugin",
            WARNING,
            f"the service is installed, and {state}",
            "systemctl start macvlan-ros; see: journalctl -u macvlan-ros",
        )
