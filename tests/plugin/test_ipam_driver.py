"""The IPAM driver, asked as dockerd asks it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from netaddr import IPAddress, IPNetwork

from macvlan_ros.errors import StoreDown
from macvlan_ros.ipam import Ipam
from macvlan_ros.models.pools import DYNAMIC, STATIC, Reservation
from macvlan_ros.notation import parse_pool
from macvlan_ros.reserving.around import Surroundings
from tests.plugin.client import recorded
from tests.plugin.serving import Docker, mac, serving

SUBNET = "192.168.60.0/24"
LAB = parse_pool(
    "lab", subnet=SUBNET, ranges=["192.168.60.192/28"], gateway="192.168.60.1", order="sequential"
)


@pytest.fixture(params=["memory:", "sqlite"])
def docker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Docker]:
    url = f"sqlite://{tmp_path}/state.db" if request.param == "sqlite" else request.param
    with serving(tmp_path, url) as running:
        yield running


@pytest.fixture
def lab(docker: Docker) -> Docker:
    docker.store.add_pool(LAB)
    return docker


def allocate(docker: Docker, owner: str) -> Reservation:
    """As `macvlan-ros allocate OWNER` does."""
    ipam = Ipam(docker.store, surroundings=lambda _: Surroundings(), host="qtpc")
    return ipam.allocate("lab", [owner])[0].reservation


# -- pools ----------------------------------------------------------------------------------------


def test_a_subnet_gets_a_pool_of_its_own_and_the_same_id_every_time(docker: Docker) -> None:
    reply = docker.pool(SUBNET)
    assert reply.body["Pool"] == SUBNET
    assert docker.pool(SUBNET).body == reply.body
    assert [pool.subnet for pool in docker.store.pools()] == [IPNetwork(SUBNET)]


def test_a_subnet_that_a_pool_stands_on_is_that_pool(lab: Docker) -> None:
    assert lab.pool_id(SUBNET) == "lab"
    assert [pool.name for pool in lab.store.pools()] == ["lab"]


def test_a_pool_can_be_named_and_says_its_gateway(lab: Docker) -> None:
    reply = lab.pool(pool="lab")
    assert reply.body == {
        "PoolID": "lab",
        "Pool": SUBNET,
        "Data": {"com.docker.network.gateway": "192.168.60.1/24"},
    }


def test_the_only_pool_needs_no_name(lab: Docker) -> None:
    assert lab.pool_id() == "lab"


def test_an_ip_range_narrows_what_a_network_gives(lab: Docker) -> None:
    pool_id = lab.pool_id(SUBNET, part="192.168.60.200/30")
    given = {lab.address(pool_id, mac=mac(number)) for number in range(4)}
    assert given == {f"192.168.60.{last}/24" for last in range(200, 204)}
    assert "within 192.168.60.200-192.168.60.203" in lab.ask(pool_id, mac=mac(9)).error


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"pool": "lap"}, "no pool 'lap': there is lab"),
        ({"subnet": "10.0.0.0/8", "pool": "lab"}, "has the subnet 192.168.60.0/24, not 10.0.0.0/8"),
        ({"subnet": "192.168.60.0/25"}, "overlaps pool 'lab'"),
        ({"subnet": SUBNET, "part": "192.168.60.0/28"}, "no address that pool 'lab' hands out"),
        ({"subnet": SUBNET, "part": "10.0.0.0/28"}, "lies outside the subnet"),
        ({"subnet": SUBNET, "foo": "bar"}, "unknown --ipam-opt 'foo'; there are: owner, pool"),
        ({"subnet": SUBNET, "poll": "lab"}, "unknown --ipam-opt 'poll'; did you mean pool"),
        ({"pool": "lab", "owner": "a b"}, "owner 'a b' cannot be used"),
        ({"subnet": "224.0.0.0/24"}, "multicast"),
    ],
)
def test_a_pool_that_cannot_be_is_refused_and_nothing_changes(
    lab: Docker, wanted: dict[str, Any], message: str
) -> None:
    assert message in lab.pool(**wanted).error
    assert lab.store.pools() == (LAB,)
    assert lab.store.recall("pool") == ()


def test_no_pool_at_all_is_an_error_that_says_what_to_do(docker: Docker) -> None:
    assert "give --subnet, or name one with --ipam-opt pool=NAME" in docker.pool().error
    assert "--ipam-opt pool6=NAME" in docker.pool(v6=True).error


def test_a_pool_made_for_docker_goes_with_its_last_network(docker: Docker) -> None:
    first, second = docker.pool_id(SUBNET), docker.pool_id(SUBNET)
    docker.gateway(first, "192.168.60.1")
    docker.release(first, "192.168.60.1")
    docker.release_pool(first)
    assert [held.owner for held in docker.store.reservations()] == ["gateway:192.168.60.1"]
    docker.release(second, "192.168.60.1")
    docker.release_pool(second)
    assert docker.store.pools() == ()
    assert docker.store.recall("pool") == ()


def test_a_pool_made_for_docker_stays_while_an_owner_has_an_address(docker: Docker) -> None:
    pool_id = docker.pool_id(SUBNET, owner="talker")
    docker.address(pool_id, mac=mac(1))
    docker.release_pool(pool_id)
    assert [held.owner for held in docker.store.reservations()] == ["talker"]


def test_after_a_restart_of_dockerd_pools_are_counted_anew(docker: Docker) -> None:
    pool_id = docker.pool_id(SUBNET)
    for _ in range(3):
        docker.client.call("IpamDriver.GetCapabilities")
        docker.pool_id(SUBNET)
    docker.release_pool(pool_id)
    assert docker.store.pools() == ()


def test_a_dockerd_that_starts_on_a_full_disk_hears_what_the_plugin_needs_and_has_its_pools(
    docker: Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker would do without MACs, and without the pool, until it is started again."""
    pool_id = docker.pool_id(SUBNET)

    def full(*_: object, **__: object) -> None:
        raise StoreDown("no space left on its disk")

    with monkeypatch.context() as broken:
        for name in ("remember", "forget", "add_pool"):
            broken.setattr(docker.store, name, full)
        reply = docker.client.call("IpamDriver.GetCapabilities")
        assert docker.pool_id(SUBNET) == pool_id
        assert "no space left" in docker.pool("192.168.61.0/24").error
    assert reply.body["RequiresMACAddress"] is True
    docker.pool_id(SUBNET)
    docker.release_pool(pool_id)
    assert docker.store.pools()  # one of two is left, though only one could be counted at its time
    docker.release_pool(pool_id)
    assert docker.store.pools() == ()


