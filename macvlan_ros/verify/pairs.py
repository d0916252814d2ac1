"""Pairs: what holds between each place that can be looked from, and each other one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from netaddr import IPAddress

from macvlan_ros.values import dataclass
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
    vantages: Sequence[Vantage], targets: Sequence[Place], *, until: float, spoken: int = 4
) -> tuple[Check, ...]:
    """The checks of all pairs, ordered by source and target. Waits for 2.5 s at most, and ends at
    `until` (time.monotonic).

    `targets` are the vantages' own places, too. Those without an IPv4 address are left out.
    `spoken` is the version of IP that ROS speaks, and needs multicast over.
    """
    there = [one for one in targets if one.address is not None]
    seen = _look(vantages, there, until)
    return tuple(
        check
        for source in vantages
        for target in there
        if source.name != target.name
        for check in _judge(source, target, seen, needed=spoken == 4)
    )


def examine_six(
    vantages: Sequence[Vantage], targets: Sequence[Place], *, until: float, spoken: int = 4
) -> list[Check]:
    """The same between containers that have IPv6 addresses, over IPv6: contact, names that have
    IPv6 addresses, and multicast."""
    inside = {one.name: one for one in vantages if not one.is_host and one.place.address6}
    there = [one for one in targets if one.address6 is not None]
    pairs = [(one, other) for one in inside.values() for other in there if one.name != other.name]
    if not pairs:
        return []
    seen = _look(list(inside.values()), there, until, version=6)
    found: list[Check] = []
    for source, target in pairs:
        reach, *rest = _contact(source, target, seen, version=6)
        found += [reach, *rest, *_name_six(source, target, seen.meanings[source.name])]
        if reach.level != BAD:
            found += _multicast(source, target, seen, version=6, needed=spoken == 6)
    return found


def _look(
    vantages: Sequence[Vantage], targets: Sequence[Place], until: float, *, version: int = 4
) -> _Seen:
    inside = [one for one in vantages if not one.is_host]
    names = sorted({name for one in targets for name in one.names})
    known = {one.name for one in vantages}
    away = [at for one in targets if one.name not in known and (at := one.at(version))]
    with ThreadPoolExecutor(2 * len(vantages) + 3, thread_name_prefix="verify") as side_by_side:
        opened = side_by_side.submit(doors.ask, vantages, targets, until=until, version=version)
        heard = side_by_side.submit(multicast.ask, inside, until=until, version=version)
        # names are asked for no longer
        soon = min(until, time.monotonic() + _SECONDS)
        look = partial(resolving.everywhere, until=soon, version=version)
        meanings = side_by_side.submit(look, inside, names)
        ask = partial(contact.echoes, targets=targets, until=until, version=version)
        echoes = side_by_side.map(ask, vantages)
        spread = partial(flood.ask, targets=away, until=until, version=version)
        flooded = side_by_side.map(spread, inside)
        return _Seen(
            dict(zip((one.name for one in vantages), echoes, strict=True)),
            opened.result(),
            meanings.result(),
            heard.result(),
            dict(zip((one.name for one in inside), flooded, strict=True)),
            {one.name: one for one in vantages},
        )


def _judge(source: Vantage, target: Place, seen: _Seen, *, needed: bool) -> Iterator[Check]:
    reach, *rest = _contact(source, target, seen)
    yield reach
    if target.names and not source.is_host:
        about = partial(Check, source=source.name, target=target.name)
        yield _name(about, target, seen.meanings[source.name])
    if reach.level == BAD:
        return  # the rest would only say the same in other words
    yield from rest
    if not source.is_host:
        yield from _multicast(source, target, seen, needed=needed)


def _contact(source: Vantage, target: Place, seen: _Seen, version: int = 4) -> Iterator[Check]:
    return contact.judge(
        source,
        target,
        echoes=seen.echoes[source.name],
        door=seen.doors[source.name, target.name],
        other=seen.vantages.get(target.name),
        version=version,
    )


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


def _multicast(
    source: Vantage, target: Place, seen: _Seen, *, version: int = 4, needed: bool
) -> Iterator[Check]:
    """Whether it arrives, `needed` where ROS 2 would look for its peers so. Nothing of a PC itself,
    and where nothing could be sent."""
    heard = None if target.interface else _heard(source, target, seen, version)
    if heard is None:
        return
    about = partial(Check, "multicast6" if version == 6 else "multicast", source.name, target.name)
    if heard == flood.NOBODY:
        over = " over IPv6" if version == 6 else ""
        yield about(
            BAD if needed and target.ros == "2" else WARNING,
            f"UDP multicast{over} does not arrive, by which ROS 2 finds its peers",
            "let the switch pass it"
            f" ({'MLD' if version == 6 else 'IGMP'} snooping needs a querier), or name ROS 2's"
            " peers",
        )
    else:
        joined = heard == flood.DDS
        yield about(OK, "" if joined else "arrives; no ROS 2 node there has joined its group")


def _heard(source: Vantage, target: Place, seen: _Seen, version: int) -> str | None:
    """How far multicast comes, as `flood` has it; None where that is not known."""
    if target.name in seen.vantages:
        return flood.DDS if (source.name, target.name) in seen.heard else flood.NOBODY
    return seen.flooded[source.name].get(target.at(version) or IPAddress(0))
