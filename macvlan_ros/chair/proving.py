"""Proving: `verify` on all hosts of a stack from one chair, from where their containers are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from macvlan_ros import stack as stacks
from macvlan_ros.chair.errands import Errands
from macvlan_ros.chair.seats import Seat
from macvlan_ros.docker_api.values import Container
from macvlan_ros.errors import MacvlanRosError, Unavailable
from macvlan_ros.models.stacks import Stack
from macvlan_ros.verify import BAD, WARNING, Check, Wishes, verify
from macvlan_ros.verify.finding_places import of_stack, this_host

if TYPE_CHECKING:
    from macvlan_ros.app import App

#: What is about the graph, which all hosts see: it is told after what is between the containers.
_OF_ROS = ("master", "node", "stale", "traffic")


def verify_everywhere(app: App, stack: Stack, wishes: Wishes) -> tuple[Check, ...]:
    """Every check of every host that has our image, this PC's first. A host that cannot be asked is
    a check; its containers are looked at from the others.

    Raises what `verify` raises, and InvalidRequest for a host whose engine the stack does not name.
    """
    desk = app.desk(stack, told=lambda _step: None)
    there = [one for _, one in desk.overseer.containers(stack).values]
    known = _with_addresses(app, stack, there)
    others = [seat for seat in desk.seats if not seat.local]
    ask = partial(
        _ask, app.errands, app.settings.host_name, _leaflet(app, known), _words(known, wishes)
    )
    with ThreadPoolExecutor(len(others) + 1, thread_name_prefix="verify") as side_by_side:
        own = side_by_side.submit(verify, app, known, wishes)
        afar = list(side_by_side.map(ask, others))
        found = [*own.result(), *(check for checks in afar for check in checks)]
    return tuple(sorted(found, key=lambda one: one.kind in _OF_ROS))


def _with_addresses(app: App, stack: Stack, there: Iterable[Container]) -> Stack:
    """The stack with the address of each service, as far as any host or the store knows it."""
    known = {one.name: (one.address, one.address6) for one in of_stack(app, stack, ())}
    known |= {one.service: (one.address, one.address6) for one in there if one.running}
    services = {
        name: replace(one, address=known[name][0], address6=known[name][1])
        if name in known
        else one
        for name, one in stack.services.items()
    }
    return replace(stack, services=services)


def _leaflet(app: App, stack: Stack) -> str:
    here = this_host(app)
    return stacks.extract(stack, {here.name: here.address} if here.address is not None else {})


def _words(stack: Stack, wishes: Wishes) -> list[str]:
    """The same wishes as words of the command. Only one PC needs to clean."""
    names = wishes.services
    chosen = stacks.select(stack, names) if names else stacks.enabled(stack)
    words = ["--master", wishes.master] if wishes.master else []
    words += ["--traffic"] if wishes.traffic else []
    return [*words, *(one.name for one in chosen if not one.off_lan)]


def _ask(
    errands: Errands, here: str, leaflet: str, words: Sequence[str], seat: Seat
) -> tuple[Check, ...]:
    about = partial(Check, "runs", here, seat.name)
    if seat.trouble is not None:
        text, _, remedy = str(seat.trouble).partition("; ")
        return (about(BAD, text, remedy or "is that PC on, and its engine at that address?"),)
    try:
        if not errands.can_run(seat):
            raise Unavailable(f"its engine has no image {errands.image}")
        return tuple(_check(one) for one in errands.verify(seat, leaflet, words))
    except MacvlanRosError as error:
        text = f"nobody could look from its containers: {error}"
        return (about(WARNING, text, "on that PC: macvlan-ros verify"),)


def _check(said: dict[str, Any]) -> Check:
    """As the other PC's `verify --json` has it. Raises Unavailable for what is none."""
    try:
        words = [str(said[key] or "") for key in ("kind", "source", "target", "level")]
        text, remedy = (str(said[key] or "") for key in ("text", "remedy"))
        took = float(said["ms"]) if said["ms"] is not None else None
    except (KeyError, TypeError, ValueError) as error:
        raise Unavailable(
            "it answered with something else; is its image another version?"
        ) from error
    kind, source, target, level = words
    return Check(kind, source, target, level, text, remedy, took)
