"""What tests of the shim look at: who reaches whom, and what others on the LAN see."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.lab import Host, LabError

TWO = """
    services:
      talker: {image: "ros:lab"}
      listener: {image: "ros:lab", depends_on: [talker]}
    """


def pings(host: Host, address: str, *before: str) -> bool:
    """Whether a ping comes back within three seconds: who has only a stale entry for the address
    asks after five. `before` may lead into a container."""
    words = ("busybox", "ping", "-6" if ":" in address else "-4", "-c", "1", "-W", "3", address)
    return host.run(*before, *words, check=False).returncode == 0


def reach_each_other(host: Host, container: str, address: str) -> bool:
    """Both ways, by the host's usual address; not while the container, or Docker, does not run."""
    try:
        return pings(host, address) and pings(host, host.address, *host.into(container))
    except LabError:
        return False


def comes_true(check: Callable[[], bool], *, within: float) -> float:
    """The seconds until the check holds; fails when it does not in time."""
    start = time.monotonic()
    while not check():
        assert time.monotonic() - start < within, f"not so after {within:g} s"
        time.sleep(0.05)
    return time.monotonic() - start


def macs_for(viewer: Host, address: str) -> set[str]:
    """All MACs that answer when another machine asks for the address."""
    done = viewer.run(
        *("arping", "-b", "-c", "3", "-w", "3", "-I", "eth0", address), check=False, timeout=20
    )
    return {mac.lower() for mac in re.findall(r"\[([0-9A-Fa-f:]{17})\]", done.stdout)}


@contextmanager
def announcements(host: Host, link: str) -> Iterator[list[tuple[str, str]]]:
    """The gratuitous ARP frames on a link, as tshark reads them: MAC and address, as they come."""
    fields = ("eth.src", "arp.src.hw_mac", "arp.src.proto_ipv4", "arp.dst.proto_ipv4")
    words = [word for field in fields for word in ("-e", field)]
    reader = host.popen(
        *("tshark", "-l", "-n", "-Q", "-i", link, "-f", "arp and ether broadcast"),
        *("-T", "fields", *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    seen: list[tuple[str, str]] = []
    begun = threading.Event()

    def read() -> None:
        assert reader.stdout is not None
        for line in reader.stdout:
            begun.set()
            sender, mac, address, target = line.split()
            if sender == mac and address == target:
                seen.append((mac, address))

    threading.Thread(target=read, daemon=True).start()
    deadline = time.monotonic() + 30
    while not begun.wait(0.2):  # it has no other way to say that it listens
        assert time.monotonic() < deadline, "tshark hears nothing"
        host.run("arping", "-q", "-c", "1", "-w", "1", "-I", link, "192.168.50.250", check=False)
    try:
        yield seen
    finally:
        reader.terminate()
        reader.wait(10)


def shims(host: Host) -> list[str]:
    """The shims' links on a host."""
    names = [path.name for path in host.path("/sys/class/net").iterdir()]
    return sorted(name for name in names if name.startswith("mvr-"))


def reservations(host: Host) -> dict[str, dict[str, str]]:
    found = json.loads(host.macvlan_ros("list", "--json", check=True).stdout)
    return {one["owner"]: one for one in found}


def shown(host: Host) -> list[dict[str, object]]:
    """What `shim show` says."""
    found: list[dict[str, object]] = json.loads(
        host.macvlan_ros("shim", "show", "--json", check=True).stdout
    )
    return found


def arp_settings(host: Host, link: str = "eth0") -> tuple[str, str]:
    """arp_ignore and arp_announce of a link."""
    folder = f"/proc/sys/net/ipv4/conf/{link}"
    text = host.run("cat", f"{folder}/arp_ignore", f"{folder}/arp_announce").stdout
    ignore, announce = text.split()
    return ignore, announce


def forget_arp_settings(host: Host) -> None:
    """As after a boot: the lab's eth0 outlives its tests."""
    host.run(
        "sh", "-c", "cd /proc/sys/net/ipv4/conf/eth0; echo 0 >arp_ignore; echo 0 >arp_announce"
    )
