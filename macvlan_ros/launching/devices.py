"""Devices: whether what a stack wants to pass to its containers is on this PC."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path

from macvlan_ros.errors import DeviceNotFound
from macvlan_ros.models.containers import Service
from macvlan_ros.models.stacks import Stack


def check(stack: Stack, here: Sequence[Service]) -> None:
    """Raises DeviceNotFound, naming service and file, for one that is not there."""
    for service in here:
        for device in service.devices:
            if not _is_device(Path(device.source)):
                raise DeviceNotFound(
                    f"{stack.files[0]}: services.{service.name}.devices: {device.source} is"
                    " not on this PC; plug it in, or take it out of the file"
                )


def _is_device(path: Path) -> bool:
    """A device node, or a folder of them (/dev/snd), which Docker passes whole."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISBLK(mode) or stat.S_ISDIR(mode)
