"""Launching on all hosts from one chair: everything everywhere, in one order.

A host that does not answer is left out, or given up when it is lost on the way; the others are
served. Whatever else goes wrong undoes the launch on all of them, as it does on one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

from macvlan_ros import stack as stacks
from macvlan_ros.chair.run import Outcome, Place, Run, Step
from macvlan_ros.chair.seats import AWAY, Seat, hosts_at_once, named
from macvlan_ros.errors import InvalidRequest, MacvlanRosError, StackFileError
from macvlan_ros.launch import Checked, Launcher
from macvlan_ros.launching import placement
from macvlan_ros.launching.booking import Booked, Booking
from macvlan_ros.models.containers import Service
from macvlan_ros.models.stacks import Stack
from macvlan_ros.undo import Undo, all_or_nothing

T = TypeVar("T")


class ChairLauncher:
    """Launches on all `seats`. `launcher` makes what launches on one of them, given the stack.

    `note` hears what people should know, `told` each step.
    """

    def __init__(
        self,
        seats: Sequence[Seat],
        *,
        launcher: Callable[[Seat], Launcher],
        booking: Booking,
        note: Callable[[str], None],
        told: Callable[[Step], None],
    ) -> None:
        self._seats = {seat.name: seat for seat in seats}
        self._at_once = hosts_at_once(seats)
        self._lost: dict[str, MacvlanRosError] = {}
        self._launcher = launcher
        self._booking = booking
        self._note = note
        self._told = told

    def up(
        self,
        stack: Stack,
        names: Sequence[str] = (),
        *,
        wait_seconds: float = 120,
        master_seconds: float = 30,
        rebuild: bool = False,
    ) -> Outcome:
        """Start the named services (all, when none is named) and what they depend on, each on its
        host. Raises what a launch on one host raises, naming the host."""
        chosen = _place(stack, stacks.select(stack, names))
        placement.check_complete(chosen)
        for service in chosen:
            self.say(service, "")
        places = self._places(chosen)
        stack = _in_one_form(stack, places)
        chosen = _place(stack, stacks.select(stack, names))
        for note in stack.notes:
            self._note(note)
        checked = self.on_each(
            places,
            lambda place: place.launcher.check(
                stack, _of(chosen, place.seat.name), rebuild=rebuild
            ),
        )
        if not checked:
            raise next(iter(self._lost.values()))
        with all_or_nothing(self._note) as undo:
            booked = self._book(stack, chosen, checked, undo)
            ready = self.on_each(
                {name: place for name, place in places.items() if name in checked},
                lambda place: place.launcher.prepare(
                    checked[place.seat.name], booked[place.seat.name], undo=undo
                ),
            )
            run = Run(
                self, chosen, places, ready, seconds=wait_seconds, master_seconds=master_seconds
            )
            run.start(stack, undo)
        return run.finish()

    def _places(self, chosen: Sequence[Service]) -> dict[str, Place]:
        """The hosts that answer, of those that have something to start. Raises what is wrong with
        the only ones if none does."""
        seats = [self._seats[name] for name in dict.fromkeys(one.host for one in chosen)]
        self._lost = {seat.name: seat.trouble for seat in seats if seat.trouble is not None}
        if self._lost and len(self._lost) == len(seats):
            raise next(iter(self._lost.values()))
        return {
            seat.name: Place(seat, self._launcher(seat)) for seat in seats if seat.trouble is None
        }

    def on_each(self, places: Mapping[str, Place], do: Callable[[Place], T]) -> dict[str, T]:
        """Do it on all hosts side by side; those that are lost meanwhile are left out. Raises the
        first other error, with the host's name, once all have ended."""
        with ThreadPoolExecutor(self._at_once, thread_name_prefix="host") as side_by_side:
            futures = {name: side_by_side.submit(do, place) for name, place in places.items()}
        done: dict[str, T] = {}
        for name, future in futures.items():
            try:
                done[name] = future.result()
            except AWAY as error:
                self.lose(name, error)
            except MacvlanRosError as error:
                named(error, name)
                raise
        return done

    def lose(self, host: str, error: MacvlanRosError) -> MacvlanRosError:
        """The host was lost on the way; returns why, with its name."""
        return self._lost.setdefault(host, named(error, host))

    def trouble(self, host: str) -> MacvlanRosError | None:
        """Why the host was not reached, or was lost."""
        return self._lost.get(host)

    def troubles(self) -> tuple[MacvlanRosError, ...]:
        """Why hosts were not reached, or were lost."""
        return tuple(self._lost.values())

    def say(self, service: Service, what: str, detail: str = "") -> None:
        """Tell a step."""
        self._told(Step(service.host, service.name, what, detail))

    def note(self, text: str) -> None:
        """Tell what people should know."""
        self._note(text)

    def _book(
        self, stack: Stack, chosen: Sequence[Service], checked: Mapping[str, Checked], undo: Undo
    ) -> dict[str, Booked]:
        """Addresses for all, also on hosts that are away: so nobody's hosts file changes when they
        are back."""
        some = next(iter(checked.values())).site
        if not any(entry.ranges for entry in stack.hosts.values()):
            # in one go, so that the LAN is asked once
            self._booking.book(stack, _place(stack, stacks.enabled(stack)), site=some, undo=undo)
        booked: dict[str, Booked] = {}
        for host in dict.fromkeys(service.host for service in chosen):
            site = checked[host].site if host in checked else replace(some, host=host)
            booked[host] = self._booking.book(stack, _of(chosen, host), site=site, undo=undo)
        return booked


def _place(stack: Stack, chosen: Sequence[Service]) -> tuple[Service, ...]:
    """The services with the hosts that they belong to. Raises StackFileError, InvalidRequest."""
    only = next(iter(stack.hosts)) if len(stack.hosts) == 1 else ""
    for service in chosen:
        if not service.host and not only:
            raise StackFileError(
                f"{stack.files[0]}: services.{service.name}: nothing says on which host it runs;"
                f" add x-macvlan-ros: {{host: {next(iter(stack.hosts), 'NAME')}}}"
            )
        if service.host and service.host not in stack.hosts:
            raise InvalidRequest(
                f"{stack.files[0]}: services.{service.name}: its host '{service.host}' is none of"
                f" x-macvlan-ros.hosts; they are: {', '.join(stack.hosts)}"
            )
    return tuple(service if service.host else replace(service, host=only) for service in chosen)


def _in_one_form(stack: Stack, places: Mapping[str, Place]) -> Stack:
    """The stack without the external networks that the macvlan one replaces, on any host."""
    for place in places.values():
        stack = place.launcher.on_macvlan(stack)
    return stack


def _of(chosen: Sequence[Service], host: str) -> list[Service]:
    return [service for service in chosen if service.host == host]
