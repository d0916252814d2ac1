"""Which pool a stack's addresses come from, when there are pools on its LAN already."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from netaddr import IPAddress, IPNetwork, IPRange

from macvlan_ros.addresses import contains
from macvlan_ros.errors import PoolOverlap
from macvlan_ros.ipam import Ipam
from macvlan_ros.launching import landing
from macvlan_ros.models.links import Link
from macvlan_ros.models.pools import Pool
from macvlan_ros.models.stacks import Stack
from macvlan_ros.notation import parse_pool
from macvlan_ros.reserving.around import Surroundings
from macvlan_ros.stores.memory import MemoryStore
from macvlan_ros.stores.rules import check_new_pool
from tests.unit.stack_text import load_text
from tests.unit.test_host_environment import PARENT

LAN = IPNetwork("192.168.50.0/24")
ROUTER = IPAddress("192.168.50.1")
LINK: Link = replace(PARENT, gateway=ROUTER)
SITE = landing.Site("qtpc", LINK, LAN)
#: What `allocate` makes when there is no pool yet.
DEFAULT = parse_pool(
    "default", subnet=str(LAN), ranges=["192.168.50.192-192.168.50.254"], gateway=str(ROUTER)
)


def stack_with(folder: Path, *section: str) -> Stack:
    lines = "".join(f"  {line}\n" for line in ("network: ros_lan", *section))
    text = f"x-macvlan-ros:\n{lines}services:\n  talker: {{image: ros}}\n"
    return load_text(folder, text)


def wanted(stack: Stack, *existing: Pool) -> Pool:
    return landing.wanted_pool(stack, SITE, landing.wanted_addresses(stack, SITE), existing)


def test_a_range_within_the_default_pool_is_a_part_of_it(tmp_path: Path) -> None:
    stack = stack_with(tmp_path, "range: 192.168.50.192/27", "exclude: [192.168.50.200]")
    pool = wanted(stack, DEFAULT)
    assert (pool.name, pool.ranges) == ("default", (IPRange("192.168.50.192", "192.168.50.223"),))
    assert contains(pool, IPAddress("192.168.50.199"))
    assert not contains(pool, IPAddress("192.168.50.200"))
    assert not contains(pool, IPAddress("192.168.50.224"))


def test_what_the_default_pool_excludes_stays_excluded(tmp_path: Path) -> None:
    usual = replace(DEFAULT, exclude=(IPRange("192.168.50.210", "192.168.50.210"),))
    pool = wanted(stack_with(tmp_path, "range: 192.168.50.192/27"), usual)
    assert pool.name == "default"
    assert not contains(pool, IPAddress("192.168.50.210"))


def test_a_stack_that_excludes_only_takes_its_part_too(tmp_path: Path) -> None:
    pool = wanted(stack_with(tmp_path, "exclude: [192.168.50.200]"), DEFAULT)
    assert pool.name == "default"
    assert not contains(pool, IPAddress("192.168.50.200"))


@pytest.mark.parametrize(
    "section", ["range: 192.168.50.128/25", "range: 192.168.50.16-192.168.50.31"]
)
def test_a_range_that_the_default_pool_has_not_all_of_is_a_pool_of_its_own(
    tmp_path: Path, section: str
) -> None:
    pool = wanted(stack_with(tmp_path, section), DEFAULT)
    assert pool.name == "ros_lan"
    if "128" in section:
        with pytest.raises(PoolOverlap):
            check_new_pool(pool, [DEFAULT])


def test_a_pool_that_takes_leases_is_not_shared(tmp_path: Path) -> None:
    stack = stack_with(tmp_path, "range: 192.168.50.192/27")
    assert wanted(stack, replace(DEFAULT, dhcp=True)).name == "ros_lan"


def test_a_stack_that_has_its_own_pool_keeps_it(tmp_path: Path) -> None:
    stack = stack_with(tmp_path, "range: 192.168.50.192/27")
    own = wanted(stack)
    assert own.name == "ros_lan"
    beside = replace(DEFAULT, ranges=(IPRange("192.168.50.224", "192.168.50.254"),))
    assert wanted(stack, own, beside) == own


def test_other_pools_are_not_shared_unless_they_are_named(tmp_path: Path) -> None:
    stack = stack_with(tmp_path, "range: 192.168.50.192/27")
    assert wanted(stack, replace(DEFAULT, name="lab")).name == "ros_lan"


def test_new_owners_get_addresses_of_the_part_and_known_ones_keep_theirs(tmp_path: Path) -> None:
    ipam = Ipam(MemoryStore(), surroundings=lambda _: Surroundings(), host="qtpc")
    ipam.add_pool(DEFAULT)
    outside = IPAddress("192.168.50.250")
    ipam.allocate("default", ["talker"], addresses={"talker": outside})
    part = wanted(stack_with(tmp_path, "range: 192.168.50.192/29"), DEFAULT)
    names = [f"n{number}" for number in range(8)]
    made = ipam.allocate("default", ["talker", *names], within=part)
    assert made[0].reservation.address == outside
    got = {each.reservation.address for each in made[1:]}
    assert got == set(map(IPAddress, IPNetwork("192.168.50.192/29")))
    assert {each.reservation.pool for each in made} == {"default"}
    # the others of the pool have what is left of it
    (other,) = ipam.allocate("default", ["other"])
    assert other.reservation.address not in got
