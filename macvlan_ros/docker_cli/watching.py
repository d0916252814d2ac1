"""The watch: while Docker's command line runs a container, waits for it and sees to it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from netaddr import IPAddress

from macvlan_ros.docker_cli.passing import Child
from macvlan_ros.errors import MacvlanRosError
from macvlan_ros.models.networks import Network
from macvlan_ros.undo import Undo

if TYPE_CHECKING:
    from macvlan_ros.app import App

_LOOK_EVERY = 0.05
_LOOK_EVERY_LATER = 0.25
_LATER = 2.0


class Watch:
    """Waits until the container runs, and sees to it then: the shim, its route, an announcement."""

    def __init__(self, app: App, name: str, *, network: Network, address: IPAddress) -> None:
        self._app = app
        self._name = name
        self._network = network
        self._address = address
        self.seen = False

    def attend(self, child: Child) -> None:
        """Called beside the command line while it runs."""
        undo = Undo()
        try:
            with self._app.attendance.arriving(
                self._network, [self._address], undo=undo
            ) as arrivals:
                self.seen = self._await(child)
                if self.seen:
                    arrivals.started(self._name)
                    arrivals.finish()
            if not self.seen:
                undo.run(self._app.note)
        except MacvlanRosError as error:
            self._app.note(str(error))

    def _await(self, child: Child) -> bool:
        began = time.monotonic()
        while True:
            # in this order: what ends between the two looks was there at the second
            over = child.ended.is_set()
            if self._app.engine.attached_as(self._name, self._network.id):
                return True
            if over:
                return False
            late = time.monotonic() - began > _LATER
            child.ended.wait(_LOOK_EVERY_LATER if late else _LOOK_EVERY)