def test_a_pool_that_the_store_lost_is_made_again(docker: Docker) -> None:
    pool_id = docker.pool_id(SUBNET)
    assert docker.store.remove_pool(docker.store.pools()[0].name)
    assert IPAddress(docker.address(pool_id, mac=mac(1)).partition("/")[0]) in IPNetwork(SUBNET)


def test_ipv6_has_pools_of_its_own(docker: Docker) -> None:
    reply = docker.pool("fd00:60::/64", v6=True)
    given = docker.address(reply.body["PoolID"], mac=mac(1))
    assert IPNetwork(given).cidr == IPNetwork("fd00:60::/64")


@pytest.mark.parametrize("pool_id", ["", "lab;", "lab;owner=", "lab;foo=bar", "a b", "lab;range=x"])
def test_a_pool_id_that_we_never_gave_is_refused(lab: Docker, pool_id: str) -> None:
    assert lab.ask(pool_id, mac=mac(1)).error
    assert lab.store.reservations() == ()


# -- anonymous containers -------------------------------------------------------------------------


def test_containers_get_different_addresses(lab: Docker) -> None:
    pool_id = lab.pool_id(pool="lab")
    given = {lab.address(pool_id, mac=mac(number)) for number in range(16)}
    assert len(given) == 16
    assert "has no free address left (16 of 16 held)" in lab.ask(pool_id, mac=mac(99)).error


def test_containers_that_ask_at_once_get_different_addresses(lab: Docker) -> None:
    pool_id = lab.pool_id(pool="lab")
    with ThreadPoolExecutor(8) as threads:
        given = list(threads.map(lambda n: lab.address(pool_id, mac=mac(n)), range(16)))
    assert len(set(given)) == 16


def test_a_released_address_does_not_go_to_the_next_container(lab: Docker) -> None:
    pool_id = lab.pool_id(pool="lab")
    seen: list[str] = []
    for number in range(16):
        seen.append(lab.address(pool_id, mac=mac(number)))
        lab.release(pool_id, seen[-1])
    assert len(set(seen)) == 16
    assert lab.address(pool_id, mac=mac(50)) == seen[0], "the one that is free for longest"


def test_the_same_mac_gets_the_same_address_again(lab: Docker) -> None:
    pool_id = lab.pool_id(pool="lab")
    first = lab.address(pool_id, mac=mac(1))
    lab.release(pool_id, first)
    others = [lab.address(pool_id, mac=mac(number)) for number in range(2, 8)]
    assert first not in others
    assert lab.address(pool_id, mac=mac(1)) == first


