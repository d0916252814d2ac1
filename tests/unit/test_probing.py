"""The rules of probing, over a LAN that exists in memory alone: no frame, no waiting."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPAddress, IPNetwork

from macvlan_ros.errors import Unavailable
from macvlan_ros.wire import probing
from macvlan_ros.wire.probing import FAST, RFC5227, Pace, Probed, Tally

LAN = IPNetwork("192.0.2.0/24")
PROXY = "02:00:00:00:00:99"


def at(last: int) -> IPAddress:
    return IPAddress(LAN.first + last)


class FakeLan:
    """Holders answer each question with a chance; `proxy` answers for everything, at once."""

    def __init__(
        self,
        holders: Mapping[IPAddress, str],
        *,
        proxy: str = "",
        loss: Callable[[], bool] = lambda: False,
    ) -> None:
        self.holders, self.proxy, self._loss = holders, proxy, loss
        self.asked: list[list[IPAddress]] = []
        self.seconds = 0.0
        self.drops: list[int] = []

    def __call__(
        self,
        addresses: Sequence[IPAddress],
        seconds: float,
        tally: Tally,
        *,
        rivals: bool = False,
        pace: Pace | None = None,
    ) -> int:
        del rivals, pace
        self.asked.append(list(addresses))
        for address in addresses:
            if self.proxy:
                tally.hear(address, self.proxy, 0.001)
            if tally.finished:
                return 0
            if address in self.holders and not self._loss():
                tally.hear(address, self.holders[address], 0.002)
        self.seconds += 0.0 if addresses and tally.finished else seconds
        return self.drops.pop(0) if self.drops else 0


def ask(lan: FakeLan, candidates: Sequence[IPAddress], mine: Sequence[str] = ()) -> Probed:
    tally = Tally(candidates, mine)
    controls = probing.control_addresses(LAN, candidates)
    probing.inquire(tally, lan, timing=FAST, controls=controls)
    return tally.probed()


def many(count: int, first: int = 10) -> list[IPAddress]:
    return [at(first + number) for number in range(count)]


def test_strangers_are_found_and_free_addresses_are_free() -> None:
    lan = FakeLan({at(10): "02:00:00:00:00:01", at(12): "02:00:00:00:00:02"})
    found = ask(lan, many(6))
    assert {address: answer.mac for address, answer in found.items()} == lan.holders
    assert found.proxy == ""


def test_three_questions_go_to_those_who_stay_silent_and_one_to_those_who_answer() -> None:
    lan = FakeLan({at(10): "02:00:00:00:00:01"})
    ask(lan, many(4))
    assert [len(asked) for asked in lan.asked] == [4, 3, 3]
    assert lan.seconds == pytest.approx(0.6)


def test_our_own_macs_are_no_strangers_even_in_capitals() -> None:
    lan = FakeLan({at(10): "02:00:00:00:00:0a"})
    assert ask(lan, many(3), mine=["02:00:00:00:00:0A"]) == {}


@given(count=st.integers(1, 60), held=st.sets(st.integers(0, 59), max_size=20))
def test_a_proxy_is_told_from_the_holders_behind_it(count: int, held: set[int]) -> None:
    candidates = many(count)
    holders = {candidates[n]: f"02:00:00:00:01:{n:02x}" for n in held if n < count}
    found = ask(FakeLan(holders, proxy=PROXY), candidates)
    assert found.proxy == PROXY
    assert {address: answer.mac for address, answer in found.items()} == holders


def test_a_proxy_is_found_out_though_every_address_of_the_subnet_was_asked_for() -> None:
    found = ask(FakeLan({}, proxy=PROXY), many(254, first=1))
    assert (found.proxy, len(found)) == (PROXY, 0)


@pytest.mark.parametrize("held", [1, 3, 4, 20, 100])
def test_a_machine_with_many_addresses_is_no_proxy(held: int) -> None:
    candidates = many(held)
    found = ask(FakeLan(dict.fromkeys(candidates, "02:00:00:00:00:05")), candidates)
    assert found.proxy == ""
    assert set(found) == set(candidates)


def test_finding_out_that_a_lone_stranger_is_no_proxy_takes_one_window_more() -> None:
    lan = FakeLan({at(10): "02:00:00:00:00:05"})
    assert set(ask(lan, [at(10)])) == {at(10)}
    assert lan.seconds == pytest.approx(0.2)


def test_a_lan_that_loses_one_frame_in_five_is_searched_well() -> None:
    chance = random.Random(7)
    candidates = many(200)
    holders = {one: f"02:00:00:00:02:{int(one) & 255:02x}" for one in candidates}
    found = ask(FakeLan(holders, loss=lambda: chance.random() < 0.2), candidates)
    assert len(found) >= 195


def test_frames_lost_to_a_flood_make_it_ask_again() -> None:
    lan = FakeLan({})
    lan.drops = [0, 0, 5, 3, 0]
    assert ask(lan, many(2)) == {}
    assert len(lan.asked) == 5


def test_a_flood_that_does_not_end_is_an_error_and_not_a_free_address() -> None:
    lan = FakeLan({})
    lan.drops = [9] * 20
    with pytest.raises(Unavailable, match=r"9 were lost.*192\.0\.2\.10 is free"):
        ask(lan, many(2))
    assert len(lan.asked) == 6


def test_the_careful_timing_takes_four_to_seven_seconds() -> None:
    for _ in range(50):
        total = random.uniform(*RFC5227.wait) + sum(RFC5227.windows())
        assert 4 <= total <= 7
    assert RFC5227.rivals


@pytest.mark.parametrize("subnet", ["192.0.2.0/24", "10.0.0.0/8", "192.0.2.0/29", "2001:db8::/64"])
def test_controls_lie_all_over_the_subnet_and_were_not_asked_for(subnet: str) -> None:
    lan = IPNetwork(subnet)
    asked = [IPAddress(lan.first + number, lan.version) for number in range(1, 4)]
    controls = probing.control_addresses(lan, asked)
    assert 3 <= len(set(controls)) == len(controls) <= 8
    assert not set(controls) & set(asked)
    assert all(control in lan for control in controls)
    assert not {lan.first, lan.last} & {int(one) for one in controls if lan.version == 4}


def test_there_are_no_controls_when_all_addresses_were_asked_for() -> None:
    lan = IPNetwork("192.0.2.0/29")
    assert probing.control_addresses(lan, list(lan)) == []


def test_one_address_cannot_fill_the_tally_with_macs() -> None:
    tally = Tally([at(1)])
    for number in range(1000):
        tally.hear(at(1), f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}", 0.0)
    assert len(list(tally.answers())) == 8
