"""Whose an address on the LAN is."""

from netaddr import IPAddress

from macvlan_ros.addresses import mac_of_owner
from macvlan_ros.models.pools import Reservation
from macvlan_ros.notation import parse_pool
from macvlan_ros.wire.census import Sighting, classify
from macvlan_ros.wire.prober import Seen

LAB = parse_pool(
    "lab", subnet="192.168.50.0/24", ranges=["192.168.50.192/27"], gateway="192.168.50.1"
)
TALKER = Reservation("lab", IPAddress("192.168.50.195"), "talker", "02:00:00:00:00:01", "qtrp")
OTHER = "52:54:00:00:00:99"


def census(*seen: tuple[str, str], running: tuple[str, ...] = ()) -> dict[str, Sighting]:
    found = classify(
        [Seen(IPAddress(address), mac, 0.001) for address, mac in seen],
        pools=[LAB],
        reservations=[TALKER],
        running=running,
        own={IPAddress("192.168.50.11"): "52:54:00:00:00:11"},
    )
    return {str(one.address): one for one in found}


def test_an_owners_container_is_ours_by_its_mac() -> None:
    found = census(("192.168.50.195", TALKER.mac))["192.168.50.195"]
    assert (found.whose, found.owner, found.host, found.trouble) == ("ours", "talker", "qtrp", "")
    assert found.latency_ms == 1.0


def test_another_mac_on_an_owners_address_is_trouble() -> None:
    found = census(("192.168.50.195", OTHER))["192.168.50.195"]
    assert found.whose == "stranger"
    assert "'talker'" in found.trouble


def test_a_stranger_inside_the_pool_is_trouble_and_outside_is_not() -> None:
    found = census(("192.168.50.200", OTHER), ("192.168.50.20", OTHER))
    assert found["192.168.50.200"].whose == "stranger"
    assert found["192.168.50.200"].trouble
    assert (found["192.168.50.20"].whose, found["192.168.50.20"].trouble) == ("elsewhere", "")


def test_the_shim_of_a_pc_with_a_store_of_its_own_is_known_by_its_mac() -> None:
    theirs = mac_of_owner("lab", "shim-qtrp")
    found = census(("192.168.50.200", theirs))["192.168.50.200"]
    assert (found.whose, found.owner, found.host) == ("ours", "shim-qtrp", "qtrp")
    assert not found.trouble
    unknown = mac_of_owner("lab", "shim-qtnx")  # no service of ours is on that PC
    assert census(("192.168.50.200", unknown))["192.168.50.200"].whose == "stranger"


def test_the_gateway_and_this_pc_are_told() -> None:
    found = census(("192.168.50.1", OTHER))
    assert found["192.168.50.1"].whose == "gateway"
    assert found["192.168.50.11"].whose == "here"
    assert found["192.168.50.11"].latency_ms is None


def test_a_running_container_of_this_pc_is_listed_though_it_cannot_be_asked() -> None:
    assert census(running=(TALKER.mac,))["192.168.50.195"].whose == "ours"
    assert "192.168.50.195" not in census()


def test_two_machines_on_one_address_are_trouble() -> None:
    found = classify(
        [Seen(TALKER.address, mac, 0.001) for mac in (TALKER.mac, OTHER)],
        pools=[LAB],
        reservations=[TALKER],
        running=(),
        own={},
    )
    assert [one.trouble for one in found] == ["two machines answer for this address"] * 2


def test_a_container_answers_for_its_ipv6_address_with_the_mac_of_its_ipv4_one() -> None:
    six = parse_pool("six", subnet="fd00:50::/64", ranges=["fd00:50::1:0/112"])
    held = Reservation("six", IPAddress("fd00:50::1:5"), "talker", "02:00:00:00:00:06", "qtrp")
    for mac, whose in ((TALKER.mac, "ours"), (held.mac, "ours"), (OTHER, "stranger")):
        (found,) = classify(
            [Seen(held.address, mac, 0.001)],
            pools=[LAB, six],
            reservations=[held],
            running=(),
            own={},
            elsewhere=[TALKER],
        )
        assert (found.whose, found.owner) == (whose, "talker")
    (here,) = classify(
        [],
        pools=[six],
        reservations=[held],
        running=(TALKER.mac,),
        own={},
        elsewhere=[TALKER],
    )
    assert (str(here.address), here.mac) == ("fd00:50::1:5", TALKER.mac)
