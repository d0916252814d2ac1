"""host-gateway is the PC's address on the LAN."""

from dataclasses import replace
from pathlib import Path

import pytest
from netaddr import IPAddress

from macvlan_ros import stack as stacks
from macvlan_ros.docker_api.values import Image
from macvlan_ros.lan_names import host_gateway
from macvlan_ros.launching import landing, plan
from macvlan_ros.models.pools import Reservation
from tests.unit.links import ETH0

OWN = IPAddress("192.168.50.11")


def test_the_word_alone_is_replaced() -> None:
    entries = (("qtrp", "192.168.50.12"), ("pc", "host-gateway"), ("pc", "fd00::1"))
    changed, note = host_gateway.on_lan(entries, OWN)
    assert changed == (("qtrp", "192.168.50.12"), ("pc", "192.168.50.11"), ("pc", "fd00::1"))
    assert note.startswith("pc: host-gateway is 192.168.50.11, this PC on the LAN")
    assert host_gateway.on_lan(entries, None) == (entries, "")
    assert host_gateway.on_lan(changed, OWN) == (changed, "")


@pytest.mark.parametrize(
    ("entry", "changed"),
    [
        ("host.docker.internal:host-gateway", "host.docker.internal:192.168.50.11"),
        ("pc=host-gateway", "pc=192.168.50.11"),
        ("qtrp:fd00::1", "qtrp:fd00::1"),
        ("host-gateway", "host-gateway"),
    ],
)
def test_a_value_of_the_command_line_is_replaced(entry: str, changed: str) -> None:
    assert host_gateway.option(entry, OWN)[0] == changed


def test_a_service_off_the_host_s_network_keeps_the_names_it_speaks_of(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text("""
        services:
          camera:
            {image: a, network_mode: host, environment: ["ROS_MASTER_URI=http://qtrp:11311"],
             command: view arm lidar}
          lidar: {image: a, command: view arm}
        """)
    stack = stacks.load([file], environ={})
    held = {name: Reservation("lan", OWN + 9, name, "02:00:00:00:00:01") for name in stack.services}
    site = landing.site(stack, host="qtpc", parent=ETH0)
    site = replace(site, names={"qtrp": "1.2.3.4", "arm": "1.2.3.5", "lidar": "1.2.3.6", "x": "7"})
    found, notes = plan.build(
        stack,
        list(stack.services.values()),
        site=site,
        held=held,
        wanted={},
        images={"a": Image("sha256:1", {}, None, None, {})},
    )
    # lidar is a service now, and Docker's DNS knows where it is
    assert [dict(one.hosts) for one in found] == [{"qtrp": "1.2.3.4", "arm": "1.2.3.5"}, {}]
    assert notes[0].startswith("camera: qtrp, arm of this PC's hosts file goes along")


def test_a_launch_hands_it_on_to_what_is_on_the_lan(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text("""
        services:
          bridge: {image: a, extra_hosts: ["pc:host-gateway"]}
          database:
            image: a
            extra_hosts: ["pc:host-gateway"]
            networks: [side]
            x-macvlan-ros: {lan: false}
        networks: {side: {}}
        """)
    stack = stacks.load([file], environ={})
    held = {
        name: Reservation("lan", IPAddress(f"192.168.50.{200 + n}"), name, "02:00:00:00:00:01")
        for n, name in enumerate(stack.services)
    }
    found, notes = plan.build(
        stack,
        list(stack.services.values()),
        site=landing.site(stack, host="qtpc", parent=ETH0),
        held=held,
        wanted={},
        images={"a": Image("sha256:1", {}, None, None, {})},
    )
    assert [one.hosts for one in found] == [(("pc", str(OWN)),), (("pc", "host-gateway"),)]
    assert [one.service.extra_hosts for one in found] == [one.hosts for one in found]
    assert notes[0].startswith("bridge: pc: host-gateway is 192.168.50.11, this PC on the LAN")
