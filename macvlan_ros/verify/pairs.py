"""Pairs: what holds between each place that can be looked from, and each other one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from netaddr import IPAddress

from macvlan_ros.verify import contact, doors, flood, multicast, resolving
from macvlan_ros.verify.check import BAD, OK, WARNING, Check
from macvlan_ros.verify.doors import Door
from macvlan_ros.verify.echo import Echo
from macvlan_ros.verify.place import Place, Vantage

_SECONDS = 2.5
_ANOTHER = "launch again, or take the other entry out of its hosts file or DNS"


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
    """The checks of all pairs, ordered by source and target. Waits for 2.5 s at most, and ends at
    `until` (time.monotonic).

    `targets` are the vantages' own places, too. Those without an IPv4 address are left out.
    """
    there = [one for one in targets if one.address is not None]
    seen = _look(vantages, there, until)
    return tuple(
        check
        for source in vantages
        for target in there
        if source.name != target.name
        for check in _judge(source, target, seen)
    )


def examine_six(
    vantages: Sequence[Vantage], targets: Sequence[Place], *, until: float
) -> list[Check]:
    """The same between containers that have IPv6 addresses, over IPv6: contact, and names that
    have IPv6 addresses."""
    inside = {one.name: one for one in vantages if not one.is_host and one.place.address6}
    there = [one for one in targets if one.address6 is not None]
    pairs = [(one, other) for one in inside.values() for other in there if one.name != other.name]
    if not pairs:
        return []
    names = sorted({name for one in there for name in one.names})
    sources = list(inside.values())
    with ThreadPoolExecutor(len(inside) + 2, thread_name_prefix="verify") as side_by_side:
        look = partial(resolving.everywhere, version=6, until=_soon(until))
        meanings = side_by_side.submit(look, sources, names)
        opened = side_by_side.submit(doors.ask, sources, there, until=until, version=6)
        ask = partial(contact.echoes, targets=there, until=until, version=6)
        echoes = dict(zip(inside, side_by_side.map(ask, sources), strict=True))
    found: list[Check] = []
    for source, target in pairs:
        found += contact.judge(
            source,
            target,
            echoes=echoes[source.name],
            door=opened.result()[source.name, target.name],
            other=inside.get(target.name),
            version=6,
        )
        found += _name_six(source, target, meanings.result()[source.name])
    return found


def _soon(until: float) -> float:
    """When names are asked for no longer."""
    return min(until, time.monotonic() + _SECONDS)


def _look(vantages: Sequence[Vantage], targets: Sequence[Place], until: float) -> _Seen:
    inside = [one for one in vantages if not one.is_host]
    names = sorted({name for one in targets for name in one.names})
    with ThreadPoolExecutor(2 * len(vantages) + 3, thread_name_prefix="verify") as side_by_side:
        opened = side_by_side.submit(doors.ask, vantages, targets, until=until)
        heard = side_by_side.submit(multicast.ask, inside, until=until)
        meanings = side_by_side.submit(resolving.everywhere, inside, names, until=_soon(until))
        echoes = side_by_side.map(partial(contact.echoes, targets=targets, until=until), vantages)
        known = {one.name for one in vantages}
        away = [one.address for one in targets if one.address and one.name not in known]
        flooded = side_by_side.map(lambda one: flood.ask(one, away, until=until), inside)
        return _Seen(
            dict(zip((one.name for one in vantages), echoes, strict=True)),
            opened.result(),
            meanings.result(),
            heard.result(),
            dict(zip((one.name for one in inside), flooded, strict=True)),
            {one.name: one for one in vantages},
        )


def _judge(source: Vantage, target: Place, seen: _Seen) -> Iterator[Check]:
    about = partial(Check, source=source.name, target=target.name)
    other = seen.vantages.get(target.name)
    reach, *rest = contact.judge(
        source,
        target,
        echoes=seen.echoes[source.name],
        door=seen.doors[source.name, target.name],
        other=other,
    )
    yield reach
    if target.names and not source.is_host:
        yield _name(about, target, seen.meanings[source.name])
    if reach.level == BAD:
        return  # the rest would only say the same in other words
    yield from rest
    if not source.is_host and other is None and target.address:
        yield from _flooded(about, target, seen.flooded[source.name].get(target.address))
    elif not source.is_host and other is not None and not other.is_host:
        yield _multicast(about, target, (source.name, target.name) in seen.heard)


_About = partial[Check]


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
        if not {target.address, target.address6, *target.others} & set(found):
            return about(
                "name",
                level=BAD,
                text=f"the name {name} means {found[0]} there, and should mean {target.address}",
                remedy=_ANOTHER,
            )
    return about("name", level=OK, text=f"{', '.join(target.names)} is {target.address}")


def _name_six(source: Vantage, target: Place, meanings: resolving.Meanings) -> Iterator[Check]:
    """Nothing for a name without IPv6 addresses: it has another one, by IPv4."""
    about = partial(Check, "name6", source.name, target.name)
    known = {name: meanings[name] for name in target.names if meanings.get(name)}
    for name, found in known.items():
        if not {target.address6, *target.others} & set(found):
            yield about(
                level=BAD,
                text=f"the name {name} means {found[0]} there, and should mean {target.address6}",
                remedy=_ANOTHER,
            )
            return
    if known:
        yield about(level=OK, text=f"{', '.join(known)} is {target.address6}")


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
