"""Avahi on a machine of the LAN: what most Linux desktops and robots ask for names in .local."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.debian import tree
from tests.netns.lan import Machine

PACKAGES = ("avahi-daemon", "avahi-utils", "dbus-daemon")
#: What an installation of these would be about; they are started by hand here.
WITHOUT = ("adduser", "default-dbus-system-bus", "dbus-system-bus", "bind9-host")
FILES = {
    "etc/passwd": "root:x:0:0::/:/bin/sh\navahi:x:101:101::/:/bin/false\n",
    "etc/group": "root:x:0:\navahi:x:101:\n",
    "etc/bus.conf": """<busconfig>
<listen>unix:path=/run/dbus/system_bus_socket</listen>
<policy context="default">
<allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/><allow user="*"/>
</policy>
</busconfig>
""",
    "etc/avahi.conf": """[server]
allow-interfaces=eth0
use-ipv4=yes
use-ipv6=no
[publish]
disable-publishing=yes
""",
}
#: The tree is not written into, but for what lies over its /run.
START = """
mount --bind /dev "$1/dev"
mount -t tmpfs none "$1/run"
mkdir -p "$1/run/dbus" "$1/run/avahi-daemon"
chroot "$1" /usr/bin/dbus-daemon --config-file=/etc/bus.conf --nofork --nopidfile &
while [ ! -S "$1/run/dbus/system_bus_socket" ]; do sleep 0.02; done
exec chroot "$1" /usr/sbin/avahi-daemon -f /etc/avahi.conf --no-drop-root --no-chroot --no-rlimits
"""


class Avahi:
    """A running avahi-daemon."""

    def __init__(self, root: Path, pid: int) -> None:
        self._root = root
        self._pid = pid

    def resolve(self, name: str) -> str:
        """The IPv4 address of NAME.local; "" when nobody answers."""
        enter = ("nsenter", f"--target={self._pid}", "--mount", "--net", "chroot", str(self._root))
        ask = ("/usr/bin/avahi-resolve", "-4", "-n", f"{name}.local")
        done = subprocess.run(
            [*enter, *ask], capture_output=True, text=True, timeout=30, check=False
        )
        return done.stdout.split()[1] if done.returncode == 0 and done.stdout.strip() else ""


def root() -> Path:
    """A Debian with Avahi in it. Raises LabError when there can be none."""
    return tree("bookworm", PACKAGES, without=WITHOUT, files=FILES)


@contextmanager
def avahi(machine: Machine) -> Iterator[Avahi]:
    """Avahi on that machine, until the block ends."""
    place = root()
    enter = ("nsenter", f"--net={machine.path}", "unshare", "--mount")
    process = subprocess.Popen(
        [*enter, "sh", "-euc", START, "sh", str(place)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stderr is not None
        said = []
        deadline = time.monotonic() + 30
        for line in process.stderr:
            said.append(line)
            if "Server startup complete" in line:
                break
            assert time.monotonic() < deadline, said
        assert process.poll() is None, said
        yield Avahi(place, process.pid)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
