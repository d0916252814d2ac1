"""The LAN's router: dnsmasq on the switch, which leases addresses."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab import Lab


class Router:
    """dnsmasq on the switch, as a router's."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def table(self) -> dict[str, str]:
        """Its leases: name -> address."""
        time.sleep(0.2)
        lines = self._lab.switch.run("cat", "/run/leases").stdout.splitlines()
        return {line.split()[3]: line.split()[2] for line in lines}


def start_router(lab: Lab, first: str, last: str, *options: str) -> subprocess.Popen[str]:
    """A router that leases these addresses for two minutes, dnsmasq's shortest, and pings first,
    but with --no-ping.

    It ends with the lab at latest.
    """
    lab.switch.run("rm", "-f", "/run/leases")
    server = lab.switch.popen(
        *("dnsmasq", "--keep-in-foreground", "--port=0", "--interface=lan", "--bind-interfaces"),
        *("--conf-file=/dev/null", "--dhcp-leasefile=/run/leases", "--user=root", "--pid-file="),
        *(f"--dhcp-range={first},{last},120", *options),
    )
    end = time.monotonic() + 20
    while ":67 " not in lab.switch.run("ss", "-lun").stdout:
        assert time.monotonic() < end, "no DHCP server came up"
        time.sleep(0.02)
    return server


@contextmanager
def router(lab: Lab, first: str, last: str, *options: str) -> Iterator[Router]:
    """A router, until the block ends."""
    server = start_router(lab, first, last, *options)
    try:
        yield Router(lab)
    finally:
        server.terminate()
        server.wait(10)
