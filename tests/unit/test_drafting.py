"""A new stack file: it says what was answered, and it loads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from netaddr import IPRange

from macvlan_ros import stack
from macvlan_ros.errors import InvalidRequest
from macvlan_ros.launching.drafting import (
    Draft,
    DraftService,
    likely_master,
    parse_service,
    parse_services,
    render,
)
from macvlan_ros.models.stacks import Stack
from tests.unit.links import ETH0

RANGE = IPRange("192.168.50.192", "192.168.50.223")


def loaded(draft: Draft, folder: Path) -> Stack:
    path = folder / "compose.yaml"
    path.write_text(render(draft), encoding="utf-8")
    return stack.load((path,), environ={})


def test_the_file_loads_and_says_what_was_answered(tmp_path: Path) -> None:
    services = (
        DraftService("harmoni_core", "cmbirmingham/harmoni-lightweight:latest", "qtpc"),
        DraftService("harmoni_hardware", "harmoniteam/lightweight:harmoni", "qtrp"),
    )
    hosts = {"qtpc": "eth0", "qtrp": "192.168.50.0/24"}
    found = loaded(Draft(ETH0, RANGE, services, "harmoni_hardware", hosts), tmp_path)
    assert {s.name: (s.image, s.host, s.owner) for s in found.services.values()} == {
        "harmoni_core": ("cmbirmingham/harmoni-lightweight:latest", "qtpc", "harmoni_core"),
        "harmoni_hardware": ("harmoniteam/lightweight:harmoni", "qtrp", "harmoni_hardware"),
    }
    assert found.master == "harmoni_hardware"
    assert found.services["harmoni_core"].address is None
    assert str(found.services["harmoni_hardware"].address) == "192.168.50.209"
    assert found.ranges == (RANGE,)
    assert {name: host.parent for name, host in found.hosts.items()} == hosts
    assert not found.notes


def test_each_of_several_hosts_has_a_part_of_the_range_and_addresses_to_choose(
    tmp_path: Path,
) -> None:
    services = [
        DraftService(name, "ros:noetic", host)
        for name, host in (("aa", "b"), ("cc", "d"), ("ee", "f"))
    ]
    hosts = {"b": "eth0", "d": "eth0", "f": "eth0"}
    draft = Draft(ETH0, RANGE, services, hosts=hosts)
    parts = [host.ranges for host in loaded(draft, tmp_path).hosts.values()]
    assert parts == [
        (IPRange("192.168.50.192", "192.168.50.201"),),
        (IPRange("192.168.50.202", "192.168.50.212"),),
        (IPRange("192.168.50.213", "192.168.50.223"),),
    ]
    assert "{host: f, address: 192.168.50.215}" in render(draft)
    small = replace(draft, ranges=IPRange("192.168.50.192", "192.168.50.193"))
    assert not any(host.ranges for host in loaded(small, tmp_path).hosts.values())


def test_without_hosts_and_master_it_loads_too(tmp_path: Path) -> None:
    found = loaded(Draft(ETH0, RANGE, (DraftService("talker", "ros:2"),)), tmp_path)
    assert found.master == ""
    assert found.services["talker"].host == ""


NAMES = st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,20}", fullmatch=True)
IMAGES = st.from_regex(r"[a-z0-9]+([./-][a-z0-9]+){0,3}(:[\w][\w.-]{0,9})?", fullmatch=True)


@settings(max_examples=40)
@given(name=NAMES, image=IMAGES, host=NAMES)
def test_whatever_the_names_are_they_come_back(
    tmp_path_factory: pytest.TempPathFactory, name: str, image: str, host: str
) -> None:
    draft = Draft(ETH0, RANGE, (DraftService(name, image, host),), hosts={host: "eth0"})
    found = loaded(draft, tmp_path_factory.mktemp("draft")).services
    assert [(s.name, s.image, s.host) for s in found.values()] == [(name, image, host)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("core=ros:noetic", DraftService("core", "ros:noetic", "here")),
        ("core=ros:noetic@qtpc", DraftService("core", "ros:noetic", "qtpc")),
        ("core=a/b@sha256:0f", DraftService("core", "a/b@sha256:0f", "here")),
        ("core=a/b@sha256:0f@qtpc", DraftService("core", "a/b@sha256:0f", "qtpc")),
    ],
)
def test_a_service_is_a_name_an_image_and_a_host(text: str, wanted: DraftService) -> None:
    assert parse_service(text, here="here") == wanted


@pytest.mark.parametrize(
    "text", ["core", "core=", "=ros", "co re=ros", "core=ros@q c", "a=b c", "a=ros"]
)
def test_a_service_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_service(text)


def test_two_services_of_one_name_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="there is a service 'core' already"):
        parse_services(["core=ros", "ear=ros", "core=ros:noetic"])
    assert [one.name for one in parse_services(["core=ros", "ear=ros"])] == ["core", "ear"]


def test_the_likely_master_is_the_one_that_is_called_so() -> None:
    assert likely_master(["harmoni_core", "harmoni_hardware"]) == "harmoni_hardware"
    assert likely_master(["hardware", "ROSCore"]) == "ROSCore"
    assert likely_master(["talker", "listener"]) == ""
