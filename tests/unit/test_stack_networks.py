"""Networks: what the macvlan network replaces, and what stays beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
from netaddr import IPAddress, IPNetwork

from macvlan_ros import stack as stacks
from macvlan_ros.models.containers import BridgeUse, Service
from macvlan_ros.models.stacks import Stack
from tests.unit.stack_text import error_of, load_text


def load(
    folder: Path, networks: str, use: str, *, section: str = "", more: str = ""
) -> tuple[Stack, Service]:
    text = f"name: proj\nservices:\n  talker: {{image: ros, networks: {use}{more}}}\n"
    text += f"networks: {networks}\n" + (f"x-macvlan-ros: {section}\n" if section else "")
    stack = load_text(folder, text)
    return stack, stack.services["talker"]


@pytest.mark.parametrize(
    "use", ["", "[]", "{}", "[default]", "{default: }", "[ros_lan]", "{ros_lan: }"]
)
def test_without_a_network_of_its_own_a_service_is_on_the_macvlan_one_alone(
    tmp_path: Path, use: str
) -> None:
    stack, talker = load(tmp_path, "{}", use)
    assert (talker.bridges, stack.notes, stack.network) == ((), (), "ros_lan")


@pytest.mark.parametrize("driver", ["overlay", "macvlan", "ipvlan", "macvlan-ros"])
@pytest.mark.parametrize("use", ["[net]", "{net: {ipv4_address: 172.18.3.4, aliases: [tk]}}"])
def test_a_network_of_such_a_driver_is_replaced_with_a_note(
    tmp_path: Path, driver: str, use: str
) -> None:
    stack, talker = load(tmp_path, f"{{net: {{driver: {driver}, attachable: true}}}}", use)
    assert talker.bridges == ()
    assert len(stack.notes) == 1
    assert "'net'" in stack.notes[0]
    assert "'ros_lan'" in stack.notes[0]
    if "tk" in use:
        assert talker.former_address == IPAddress("172.18.3.4")
        assert talker.aliases == ("tk",)


@pytest.mark.parametrize(
    ("declared", "section"),
    [
        ("{ros_lan: }", ""),
        ("{ros_lan: {external: true}}", ""),
        ("{net: {name: ros_lan}}", ""),
        ("{net: {name: ros_lan, external: true}}", ""),
        ("{net: }", "{network: net}"),
        ("{net: {name: lan}}", "{network: lan}"),
    ],
)
def test_the_network_of_the_sections_name_is_the_macvlan_one(
    tmp_path: Path, declared: str, section: str
) -> None:
    key = "ros_lan" if declared.startswith("{ros_lan") else "net"
    use = f"{{{key}: {{ipv4_address: 192.168.50.20}}}}"
    stack, talker = load(tmp_path, declared, use, section=section)
    assert (talker.bridges, talker.former_address) == ((), IPAddress("192.168.50.20"))
    assert stack.notes == ()


@pytest.mark.parametrize(
    ("declared", "wanted"),
    [
        ("{net: }", BridgeUse("proj_net")),
        ("{net: {driver: bridge}}", BridgeUse("proj_net")),
        ("{net: {name: called}}", BridgeUse("called")),
        ("{net: {external: true}}", BridgeUse("net", external=True)),
        ("{net: {external: {name: older}}}", BridgeUse("older", external=True)),
        ("{net: {external: true, name: n}}", BridgeUse("n", external=True)),
        ("{net: {internal: true}}", BridgeUse("proj_net", internal=True)),
        ("{net: {driver: weave}}", BridgeUse("proj_net", driver="weave")),
        ("{net: {driver_opts: {com.docker.network.driver.mtu: 1400}}}",
         BridgeUse("proj_net", driver_options={"com.docker.network.driver.mtu": "1400"})),
        ("{net: {ipam: {driver: default, config: [{subnet: 172.18.3.0/24}]}}}",
         BridgeUse("proj_net", subnets=(IPNetwork("172.18.3.0/24"),))),
    ],
)  # fmt: skip
def test_a_bridge_stays_beside_the_macvlan_network(
    tmp_path: Path, declared: str, wanted: BridgeUse
) -> None:
    assert load(tmp_path, declared, "[net]")[1].bridges == (wanted,)


def test_a_bridge_keeps_its_address_and_aliases_and_the_lan_its_own(tmp_path: Path) -> None:
    _, talker = load(
        tmp_path,
        "{net: , lan: {driver: overlay}}",
        "{net: {ipv4_address: 172.20.0.5, aliases: [a, b]}, lan: {ipv4_address: 172.18.3.4,"
        " aliases: [c], mac_address: 02:42:ac:12:03:04}, default: {aliases: [d]}}",
    )
    assert talker.bridges == (BridgeUse("proj_net", ("a", "b"), IPAddress("172.20.0.5")),)
    assert talker.former_address == IPAddress("172.18.3.4")
    assert (talker.aliases, talker.mac) == (("c", "d"), "02:42:ac:12:03:04")


def test_the_macvlan_network_of_the_file_describes_the_lan(tmp_path: Path) -> None:
    declared = """
        lan:
          driver: macvlan
          driver_opts: {parent: enp3s0, macvlan_mode: private}
          ipam: {config: [{subnet: 192.168.50.0/24, gateway: 192.168.50.1,
                           ip_range: 192.168.50.192/27}]}"""
    stack, _ = load(tmp_path, declared, "[lan]")
    assert (stack.parent, stack.mode) == ("enp3s0", "private")
    assert (stack.subnet, stack.gateway) == (
        IPNetwork("192.168.50.0/24"),
        IPAddress("192.168.50.1"),
    )
    assert [str(part) for part in stack.ranges] == ["192.168.50.192-192.168.50.223"]
    section = "{subnet: 192.168.60.0/24, parent: eth1}"
    stack, _ = load(tmp_path, declared, "[lan]", section=section)
    assert (stack.parent, stack.mode) == ("eth1", "private")
    assert (stack.subnet, stack.gateway, stack.ranges) == (IPNetwork("192.168.60.0/24"), None, ())


def test_what_an_overlay_says_of_addresses_is_no_matter(tmp_path: Path) -> None:
    declared = """{net: {driver: overlay, driver_opts: {encrypted: ''}, labels: {a: b},
        ipam: {driver: overlay, config: [{subnet: x, aux_addresses: {a: 172.18.3.9}}]}}}"""
    use = "{net: {ipv4_address: 172.18.3.4, ipv6_address: 'fd00::4'}}"
    stack, talker = load(tmp_path, declared, use)
    assert talker.former_address == IPAddress("172.18.3.4")
    assert stack.subnet is None
    assert stack.notes == (
        "service 'talker': network 'net': ipv6_address is not used",
        "network 'net' (overlay) is replaced by the macvlan network 'ros_lan'",
    )


def test_a_host_network_by_its_swarm_name_is_replaced(tmp_path: Path) -> None:
    stack, talker = load(tmp_path, "{hostnet: {external: true, name: host}}", "[hostnet]")
    assert talker.bridges == ()
    assert stack.notes == ("network 'hostnet' (host) is replaced by the macvlan network 'ros_lan'",)


def test_an_external_network_can_be_given_up_when_the_engine_says_what_it_is(
    tmp_path: Path,
) -> None:
    use = "{ros_net: {ipv4_address: 172.18.3.4, aliases: [tk]}, other: }"
    stack, _ = load(tmp_path, "{ros_net: {external: true}, other: }", use)
    after = stacks.replace_network(stack, "ros_net", driver="overlay")
    talker = after.services["talker"]
    assert talker.bridges == (BridgeUse("proj_other"),)
    assert (talker.former_address, talker.aliases) == (IPAddress("172.18.3.4"), ("tk",))
    assert after.notes == (
        "network 'ros_net' (overlay) is replaced by the macvlan network 'ros_lan'",
    )
    assert stacks.replace_network(after, "ros_net", driver="overlay") == after


def test_what_a_bridge_cannot_keep_is_noted(tmp_path: Path) -> None:
    declared = """{net: {labels: {a: b}, enable_ipv6: true,
        ipam: {config: [{subnet: 172.18.3.0/24, gateway: 172.18.3.1}]}}}"""
    stack, _ = load(tmp_path, declared, "[net]")
    assert stack.notes == (
        "network 'net': its gateway and ip_range are left to Docker, only its subnet is used",
        "network 'net': its key 'enable_ipv6' is ignored",
        "network 'net': its key 'labels' is ignored",
    )


@pytest.mark.parametrize(
    ("declared", "use", "said"),
    [
        (
            "{lan_a: }",
            "[lan_b]",
            "'networks.lan_b' is not declared in the top-level 'networks' (did",
        ),
        ("{n: {driver: none}}", "[n]", "key 'networks.n' is the network of no connection"),
        ("{n: {external: true, name: none}}", "[n]", "is the network of no connection"),
        ("{n: {drivr: overlay}}", "[n]", "did you mean 'driver'?"),
        ("{n: {ipam: {driver: dhcp}}}", "[n]", "key 'networks.n.ipam.driver' must be 'default'"),
        ("{n: {ipam: {config: [{subnet: 172.18.3.0}]}}}", "[n]", "is 172.18.3.0: has no prefix"),
        (
            "{n: {ipam: {config: [{aux_addresses: {a: 10.0.0.1}}]}}}",
            "[n]",
            "use x-macvlan-ros.excl",
        ),
        ("{n: }", "{n: {ipv4_adress: 172.18.3.4}}", "did you mean 'ipv4_address'?"),
        ("{n: }", "{n: {ipv4_address: 172.18.3}}", "is 172.18.3: not an address"),
        ("{n: }", "{n: {mac_address: 02:42:ac:12:03:04}}", "only the macvlan network can have"),
        ("{n: }", "{n: {link_local_ips: [169.254.1.1]}}", "is not supported; remove it"),
        ("{n: }", "n", "key 'networks' must be a mapping or a list, is the text 'n'"),
        ("[n]", "[n]", "key 'networks' must be a mapping, is a list"),
    ],
)
def test_a_wrong_network_is_told(tmp_path: Path, declared: str, use: str, said: str) -> None:
    assert said in error_of(lambda: load(tmp_path, declared, use))


@pytest.mark.parametrize(
    ("lan", "first", "second", "wanted"),
    [
        ("", "", "", ""),
        ("", "gw_priority: 1", "", "proj_first"),
        ("", "gw_priority: 1", "gw_priority: 2", "proj_second"),
        ("gw_priority: 2", "gw_priority: 2", "gw_priority: 1", ""),
        ("", "gw_priority: -1", "priority: 1000", ""),
    ],
)
def test_the_default_route_is_the_lans_unless_a_bridge_has_the_higher_priority(
    tmp_path: Path, lan: str, first: str, second: str, wanted: str
) -> None:
    uses = f"{{ros_lan: {{{lan}}}, first: {{{first}}}, second: {{{second}}}}}"
    services = f"{{talker: {{image: ros, networks: {uses}}}}}"
    text = f"{{name: proj, networks: {{first: , second: }}, services: {services}}}"
    assert load_text(tmp_path, text).services["talker"].default_route == wanted
