"""Pairs: what holds between each place that can be looked from, and each other one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from netaddr import IPAddress

from macvlan_ros.verify import doors, echo, flood, multicast, resolving
from macvlan_ros.verify.check import BAD, OK, WARNING, Check
from macvlan_ros.verify.doors import Door
from macvlan_ros.verify.echo import Echo
from macvlan_ros.verify.place import Place, Vantage

_SECONDS = 2.5
#: At least so many bytes must pass, whatever a link says of itself (RFC 791).
_LEAST = 68


@dataclass(frozen=True, slots=True)
class _Seen:
    """Everything that was found out, by names of places."""

    echoes: Mapping[str, Mapping[IPAddress, Echo]]
    doors: Mapping[tuple[str, str], Door]
    meanings: Mapping[str, resolving.Meanings]
    heard: set[tuple[str, str]]
    flooded: Mapping[str, Mapping[IPAddress, str]]
    vantages: Mapping[str, Vantage]


def examine(
    vantages: Sequence[Vantage], targets: Sequence[Place], *, until: float
) -> tuple[Check, ...]:
    """The checks of all pairs, ordered by source and target. Takes 2.5 s at most.

    `targets` are the vantages' own places, too. Those without an address are left out.
    """
    end = min(until, time.monotonic() + _SECONDS)
    there = [one for one in targets if one.address is not None]
    seen = _look(vantages, there, end)
    return tuple(
        check
        for source in vantages
        for target in there
        if source.name != target.name
        for check in _judge(source, target, seen)
    )


def _look(vantages: Sequence[Vantage], targets: Sequence[Place], end: float) -> _Seen:
    inside = [one for one in vantages if not one.is_host]
    names = sorted({name for one in targets for name in one.names})
    with ThreadPoolExecutor(2 * len(vantages) + 3, thread_name_prefix="verify") as side_by_side:
        opened = side_by_side.submit(doors.ask, vantages, targets, until=end)
        heard = side_by_side.submit(multicast.ask, inside, until=end)
        meanings = side_by_side.submit(resolving.everywhere, inside, names, until=end)
        echoes = side_by_side.map(partial(_echoes, targets=targets, until=end), vantages)
        known = {one.name for one in vantages}
        away = [one.address for one in targets if one.address and one.name not in known]
        flooded = side_by_side.map(lambda one: flood.ask(one, away, until=end), inside)
        return _Seen(
            dict(zip((one.name for one in vantages), echoes, strict=True)),
            opened.result(),
            meanings.result(),
            heard.result(),
            dict(zip((one.name for one in inside), flooded, strict=True)),
            {one.name: one for one in vantages},
        )


def _echoes(source: Vantage, *, targets: Sequence[Place], until: float) -> dict[IPAddress, Echo]:
    others = {one.address for one in targets if one.name != source.name and one.address}
    try:
        return echo.ask(source, others, until=until)
    except OSError:  # no right to: TCP tells whether it is reached
        return {}


def _judge(source: Vantage, target: Place, seen: _Seen) -> Iterator[Check]:
    about = partial(Check, source=source.name, target=target.name)
    heard = seen.echoes[source.name].get(target.address or IPAddress(0), Echo())
    door = seen.doors[source.name, target.name]
    reach = _reach(about, source, target, heard, door)
    yield reach
    if target.names and not source.is_host:
        yield _name(about, target, seen.meanings[source.name])
    if reach.level == BAD:
        return  # the rest would only say the same in other words
    yield _tcp(about, target, door)
    if heard.longest:
        yield _mtu(about, source, heard, seen.vantages.get(target.name))
    other = seen.vantages.get(target.name)
    if not source.is_host and other is None and target.address:
        yield from _flooded(about, target, seen.flooded[source.name].get(target.address))
    elif not source.is_host and other is not None and not other.is_host:
        yield _multicast(about, target, (source.name, target.name) in seen.heard)


_About = partial[Check]


def _reach(about: _About, source: Vantage, target: Place, heard: Echo, door: Door) -> Check:
    if heard.seconds is not None:
        return about("reach", level=OK, milliseconds=_milliseconds(heard.seconds))
    if door.state in (doors.OPEN, doors.REFUSED):
        took = _milliseconds(door.seconds)
        return about("reach", level=OK, text="by TCP; ping is not answered", milliseconds=took)
    if source.is_host or not target.host:
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
    return about("reach", level=BAD, text=f"nobody answers at {target.address}", remedy=remedy)


def _name(about: _About, target: Place, meanings: resolving.Meanings) -> Check:
    for name in target.names:
        found = meanings.get(name, ())
        if not found:
            return about(
                "name",
                level=BAD,
                text=f"the name {name} does not resolve there",
                remedy=f"fix the address of '{target.name}' in the stack file, and launch again",
            )
        if not {target.address, *target.others} & set(found):
            return about(
                "name",
                level=BAD,
                text=f"the name {name} means {found[0]} there, and should mean {target.address}",
                remedy="launch again, or take the other entry out of its hosts file or DNS",
            )
    return about("name", level=OK, text=f"{', '.join(target.names)} is {target.address}")


def _tcp(about: _About, target: Place, door: Door) -> Check:
    took = _milliseconds(door.seconds)
    if door.state == doors.OPEN:
        return about("tcp", level=OK, milliseconds=took)
    if door.state == doors.REFUSED:
        return about("tcp", level=OK, text="not filtered", milliseconds=took)
    if door.state == doors.STOLEN:
        return about(
            "tcp",
            level=BAD,
            text=f"another machine answers at {target.address}",
            remedy="find it with macvlan-ros scan, and give it another address",
        )
    return about(
        "tcp",
        level=BAD,
        text="an arbitrary TCP port does not open, though the address answers",
        remedy="a firewall is in the way (ROS uses random ports): open all TCP ports between them",
    )


def _mtu(about: _About, source: Vantage, heard: Echo, other: Vantage | None) -> Check:
    if heard.longest >= source.mtu:
        return about("mtu", level=OK, text=f"{source.mtu} bytes")
    if other is not None and other.mtu != source.mtu:
        why = f"its link has an MTU of {other.mtu}"
    else:
        why = "something between them takes less"
    least = max(heard.longest, _LEAST)
    return about(
        "mtu",
        level=BAD,
        text=f"of {source.mtu} bytes, which its link sends at once, {least} pass: {why}",
        remedy="give the parents of all PCs the same MTU: ip link set PARENT mtu 1500",
    )


def _multicast(about: _About, target: Place, heard: bool) -> Check:
    if heard:
        return about("multicast", level=OK)
    return about(
        "multicast",
        level=BAD if target.ros == "2" else WARNING,
        text="UDP multicast does not arrive, by which ROS 2 finds its peers",
        remedy="let the switch pass it (IGMP snooping needs a querier), or name ROS 2's peers",
    )


def _flooded(about: _About, target: Place, heard: str | None) -> Iterator[Check]:
    """To a container of another PC; nothing where nothing could be sent."""
    if heard == flood.NOBODY:
        yield _multicast(about, target, False)
    elif heard is not None:
        yield about(
            "multicast",
            level=OK,
            text="" if heard == flood.DDS else "of the link; nobody there has joined DDS's group",
        )


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)
