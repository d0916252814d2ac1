"""Enrolling: the service's thread that keeps this host in the register of hosts."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable

from macvlan_ros.errors import Conflict, MacvlanRosError
from macvlan_ros.fleet.enrolment import Enrolment

__all__ = ["Enrolling"]

log = logging.getLogger("macvlan_ros.plugin")

# Seconds until a store or kernel that did not answer is asked again.
_AGAIN = 5.0


class Enrolling:
    """Enters the host now and then. When another machine goes by its name, the service must end:
    each would take the other's endpoints for leftovers of its own."""

    def __init__(self, enrolment: Enrolment) -> None:
        self._enrolment = enrolment
        self._stop = threading.Event()
        self.refused: Conflict | None = None

    def start(self, give_up: Callable[[], None]) -> None:
        """Begin; in a store that hosts share the first entry is at once. `give_up` is called when
        the name is another's."""
        threading.Thread(
            target=self._run, args=(give_up,), name="macvlan-ros enrolling", daemon=True
        ).start()

    def stop(self) -> None:
        """End; what is being written is not waited for."""
        self._stop.set()

    def _run(self, give_up: Callable[[], None]) -> None:
        self._stop.wait(self._enrolment.first)
        while not self._stop.is_set():
            rest = _AGAIN
            try:
                self._enrolment.enter()
                rest = self._enrolment.rest
            except Conflict as error:
                self.refused = error
                give_up()
                return
            except MacvlanRosError as error:
                text = json.dumps(str(error))
                log.warning("call=enrol outcome=%s detail=%s", type(error).__name__, text)
            self._stop.wait(rest)
