"""Rights: which of the kernel's privileges this process has (capabilities(7))."""

from __future__ import annotations

from pathlib import Path

_NET_ADMIN = 12


def may_change_links(status: Path = Path("/proc/self/status")) -> bool:
    """Whether links, addresses and routes may be changed: CAP_NET_ADMIN. True when in doubt."""
    try:
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return True
    for line in lines:
        name, _, value = line.partition(":")
        if name == "CapEff":
            return bool(int(value.strip(), 16) >> _NET_ADMIN & 1)
    return True
