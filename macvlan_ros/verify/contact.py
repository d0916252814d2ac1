"""Contact: whether a place reaches another one, by echo and by TCP, and how much passes at once.

Over IPv6 as over IPv4; the checks of IPv6 are called reach6, tcp6 and mtu6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from netaddr import IPAddress

from macvlan_ros.verify import doors, echo
from macvlan_ros.verify.check import BAD, OK, Check
from macvlan_ros.verify.doors import Door
from macvlan_ros.verify.echo import Echo
from macvlan_ros.verify.place import Place, Vantage

Echoes = Mapping[IPAddress, Echo]

_About = Callable[..., Check]
#: At least so many bytes must pass, whatever a link says of itself (RFC 791, RFC 8200).
_LEAST = {4: 68, 6: 1280}


def echoes(
    source: Vantage, *, targets: Sequence[Place], until: float, version: int = 4
) -> dict[IPAddress, Echo]:
    """What the other targets answer, asked from there; nothing without the right to ask."""
    others = {at for one in targets if one.name != source.name and (at := one.at(version))}
    try:
        return echo.ask(source, others, until=until, version=version)
    except OSError:  # no right to: TCP tells whether it is reached
        return {}


def judge(
    source: Vantage,
    target: Place,
    *,
    echoes: Echoes,
    door: Door,
    other: Vantage | None,
    version: int = 4,
) -> Iterator[Check]:
    """The checks of one pair; only the first where nobody is reached. `other` is the target where
    that can be looked from, too."""
    mark = "6" if version == 6 else ""
    address = target.at(version)
    heard = echoes.get(address or IPAddress(0), Echo())

    def about(kind: str, level: str, text: str = "", **more: Any) -> Check:
        return Check(kind + mark, source.name, target.name, level, text, **more)

    reach = _reach(about, source, target, address, heard, door)
    yield reach
    if reach.level != BAD:
        yield _tcp(about, address, door)
        if heard.longest:
            yield _mtu(about, source, heard, other, _LEAST[version])


def _reach(
    about: _About,
    source: Vantage,
    target: Place,
    address: IPAddress | None,
    heard: Echo,
    door: Door,
) -> Check:
    if heard.seconds is not None:
        return about("reach", level=OK, milliseconds=_milliseconds(heard.seconds))
    if door.state in (doors.OPEN, doors.REFUSED):
        took = _milliseconds(door.seconds)
        return about("reach", level=OK, text="by TCP; ping is not answered", milliseconds=took)
    if (source.is_host and target.pid) or target.interface or not target.host:
        remedy = "let this PC and its containers reach each other: macvlan-ros shim up"
    elif target.pid:
        remedy = (
            "both are on this PC: look at the network's mode (bridge?) with macvlan-ros network"
            " list, then macvlan-ros launch again"
        )
    else:
        remedy = (
            f"is it running? On {target.host or 'its PC'}: macvlan-ros ps; then look at that PC's"
            " cable, and there at macvlan-ros doctor"
        )
    return about("reach", level=BAD, text=f"nobody answers at {address}", remedy=remedy)


def _tcp(about: _About, address: IPAddress | None, door: Door) -> Check:
    took = _milliseconds(door.seconds)
    if door.state == doors.OPEN:
        return about("tcp", level=OK, milliseconds=took)
    if door.state == doors.REFUSED:
        return about("tcp", level=OK, text="not filtered", milliseconds=took)
    if door.state == doors.STOLEN:
        return about(
            "tcp",
            level=BAD,
            text=f"another machine answers at {address}",
            remedy="find it with macvlan-ros scan, and give it another address",
        )
    return about(
        "tcp",
        level=BAD,
        text="an arbitrary TCP port does not open, though the address answers",
        remedy="a firewall is in the way (ROS uses random ports): open all TCP ports between them",
    )


def _mtu(about: _About, source: Vantage, heard: Echo, other: Vantage | None, least: int) -> Check:
    if heard.longest >= source.mtu:
        return about("mtu", level=OK, text=f"{source.mtu} bytes")
    remedy = "give the parents of all PCs the same MTU: ip link set PARENT mtu 1500"
    if other is not None and other.mtu != source.mtu:
        why = f"its link has an MTU of {other.mtu}"
        # a container's link gets smaller with the parent, and does not grow with it
        remedy += f"; then start it again: macvlan-ros restart {other.name}"
    else:
        why = "something between them takes less"
    passed = max(heard.longest, least)
    return about(
        "mtu",
        level=BAD,
        text=f"of {source.mtu} bytes, which its link sends at once, {passed} pass: {why}",
        remedy=remedy,
    )


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)
