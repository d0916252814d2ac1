"""Telling systemd how the service does (sd_notify(3))."""

from __future__ import annotations

import socket
from collections.abc import Mapping

__all__ = ["notify"]


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