def test_a_reserved_address_is_never_given_to_an_anonymous_container(lab: Docker) -> None:
    talker = allocate(lab, "talker")
    pool_id = lab.pool_id(pool="lab")
    given = {lab.address(pool_id, mac=mac(number)) for number in range(15)}
    assert f"{talker.address}/24" not in given
    assert "no free address" in lab.ask(pool_id, mac=mac(99)).error


def test_what_this_host_and_its_neighbours_have_is_not_given(lab: Docker) -> None:
    lab.around.neighbours = {f"192.168.60.{last}": "aa:bb:cc:dd:ee:ff" for last in range(192, 200)}
    pool_id = lab.pool_id(pool="lab")
    given = {lab.address(pool_id, mac=mac(number)) for number in range(8)}
    assert given == {f"192.168.60.{last}/24" for last in range(200, 208)}


def test_two_containers_with_one_mac_do_not_get_one_address(lab: Docker) -> None:
    pool_id = lab.pool_id(pool="lab")
    first = lab.address(pool_id, mac=mac(1))
    assert f"{first.partition('/')[0]} is in use" in lab.ask(pool_id, mac=mac(1)).error


def test_an_address_whose_container_is_gone_is_given_again(lab: Docker) -> None:
    pool_id = lab.pool_id(pool="lab")
    first = lab.address(pool_id, mac=mac(1))
    lab.around.gone.add(first.partition("/")[0])
    assert lab.address(pool_id, mac=mac(1)) == first
    assert lab.address(pool_id, first.partition("/")[0], mac=mac(2)) == first
    assert [held.mac for held in lab.store.reservations()] == [mac(2)]


# -- fixed addresses ------------------------------------------------------------------------------


def test_a_fixed_address_is_given_and_comes_back_after_release(lab: Docker) -> None:
    pool_id = lab.pool_id(pool="lab")
    for number in range(3):
        given = lab.address(pool_id, "192.168.60.200", mac=mac(number))
        assert given == "192.168.60.200/24"
        lab.release(pool_id, given)
    assert lab.store.reservations() == ()


def test_a_fixed_address_in_use_is_refused(lab: Docker) -> None:
    pool_id = lab.pool_id(pool="lab")
    lab.address(pool_id, "192.168.60.200", mac=mac(1))
    error = lab.ask(pool_id, "192.168.60.200", mac=mac(2)).error
    assert f"192.168.60.200 is in use by a container with the MAC {mac(1)}" in error


def test_a_fixed_address_that_a_stranger_has_is_refused(lab: Docker) -> None:
    lab.around.strangers["192.168.60.200"] = "aa:bb:cc:dd:ee:ff"
    pool_id = lab.pool_id(pool="lab")
    assert "aa:bb:cc:dd:ee:ff" in lab.ask(pool_id, "192.168.60.200", mac=mac(1)).error
    assert lab.store.reservations() == ()


def test_a_fixed_address_whose_old_holder_the_neighbours_remember_is_given(lab: Docker) -> None:
    pool_id = lab.pool_id(pool="lab")
    lab.release(pool_id, lab.address(pool_id, "192.168.60.200", mac=mac(1)))
    lab.around.neighbours["192.168.60.200"] = mac(1)
    assert lab.address(pool_id, "192.168.60.200", mac=mac(2)) == "192.168.60.200/24"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("10.0.0.1", "lies outside the subnet 192.168.60.0/24"),
        ("192.168.60.10", "lies outside the ranges of pool 'lab'"),
        ("192.168.60.1", "is the gateway"),
        ("192.168.60.255", "broadcast"),
        ("fd00::1", "lies outside the subnet"),
    ],
)
def test_an_address_that_the_pool_may_not_give_is_refused(
    lab: Docker, address: str, message: str
) -> None:
    assert message in lab.ask(lab.pool_id(pool="lab"), address, mac=mac(1)).error
    assert lab.store.reservations() == ()


def test_a_replay_of_what_is_held_succeeds(lab: Docker) -> None:
    talker = allocate(lab, "talker")
    pool_id = lab.pool_id(pool="lab")
    dynamic = lab.address(pool_id, mac=mac(1))
    static = lab.address(pool_id, mac=talker.mac)
    before = lab.store.reservations()
    for held in (dynamic, static):
        assert lab.address(pool_id, held.partition("/")[0]) == held
    assert lab.store.reservations() == before


# -- owners ---------------------------------------------------------------------------------------


