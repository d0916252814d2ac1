"""What is answered, what is not, and what counts as a conflict. No wire."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPAddress

from macvlan_ros.defence.guard import Addresses, Guard, HeardConflict
from macvlan_ros.errors import StoreDown
from macvlan_ros.wire import frames
from macvlan_ros.wire.frames import Heard, Kind

HOST = "02:00:00:00:00:01"
OURS = "02:00:00:00:08:01"
STRANGER = "02:00:00:00:09:09"
DOWN, UP, FREE = IPAddress("192.0.2.50"), IPAddress("192.0.2.60"), IPAddress("192.0.2.70")
ROUTER = IPAddress("192.0.2.1")
DOWN6 = IPAddress("2001:db8::50")


class World:
    """A store, in so far as a guard asks one."""

    def __init__(self) -> None:
        self.defended: Addresses = {DOWN: OURS, DOWN6: OURS}
        self.running: Addresses = {UP: OURS}
        self.macs: tuple[str, ...] = ()
        self.broken = False
        self.told: list[HeardConflict] = []
        self.guard = Guard(
            defended=lambda: self.read(self.defended),
            running=lambda: self.read(self.running),
            macs=lambda: self.macs,
            servers=[ROUTER],
            on_conflict=self.told.append,
        )
        self.guard.refresh()

    def read(self, addresses: Addresses) -> Addresses:
        if self.broken:
            raise StoreDown("the store is away")
        return addresses

    def meet(self, frame: bytes) -> Heard | None:
        heard = frames.parse(frame)
        assert heard is not None
        reply = self.guard.meet(heard, HOST)
        return frames.parse(reply) if reply is not None else None


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that the guard goes by; tests set its one element."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def world(clock: list[float]) -> World:
    del clock
    return World()


@pytest.mark.parametrize("address", [DOWN, DOWN6])
def test_a_probe_for_a_defended_address_is_answered_with_its_owners_mac(
    world: World, address: IPAddress
) -> None:
    reply = world.meet(frames.probe(address, STRANGER))
    assert reply is not None
    assert (reply.sender, reply.mac, reply.source) == (address, OURS, HOST)


@pytest.mark.parametrize("address", [UP, FREE])
def test_no_other_probe_is_answered(world: World, address: IPAddress) -> None:
    assert world.meet(frames.probe(address, STRANGER)) is None


def test_a_container_that_comes_up_is_not_answered_for_from_that_moment(world: World) -> None:
    world.running = {UP: OURS, DOWN: OURS}  # the guard has not been told
    assert world.meet(frames.probe(DOWN, STRANGER)) is None


def test_nothing_is_answered_while_the_store_is_away_but_conflicts_are_still_seen(
    world: World,
) -> None:
    world.broken = True
    assert world.meet(frames.probe(DOWN, STRANGER)) is None
    assert world.guard.trouble == "the store is away"
    world.meet(frames.announcement(UP, STRANGER))
    assert [one.address for one in world.guard.conflicts()] == [UP]
    world.broken = False
    world.guard.refresh()
    assert world.guard.trouble == ""
    assert DOWN in world.guard.defended


def test_a_plain_question_is_answered_to_a_dhcp_server_alone(world: World) -> None:
    other = frames.request(DOWN, sender=IPAddress("192.0.2.9"), mac=STRANGER)
    assert world.meet(other) is None
    reply = world.meet(frames.request(DOWN, sender=ROUTER, mac=STRANGER))
    assert reply is not None
    assert (reply.kind, reply.sender, reply.mac) == (Kind.REPLY, DOWN, OURS)


def test_a_stranger_who_announces_a_defended_address_is_told_once_in_ten_seconds(
    world: World, clock: list[float]
) -> None:
    announced = frames.announcement(DOWN, STRANGER)
    reply = world.meet(announced)
    assert reply is not None
    assert (reply.sender, reply.mac) == (DOWN, OURS)
    clock[0] += 9
    assert world.meet(announced) is None
    clock[0] += 2
    assert world.meet(announced) is not None


def test_a_stranger_who_announces_a_running_address_is_a_conflict_and_gets_no_answer(
    world: World,
) -> None:
    assert world.meet(frames.announcement(UP, STRANGER)) is None
    (conflict,) = world.guard.conflicts()
    assert (conflict.address, conflict.mac, conflict.ours) == (UP, STRANGER, OURS)
    assert (conflict.running, conflict.count) == (True, 1)


def test_our_own_container_is_no_conflict_even_with_its_mac_in_capitals(world: World) -> None:
    world.running = {UP: OURS.upper()}
    world.guard.refresh()
    assert world.meet(frames.announcement(UP, OURS)) is None
    assert world.guard.conflicts() == ()


@pytest.mark.parametrize("address", [UP, DOWN])
def test_a_container_that_answers_with_its_other_links_mac_is_no_stranger(
    world: World, address: IPAddress
) -> None:
    world.macs = (STRANGER.upper(),)
    world.guard.refresh()
    assert world.meet(frames.announcement(address, STRANGER)) is None
    assert world.guard.conflicts() == ()
    world.macs = ()
    world.guard.refresh()
    world.meet(frames.announcement(address, STRANGER))
    assert [conflict.mac for conflict in world.guard.conflicts()] == [STRANGER]


def test_an_address_whose_own_mac_was_heard_is_left_alone_for_a_minute(
    world: World, clock: list[float]
) -> None:
    world.meet(frames.announcement(DOWN, OURS))
    assert world.meet(frames.probe(DOWN, STRANGER)) is None
    clock[0] += 61
    assert world.meet(frames.probe(DOWN, STRANGER)) is not None


def test_another_hosts_defence_is_no_sign_that_the_container_runs(world: World) -> None:
    world.meet(frames.announcement(DOWN, OURS, source="02:00:00:00:00:02"))
    assert world.meet(frames.probe(DOWN, STRANGER)) is not None


def test_what_the_host_itself_sends_is_passed_over(world: World) -> None:
    assert world.meet(frames.probe(DOWN, HOST)) is None
    assert world.meet(frames.announcement(UP, STRANGER, source=HOST)) is None
    assert world.guard.conflicts() == ()


def test_a_conflict_is_told_once_a_minute_and_counted_each_time(
    world: World, clock: list[float]
) -> None:
    for _ in range(100):
        world.meet(frames.announcement(UP, STRANGER))
    assert [one.count for one in world.told] == [1]
    assert [one.count for one in world.guard.conflicts()] == [100]
    clock[0] += 61
    world.meet(frames.announcement(UP, STRANGER))
    assert [one.count for one in world.told] == [1, 101]


def test_a_flood_of_made_up_strangers_fills_neither_log_nor_memory(
    world: World, clock: list[float]
) -> None:
    for number in range(5000):
        clock[0] += 0.001
        mac = f"02:01:00:00:{number >> 8:02x}:{number & 255:02x}"
        world.meet(frames.announcement(UP, mac))
    assert len(world.guard.conflicts()) == 1024
    assert len(world.told) <= 6
    assert world.guard.conflicting == 5000


def test_a_flood_of_probes_gets_a_bounded_number_of_answers(
    world: World, clock: list[float]
) -> None:
    answers = 0
    for number in range(2000):
        clock[0] += 0.001
        probe = frames.probe(DOWN, f"02:01:00:00:{number >> 8:02x}:{number & 255:02x}")
        answers += world.meet(probe) is not None
    assert 18 <= answers <= 21


@given(
    operation=st.sampled_from(["probe", "announcement", "request"]),
    mac=st.sampled_from([HOST, OURS, STRANGER]),
    address=st.sampled_from([DOWN, UP, FREE, ROUTER]),
    up=st.sets(st.sampled_from([DOWN, UP])),
)
def test_a_running_address_is_never_answered_for(
    operation: str, mac: str, address: IPAddress, up: set[IPAddress]
) -> None:
    world = World()
    world.running = dict.fromkeys(up, OURS)
    frame = {
        "probe": frames.probe(address, mac),
        "announcement": frames.announcement(address, mac),
        "request": frames.request(address, sender=ROUTER, mac=mac),
    }[operation]
    reply = world.meet(frame)
    assert reply is None or (reply.sender == DOWN and DOWN not in up)


def test_a_flood_of_probes_is_answered_a_hundred_times_and_then_ten_times_a_second(
    world: World, clock: list[float]
) -> None:
    many = [IPAddress("198.51.100.0") + number for number in range(250)]
    world.defended = dict.fromkeys(many, OURS)
    world.guard.refresh()

    def answered() -> int:
        return sum(world.meet(frames.probe(one, STRANGER)) is not None for one in many)

    assert answered() == 100
    clock[0] += 2
    assert answered() == 20
    clock[0] += 60
    assert answered() == 100
