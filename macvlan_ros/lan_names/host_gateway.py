"""host-gateway: the PC that a container is on, as a name's address. Pure.

Docker takes the address of its default bridge for it, which a container on the LAN does not reach:
its packets go out to the LAN's gateway. What it reaches, by the shim, is the PC's address there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from netaddr import IPAddress

WORD = "host-gateway"
_NOTE = "{names}: host-gateway is {address}, this PC on the LAN; Docker's own is not reached there"


def on_lan(
    entries: Iterable[tuple[str, str]], own: IPAddress | None
) -> tuple[tuple[tuple[str, str], ...], str]:
    """Names with their addresses, this PC's `own` in place of the word; and what to say of it, ""
    when nothing was changed. Without an address on the LAN all stay."""
    entries = tuple(entries)
    names = [name for name, address in entries if address == WORD]
    if own is None or not names:
        return entries, ""
    changed = tuple((name, str(own) if address == WORD else address) for name, address in entries)
    return changed, _NOTE.format(names=", ".join(names), address=own)


def option(entry: str, own: IPAddress | None) -> tuple[str, str]:
    """The same for a value of --add-host, which is NAME:ADDRESS or NAME=ADDRESS."""
    found = re.fullmatch(r"([^:=]+)([:=])(.*)", entry)
    if found is None:
        return entry, ""
    ((name, address),), note = on_lan([(found[1], found[3])], own)
    return f"{name}{found[2]}{address}", note
