"""Telling systemd how the service does (sd_notify(3))."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Mapping

__all__ = ["notify", "wait"]

#: So often within the time that systemd allows it is told that the service goes on.
_BEATS = 4


def notify(state: str, environ: Mapping[str, str]) -> bool:
    """Tell systemd, for instance "READY=1"; False when it does not ask to be told."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.settimeout(1)
        try:
            sender.connect(address)
            sender.sendall(state.encode())
        except OSError:
            # Readiness is a courtesy: a manager that went away must not end the service.
            return False
    return True


def wait(stop: threading.Event, environ: Mapping[str, str]) -> None:
    """Wait until it is set, and tell systemd meanwhile that the service goes on, if its unit asks
    for that (WatchdogSec=, sd_watchdog_enabled(3)). One that stands still is then started anew:
    Docker would wait for it without end."""
    allowed, process = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    asked = allowed.isdecimal() and process in ("", str(os.getpid()))
    while not stop.wait(int(allowed) / 1e6 / _BEATS if asked else None):
        notify("WATCHDOG=1", environ)
