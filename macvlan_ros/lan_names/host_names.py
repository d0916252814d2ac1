"""The names that a PC's own hosts file has: on the host's network every container knows them, and
many a robot's PCs know one another by nothing else. Pure, but for `read`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from netaddr import AddrFormatError, IPAddress

HOSTS = Path("/etc/hosts")
_OWN = ("ROS_HOSTNAME=", "ROS_IP=")


def known(text: str, *, own_name: str, own: str) -> dict[str, str]:
    """The names of a hosts file with their IPv4 addresses (hosts(5)), without those of the PC's
    loopback; its own name stands for `own`, unless that is ""."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if words and _is_elsewhere(words[0]):
            for name in words[1:]:
                found.setdefault(name, words[0])
    if own and own_name:
        found[own_name] = own
    return found


def read() -> str:
    """This PC's hosts file; "" when it cannot be read."""
    try:
        return HOSTS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def without(names: Mapping[str, str], others: Collection[str]) -> dict[str, str]:
    """The names but for `others`, which mean something of their own."""
    return {name: address for name, address in names.items() if name not in others}


def spoken_of(names: Mapping[str, str], words: Iterable[str]) -> dict[str, str]:
    """Those that stand in one of the words, as in http://NAME:11311; not where a node is told what
    it is called itself, for that is taken out."""
    others = (word for word in words if not word.startswith(_OWN))
    said = {part for word in others for part in re.split(r"[^A-Za-z0-9._-]+", word)}
    return {name: address for name, address in names.items() if name in said}


def _is_elsewhere(text: str) -> bool:
    try:
        address = IPAddress(text)
    except (AddrFormatError, ValueError):
        return False
    return bool(address.version == 4 and int(address) and not address.is_loopback())
