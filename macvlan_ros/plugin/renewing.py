"""Renewing: the service's thread that keeps this host's leases."""

from __future__ import annotations

import json
import logging
import threading

from macvlan_ros.errors import MacvlanRosError
from macvlan_ros.leasing.keeping import keep_up
from macvlan_ros.leasing.leases import Leases
from macvlan_ros.leasing.wire import LeaseWire
from macvlan_ros.stores.base import Store

__all__ = ["Renewing"]

log = logging.getLogger("macvlan_ros.plugin")

# Seconds between two looks into the store. A container that Docker started has its lease so soon.
_ROUNDS = 5.0


class Renewing:
    """Renews what is due, takes what is missing, gives back what was left over; says so in the log.

    A store that does not answer is tried again in the next round.
    """

    def __init__(
        self, store: Store, *, host: str, wire: LeaseWire | None = None, seconds: float = _ROUNDS
    ) -> None:
        self._store = store
        self._leases = Leases(store, host=host, note=_note, wire=wire)
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; the first round is at once."""
        self._thread = threading.Thread(target=self._run, name="macvlan-ros renewing", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; what is being asked is not waited for, and is known to the next run."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._round()
            except MacvlanRosError as error:
                log.warning("call=lease outcome=%s detail=%s", type(error).__name__, _quote(error))
            self._stop.wait(self._seconds)

    def _round(self) -> None:
        for done in keep_up(self._store, self._leases):
            log.log(
                logging.WARNING if done.text else logging.INFO,
                "call=lease outcome=%s owner=%s address=%s pool=%s server=%s%s",
                *(done.what.capitalize(), done.lease.owner, done.lease.address, done.lease.pool),
                *(done.lease.server or "-", f" detail={_quote(done.text)}" if done.text else ""),
            )


def _note(text: str) -> None:
    log.warning("call=lease outcome=Note detail=%s", _quote(text))


def _quote(text: object) -> str:
    return json.dumps(str(text))
