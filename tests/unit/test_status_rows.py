"""Addresses that wait for services without a container."""

from __future__ import annotations

import pytest
from netaddr import IPNetwork

from macvlan_ros.ipam import Ipam
from macvlan_ros.launching.running import ServiceStatus
from macvlan_ros.launching.status_rows import with_kept_addresses
from macvlan_ros.models.pools import Pool, Reservation
from macvlan_ros.reserving.around import Surroundings
from macvlan_ros.stores.memory import MemoryStore


@pytest.fixture
def ipam() -> Ipam:
    found = Ipam(MemoryStore(), surroundings=lambda _: Surroundings(), host="qtpc")
    found.add_pool(Pool("lan", IPNetwork("192.168.50.0/24")))
    return found


@pytest.fixture
def held(ipam: Ipam) -> Reservation:
    return ipam.allocate("lan", ["talker"])[0].reservation


def row(state: str, address: str = "", mac: str = "") -> ServiceStatus:
    return ServiceStatus("talker", "talker", "qtpc", address, mac, state, "", "ros")


@pytest.mark.parametrize("state", ["absent", "elsewhere", "unreachable", "exited"])
def test_what_does_not_run_has_its_reservation(ipam: Ipam, held: Reservation, state: str) -> None:
    (filled,) = with_kept_addresses([row(state)], ipam)
    assert (filled.address, filled.mac, filled.state) == (str(held.address), held.mac, state)
    assert with_kept_addresses([row(state, str(held.address))], ipam) == (filled,)


def test_what_runs_or_shall_have_another_address_is_left_as_it_is(
    ipam: Ipam, held: Reservation
) -> None:
    other = str(held.address + 1)
    rows = (row("running"), row("running", other, "02:00:00:00:00:01"), row("absent", other))
    assert with_kept_addresses(rows, ipam) == rows


def test_without_a_reservation_nothing_is_filled_in(ipam: Ipam) -> None:
    assert with_kept_addresses([row("absent")], ipam) == (row("absent"),)
