"""The doctor on MTUs: whether datagrams as long as the parent sends them reach the gateway."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from netaddr import IPAddress

from macvlan_ros.doctor.finding import BAD, OK, WARNING, Finding
from macvlan_ros.models.links import Link
from macvlan_ros.verify import echo
from macvlan_ros.verify.place import Place, Vantage

if TYPE_CHECKING:
    from macvlan_ros.app import App

_SECONDS = 1.2


def check(app: App, parent: Link) -> Iterator[Finding]:
    """The links over the parent, and the way to its gateway."""
    for link in app.links.macvlans():
        if link.parent == parent.name and link.mtu != parent.mtu:
            text = f"{link.name} has an MTU of {link.mtu}, and {parent.name} one of {parent.mtu}"
            remedy = f"ip link set {link.name} mtu {parent.mtu}"
            yield Finding("mtu", WARNING, text, remedy)
    if parent.gateway is None or parent.gateway.version != 4:
        yield Finding("mtu", OK, f"{parent.name} has an MTU of {parent.mtu}, and no gateway to try")
        return
    heard = _ask(parent, parent.gateway)
    if heard.seconds is None:
        text = f"the gateway {parent.gateway} does not answer to ping, so no MTU was tried"
        yield Finding("mtu", OK, text)
    elif heard.longest < parent.mtu:
        yield Finding(
            "mtu",
            BAD,
            f"of the {parent.mtu} bytes that {parent.name} sends at once, {heard.longest} reach the"
            f" gateway {parent.gateway}: long messages get lost",
            f"ip link set {parent.name} mtu {heard.longest}, or set the LAN's switches to"
            f" {parent.mtu}",
        )
    else:
        yield Finding("mtu", OK, f"{parent.mtu} bytes reach the gateway at once")


def _ask(parent: Link, gateway: IPAddress) -> echo.Echo:
    own = next((one.ip for one in parent.addresses if one.version == 4), None)
    vantage = Vantage(Place(name="this PC", address=own, interface=parent.name))
    try:
        return echo.ask(vantage, [gateway], until=time.monotonic() + _SECONDS)[gateway]
    except PermissionError:
        return echo.Echo()
    finally:
        vantage.close()