def test_the_owner_s_mac_gets_the_owner_s_address(lab: Docker) -> None:
    talker = allocate(lab, "talker")
    pool_id = lab.pool_id(pool="lab")
    assert lab.address(pool_id, mac=talker.mac) == f"{talker.address}/24"
    lab.release(pool_id, str(talker.address))
    assert lab.address(pool_id, str(talker.address), mac=talker.mac) == f"{talker.address}/24"
    lab.release(pool_id, str(talker.address))
    assert lab.store.reservations("lab") == (talker,)


def test_the_owner_s_name_gets_the_owner_s_address(lab: Docker) -> None:
    talker = allocate(lab, "talker")
    pool_id = lab.pool_id(pool="lab")
    assert lab.address(pool_id, mac=mac(1), name="talker") == f"{talker.address}/24"
    assert lab.address(pool_id, mac=mac(2), name="listener") != f"{talker.address}/24"


def test_a_reserved_address_is_refused_to_others_and_the_owner_is_named(lab: Docker) -> None:
    talker = allocate(lab, "talker")
    pool_id = lab.pool_id(pool="lab")
    error = lab.ask(pool_id, str(talker.address), mac=mac(1)).error
    assert f"{talker.address} is reserved for 'talker' in pool 'lab'" in error
    assert f"--mac-address {talker.mac}" in error
    assert lab.store.reservations("lab") == (talker,)


def test_an_owner_s_address_goes_to_one_container_at_a_time(lab: Docker) -> None:
    talker = allocate(lab, "talker")
    pool_id = lab.pool_id(pool="lab")
    lab.address(pool_id, mac=talker.mac)
    assert (
        "reserved for 'talker', is in use by its container"
        in lab.ask(pool_id, mac=talker.mac).error
    )
    lab.around.gone.add(str(talker.address))
    assert lab.address(pool_id, mac=talker.mac) == f"{talker.address}/24"


def test_an_address_given_up_by_its_owner_stays_with_the_container_that_uses_it(
    lab: Docker,
) -> None:
    talker = allocate(lab, "talker")
    pool_id = lab.pool_id(pool="lab")
    lab.address(pool_id, mac=talker.mac)
    lab.store.release("lab", ["talker"])
    given = {lab.address(pool_id, mac=mac(number)) for number in range(15)}
    assert f"{talker.address}/24" not in given
    assert "no free address" in lab.ask(pool_id, mac=mac(99)).error
    assert (
        "is still used by a container" in lab.ask(pool_id, str(talker.address), mac=mac(99)).error
    )
    lab.release(pool_id, str(talker.address))
    assert lab.address(pool_id, mac=mac(99)) == f"{talker.address}/24"


def test_a_network_with_an_owner_serves_that_owner_alone(lab: Docker) -> None:
    talker = allocate(lab, "talker")
    pool_id = lab.pool_id(pool="lab", owner="talker")
    assert "serves 'talker' alone" in lab.ask(pool_id, "192.168.60.207", mac=mac(1)).error
    assert lab.address(pool_id, mac=mac(1)) == f"{talker.address}/24"
    assert "is in use by its container" in lab.ask(pool_id, mac=mac(2)).error
    lab.release(pool_id, str(talker.address))
    assert lab.address(pool_id, str(talker.address), mac=mac(3)) == f"{talker.address}/24"


def test_a_network_with_an_owner_reserves_for_it_once_and_for_good(lab: Docker) -> None:
    pool_id = lab.pool_id(pool="lab", owner="talker")
    first = lab.address(pool_id, mac=mac(1))
    lab.release(pool_id, first)
    assert lab.address(pool_id, mac=mac(2)) == first
    (held,) = lab.store.reservations("lab")
    assert (held.owner, held.kind) == ("talker", STATIC)


# -- what a network itself has --------------------------------------------------------------------


def test_a_pool_s_gateway_is_given_without_a_reservation(lab: Docker) -> None:
    pool_id = lab.pool_id(pool="lab")
    assert lab.gateway(pool_id, "192.168.60.1").body["Address"] == "192.168.60.1/24"
    assert lab.gateway(pool_id).body["Address"] == "192.168.60.1/24"
    assert lab.store.reservations() == ()


def test_another_gateway_is_kept_from_containers(docker: Docker) -> None:
    pool_id = docker.pool_id("192.168.60.0/30")
    assert docker.gateway(pool_id, "192.168.60.1").body["Address"] == "192.168.60.1/30"
    assert docker.gateway(pool_id, "192.168.60.1").body["Address"] == "192.168.60.1/30"
    assert docker.address(pool_id, mac=mac(1)) == "192.168.60.2/30"
    assert (
        "kept as a Docker network's gateway"
        in docker.ask(pool_id, "192.168.60.1", mac=mac(2)).error
    )


