"""Vendors: who made a network card, by the first half of its MAC."""

from __future__ import annotations


def vendor(mac: str) -> str:
    """The organisation that IEEE registered the MAC's first three bytes to.

    "locally administered" for a MAC that software made up (containers, phones that hide), "" for
    one that is unknown or is none. The registry is netaddr's, and is loaded at the first call.
    """
    from netaddr import EUI, AddrFormatError, NotRegisteredError

    try:
        eui = EUI(mac, version=48)
    except (AddrFormatError, TypeError, ValueError):
        return ""
    if eui.words[0] & 0x02:
        return "locally administered"
    try:
        return str(eui.oui.registration()["org"])
    except NotRegisteredError:
        return ""
