"""Naming: a name for a container that nobody named, which no other run takes meanwhile."""

from __future__ import annotations

import fcntl
import re
import tempfile
from collections.abc import Callable, Collection
from contextlib import ExitStack
from pathlib import Path

from macvlan_ros.errors import InvalidRequest
from macvlan_ros.stores.files import LockTimeout, hold_lock

#: Where locks are for everybody's programs, and gone after a reboot (Filesystem Hierarchy, 3.15.2).
_LOCKS = Path("/run/lock")
_MOST = 99


class Naming:
    """Chooses names. A name stays this process's own until `close`, or its end. `standing` says
    which of some names containers have."""

    def __init__(self, standing: Callable[[Collection[str]], Collection[str]]) -> None:
        self._standing = standing
        self._held = ExitStack()

    def close(self) -> None:
        """Let others have the names that were chosen. Closing twice is fine."""
        self._held.close()

    def choose(self, image: str, *, elsewhere: Callable[[list[str]], Collection[str]]) -> str:
        """A name made from the image, the first that no container has, so that there are never more
        reservations than there were containers; `elsewhere` says which of some names other hosts
        have. Raises InvalidRequest when all are taken."""
        base = re.sub(r"[^A-Za-z0-9_.-]", "-", image.rpartition("/")[2].partition("@")[0])
        base = f"run-{base.replace(':', '-').strip('-.')}"[:100]
        names = [base, *(f"{base}-{number}" for number in range(2, _MOST + 1))]
        taken = {*self._standing(names), *elsewhere(names)}
        for name in names:
            # another run may have made its container between the first look and its lock's end
            if name not in taken and self._lock(name) and not self._standing([name]):
                return name
        raise InvalidRequest(f"there are {_MOST} containers '{base}-…'; give it a --name")

    def _lock(self, name: str) -> bool:
        """Whether no other run has chosen the name, whose container is not there yet."""
        folder = _LOCKS if _LOCKS.is_dir() else Path(tempfile.gettempdir())
        lock = hold_lock(folder / f"macvlan-ros-{name}", fcntl.LOCK_EX, deadline=0.0)
        try:
            self._held.enter_context(lock)
        except LockTimeout:
            return False
        return True
