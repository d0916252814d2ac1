"""Services that stay off the LAN: x-macvlan-ros: {lan: false}."""

from __future__ import annotations

from pathlib import Path

import pytest

from macvlan_ros.docker_api.payload import container_payload
from tests.unit.stack_text import error_of, load_service, load_text

OFF = "x-macvlan-ros: {lan: false}\n"
INSIDE = "networks: {inside: {internal: true}, wide: {driver: overlay}}\n"


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("networks: [inside]", "robot_inside"),
        ("network_mode: none", "none"),
        ("network_mode: host", "host"),
    ],
)
def test_what_a_service_has_in_place_of_the_lan(tmp_path: Path, text: str, instead: str) -> None:
    found = load_service(tmp_path, OFF + text, more="name: robot\n" + INSIDE)
    assert found.off_lan == instead
    body = container_payload(
        found, attachment=None, environment={}, hosts=[], labels={}, api_version="1.44"
    )
    assert body["HostConfig"]["NetworkMode"] == instead
    endpoints = body["NetworkingConfig"]["EndpointsConfig"]
    assert set(endpoints) == {one.name for one in found.bridges}
    assert "MacAddress" not in body


def test_a_service_without_a_network_is_off_the_lan_by_itself(tmp_path: Path) -> None:
    assert load_service(tmp_path, "network_mode: none").off_lan == "none"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "nothing says on which network the service is instead"),
        ("networks: [wide]", "is the LAN's"),
        ("networks: [default]", "is the LAN's"),
        ("networks: [insde]", "is the LAN's"),
        ("network_mode: bridge", "must be none or host"),
        ("network_mode: none\nnetworks: [inside]", "cannot stand beside 'networks'"),
    ],
)
def test_a_service_that_is_nowhere_is_refused(tmp_path: Path, text: str, said: str) -> None:
    assert said in error_of(lambda: load_service(tmp_path, OFF + text, more=INSIDE))


@pytest.mark.parametrize("key", ["address: 192.168.50.9", "mac: 02:00:00:00:00:01"])
def test_it_has_nothing_of_the_lan(tmp_path: Path, key: str) -> None:
    text = f"network_mode: none\nx-macvlan-ros: {{lan: false, {key}}}"
    assert "'lan' is false" in error_of(lambda: load_service(tmp_path, text))


@pytest.mark.parametrize("section", ["master: db", "discovery: {server: db}"])
def test_nobody_is_to_meet_there(tmp_path: Path, section: str) -> None:
    text = f"""
        x-macvlan-ros: {{{section}}}
        services:
          db: {{image: a, network_mode: none, x-macvlan-ros: {{lan: false}}}}
        """
    assert "names 'db', which is not on the LAN" in error_of(lambda: load_text(tmp_path, text))