def test_a_gateway_that_a_container_has_is_refused(docker: Docker) -> None:
    pool_id = docker.pool_id(SUBNET)
    docker.address(pool_id, "192.168.60.1", mac=mac(1))
    assert "cannot be the gateway" in docker.gateway(pool_id, "192.168.60.1").error


def test_without_a_gateway_the_lan_s_router_is_taken(docker: Docker) -> None:
    docker.around.router = "192.168.60.254"
    reply = docker.pool(SUBNET)
    assert reply.body["Data"] == {"com.docker.network.gateway": "192.168.60.254/24"}
    assert docker.gateway(reply.body["PoolID"]).body["Address"] == "192.168.60.254/24"


def test_without_a_router_the_lowest_address_stands_for_it(docker: Docker) -> None:
    pool_id = docker.pool_id(SUBNET)
    assert docker.gateway(pool_id).body["Address"] == "192.168.60.1/24"


def test_in_ipv6_a_placeholder_stands_for_the_router_until_somebody_names_it(
    docker: Docker,
) -> None:
    ids = [str(docker.pool("fd00:60::/64", v6=True).body["PoolID"]) for _ in range(2)]
    for pool_id in ids:  # networks on one pool share it
        assert docker.gateway(pool_id).body["Address"] == "fd00:60::1/64"
    assert [held.owner for held in docker.store.reservations()] == ["placeholder:fd00:60::1"]
    assert docker.gateway(ids[1], "fd00:60::1").body["Address"] == "fd00:60::1/64"
    assert [held.owner for held in docker.store.reservations()] == ["gateway:fd00:60::1"]


def test_an_auxiliary_address_may_lie_outside_the_range_and_is_kept(lab: Docker) -> None:
    pool_id = lab.pool_id(pool="lab")
    assert lab.address(pool_id, "192.168.60.10") == "192.168.60.10/24"
    assert lab.address(pool_id, "192.168.60.192") == "192.168.60.192/24"
    assert "auxiliary" in lab.ask(pool_id, "192.168.60.192", mac=mac(1)).error
    lab.release(pool_id, "192.168.60.192")
    assert lab.address(pool_id, "192.168.60.192", mac=mac(1)) == "192.168.60.192/24"


# -- giving back ----------------------------------------------------------------------------------


def test_giving_back_twice_or_what_was_never_given_is_fine(lab: Docker) -> None:
    pool_id = lab.pool_id(pool="lab")
    given = lab.address(pool_id, mac=mac(1))
    for _ in range(2):
        lab.release(pool_id, given)
    lab.release(pool_id, "192.168.60.1")
    lab.release("docker-10.0.0.0-8;subnet=10.0.0.0/8", "10.0.0.1")
    assert lab.store.reservations() == ()


def test_an_address_that_a_container_still_uses_is_not_taken_from_it(lab: Docker) -> None:
    # Docker gives back a network's auxiliary address; it may be one that a container has got.
    pool_id = lab.pool_id(pool="lab")
    given = lab.address(pool_id, mac=mac(1))
    lab.around.running.add(mac(1))
    lab.release(pool_id, given)
    assert [held.kind for held in lab.store.reservations()] == [DYNAMIC]


@pytest.mark.parametrize("engine", ["engine-20.10", "engine-28.5", "engine-20.10-restarts"])
def test_what_real_engines_asked_of_ipam_is_answered(docker: Docker, engine: str) -> None:
    pool_id = given = ""
    # where the recorded plugin had put the one container that did not say where
    chosen = "192.168.60.51"
    for call, body in recorded(engine):
        if not call.startswith("IpamDriver."):
            continue
        if "PoolID" in body:
            body = body | {"PoolID": pool_id}
        if body.get("Options") == {"foo": "bar"}:
            body = body | {"Options": {}}
        if body.get("Address") == chosen:
            body = body | {"Address": given}
        reply = docker.client.call(call, body)
        assert not reply.error, (call, body, reply)
        pool_id = reply.body.get("PoolID", pool_id)
        if call == "IpamDriver.RequestAddress" and not body["Address"]:
            given = reply.body["Address"].partition("/")[0]
    if engine != "engine-20.10-restarts":  # that one ends with a network that is there
        assert docker.store.reservations() == ()
        assert docker.store.pools() == ()
