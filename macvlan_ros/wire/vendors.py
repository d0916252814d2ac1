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


def who(mac: str) -> str:
    """A MAC with its maker, as far as that is known, for people to read."""
    maker = vendor(mac)
    return f"{mac} ({maker})" if maker else mac
