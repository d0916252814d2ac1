"""Seats: the hosts of a stack with their engines, and which of them answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from macvlan_ros.docker_api.values import EngineInfo
from macvlan_ros.doctor.clocks import read_time
from macvlan_ros.engine import Engine
from macvlan_ros.errors import Conflict, DockerDown, Forbidden, InvalidRequest, MacvlanRosError
from macvlan_ros.models.stacks import HostEntry, Stack
from macvlan_ros.values import dataclass

#: How many engines are asked at once. One that is away takes 15 s to say so.
_AT_ONCE = 16

#: What an engine that cannot be reached raises.
AWAY = (DockerDown, Forbidden)


@dataclass(frozen=True, slots=True)
class Seat:
    """One host of the stack. `local` says that it is the PC that we are on; `trouble` why its
    engine cannot be reached, None when it answers; `clock_ahead` by how many seconds its clock is
    ahead of ours."""

    entry: HostEntry
    engine: Engine
    local: bool
    info: EngineInfo | None = None
    trouble: MacvlanRosError | None = None
    clock_ahead: float | None = None

    @property
    def name(self) -> str:
        return self.entry.name


def named(error: MacvlanRosError, host: str) -> MacvlanRosError:
    """The very error, which says on which host from now on."""
    error.args = (f"{host}: {error}",)
    return error


def hosts_at_once(seats: Sequence[Seat]) -> int:
    """How many hosts are seen to side by side: in a dry run, whose order is shown, one."""
    return 1 if any(seat.engine.dry for seat in seats) else _AT_ONCE


def take_seats(
    stack: Stack,
    *,
    own: str,
    own_engine: Callable[[], Engine],
    open_engine: Callable[[HostEntry, str], Engine],
) -> tuple[Seat, ...]:
    """A seat for each host of the stack, in the file's order, all of them asked side by side.

    `own` is this PC's name, `own_engine` gives its engine, `open_engine` another host's, which it
    is told with what named it. Close the engines of the others when
    done. Raises InvalidRequest and NotFound for a host whose engine is not said, or not
    understood, and Conflict where two hosts are one engine.
    """
    if not stack.hosts:
        raise InvalidRequest(
            f"{stack.files[0]}: the stack names no hosts; name them with their engines, under"
            " x-macvlan-ros.hosts: {qtrp: {parent: eth0, docker: ssh://user@192.168.50.12}}"
        )
    seats = [_seat(stack, entry, own, own_engine, open_engine) for entry in stack.hosts.values()]
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="seat") as side_by_side:
        asked = list(side_by_side.map(_ask, seats))
    _check_different(asked)
    return tuple(asked)


def _seat(
    stack: Stack,
    entry: HostEntry,
    own: str,
    own_engine: Callable[[], Engine],
    open_engine: Callable[[HostEntry, str], Engine],
) -> Seat:
    key = f"x-macvlan-ros.hosts.{entry.name}"
    if entry.name == own:
        return Seat(entry, own_engine(), local=own_engine().endpoint.scheme == "unix")
    if not entry.docker:
        raise InvalidRequest(
            f"{stack.files[0]}: {key} names no engine, and this PC is '{own}'; add to it"
            " docker: ssh://USER@ADDRESS (or tcp://…, or the name of a Docker context), or say"
            " with --host that it is this PC"
        )
    try:
        return Seat(entry, open_engine(entry, f"{key}.docker"), False)
    except MacvlanRosError as error:
        raise named(error, entry.name) from None


def _ask(seat: Seat) -> Seat:
    try:
        info = seat.engine.info()
        clock = read_time(info.system_time)
        ahead = clock - time.time() if clock is not None else None
        return replace(seat, info=info, clock_ahead=ahead)
    except MacvlanRosError as error:  # away, or it wants TLS, or is no Docker at all
        return replace(seat, trouble=named(error, seat.name))


def _check_different(seats: Sequence[Seat]) -> None:
    """On one engine the containers of two hosts would be in each other's way."""
    seen: dict[tuple[str, str], Seat] = {}
    for seat in seats:
        if seat.info is None or not seat.info.id:
            continue
        # a PC that was copied has the id of the first, but hardly its name too
        other = seen.setdefault((seat.info.id, seat.info.name), seat)
        if other is not seat:
            raise Conflict(
                f"the hosts '{other.name}' and '{seat.name}' are one engine, that of"
                f" '{seat.info.name}' ({other.engine.endpoint.url} and"
                f" {seat.engine.endpoint.url}); mend x-macvlan-ros.hosts"
            )
