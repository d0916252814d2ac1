"""The section x-macvlan-ros, and what services must agree on."""

from __future__ import annotations

from pathlib import Path

import pytest
from netaddr import IPAddress, IPNetwork, IPRange

from macvlan_ros.models.stacks import HostEntry
from tests.unit.stack_text import error_of, load_text

SERVICES = "services: {core: {image: ros}, talker: {image: ros}}\n"


def section(folder: Path, text: str, services: str = SERVICES, **variables: str) -> object:
    return load_text(folder, f"{services}\nx-macvlan-ros: {text}\n", environ=variables)


def test_without_a_section_everything_is_left_to_be_found_out(tmp_path: Path) -> None:
    stack = load_text(tmp_path, SERVICES)
    assert (stack.network, stack.pool, stack.parent, stack.mode) == ("ros_lan", "", "", "bridge")
    assert (stack.subnet, stack.gateway, stack.ranges, stack.exclude) == (None, None, (), ())
    assert (stack.master, stack.hosts, stack.notes) == ("", {}, ())


def test_a_whole_section(tmp_path: Path) -> None:
    stack = load_text(
        tmp_path,
        """
        x-macvlan-ros:
          network: lab
          pool: robots
          subnet: 192.168.50.0/24
          gateway: 192.168.50.1
          range: [192.168.50.192/27, 192.168.50.10-192.168.50.12, 192.168.50.20]
          exclude: 192.168.50.200
          parent: 02:42:ac:11:00:02
          mode: vepa
          master: core
          hosts:
            qtpc: {parent: enp3s0, address: 192.168.50.11, range: 192.168.50.192/28}
            qtrp: {docker: ssh://qtrobot@192.168.50.12}
            spare:
        services:
          core: {image: ros, x-macvlan-ros: {host: qtpc, address: 192.168.50.195}}
          talker: {image: ros, x-macvlan-ros: {mac: 02:42:AC:11:00:03, address: '192.168.50.5'}}
        """,
    )
    assert (stack.network, stack.pool, stack.mode) == ("lab", "robots", "vepa")
    assert (stack.subnet, stack.gateway) == (
        IPNetwork("192.168.50.0/24"),
        IPAddress("192.168.50.1"),
    )
    assert stack.ranges == (
        IPRange("192.168.50.192", "192.168.50.223"),
        IPRange("192.168.50.10", "192.168.50.12"),
        IPRange("192.168.50.20", "192.168.50.20"),
    )
    assert stack.exclude == (IPRange("192.168.50.200", "192.168.50.200"),)
    assert (stack.parent, stack.master) == ("02:42:ac:11:00:02", "core")
    assert stack.hosts == {
        "qtpc": HostEntry(
            "qtpc",
            "enp3s0",
            IPAddress("192.168.50.11"),
            (IPRange("192.168.50.192", "192.168.50.207"),),
        ),
        "qtrp": HostEntry("qtrp", docker="ssh://qtrobot@192.168.50.12"),
        "spare": HostEntry("spare"),
    }
    core, talker = stack.services.values()
    assert (core.host, core.address) == ("qtpc", IPAddress("192.168.50.195"))
    assert (talker.host, talker.address) == ("", IPAddress("192.168.50.5"))
    assert talker.mac == "02:42:ac:11:00:03"


@pytest.mark.parametrize(
    "text", ["", "{}", "{subnet: auto}", "{subnet: $NONE}", "{hosts: }", "{network: $NONE}"]
)
def test_a_section_may_be_empty(tmp_path: Path, text: str) -> None:
    stack = load_text(tmp_path, f"{SERVICES}\nx-macvlan-ros: {text}\n")
    assert (stack.subnet, stack.hosts, stack.network) == (None, {}, "ros_lan")


@pytest.mark.parametrize(
    ("master", "wanted"),
    [
        ("core", "core"),
        ("qtpc", "host:qtpc"),
        ("host:qtpc", "host:qtpc"),
        ("both", "both"),
        ("host:both", "host:both"),
        ("http://192.168.50.20:11311", "http://192.168.50.20:11311"),
        ("http://robot.lan:11311/", "http://robot.lan:11311/"),
        ("http://[fd00::1]:11311", "http://[fd00::1]:11311"),
        ("$ROS_MASTER_URI", "http://10.0.0.1:11311"),
        ("$NONE", ""),
        ("", ""),
    ],
)
def test_the_master_is_a_service_a_host_or_a_uri(tmp_path: Path, master: str, wanted: str) -> None:
    text = f"""
        services: {{core: {{image: ros}}, both: {{image: ros}}}}
        x-macvlan-ros: {{master: "{master}", hosts: {{qtpc: , both: }}}}
        """
    stack = load_text(tmp_path, text, environ={"ROS_MASTER_URI": "http://10.0.0.1:11311"})
    assert stack.master == wanted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{netwrok: a}", "key 'x-macvlan-ros.netwrok' is not a key of x-macvlan-ros (did you mean"),
        ("[a]", "key 'x-macvlan-ros' must be a mapping, is a list"),
        ("{network: 'a b'}", "key 'x-macvlan-ros.network' is no name: 'a b'"),
        ("{subnet: 192.168.50.0}", "key 'x-macvlan-ros.subnet' is 192.168.50.0: has no prefix"),
        ("{subnet: 192.168.50.7/24}", "is 192.168.50.7/24: has host bits set"),
        ("{range: 192.168.50}", "key 'x-macvlan-ros.range' is 192.168.50: not a range"),
        ("{range: 192.168.50.9-192.168.50.1}", "runs backwards"),
        ("{subnet: 192.168.50.0/24, range: [10.0.0.0/28]}",
         "x-macvlan-ros.range[0]' is 10.0.0.0/28, which is outside the subnet 192.168.50.0/24"),
        ("{subnet: 192.168.50.0/24, exclude: 10.0.0.1}", "is 10.0.0.1, which is outside the"),
        ("{subnet: 192.168.50.0/24, gateway: 10.0.0.1}", "is 10.0.0.1, which is outside the"),
        ("{subnet: 192.168.50.0/24, gateway: 192.168.50.0}", "the network address of"),
        ("{gateway: here}", "is here: not an address"),
        ("{mode: brigde}", "must be one of bridge, private, vepa, passthru, is 'brigde' (did you"),
        ("{master: cora}", "is 'cora', which is no service of the stack, no host of x-macvlan-ros"),
        ("{master: cora}", "did you mean 'core'?"),
        ("{master: 'host:qtpc'}", "x-macvlan-ros.hosts has no 'qtpc'; add it there"),
        ("{master: 'host:qtp', hosts: {qtpc: }}", "did you mean 'qtpc'?"),
        ("{master: 'https://a:1'}", "is no master's URI: 'https://a:1'; write http://ADDRESS:11311"),
        ("{master: 'http://192.168.50.20'}", "is no master's URI"),
        ("{master: 'http://a:x'}", "is no master's URI"),
        ("{master: 'http://[a:1'}", "is no master's URI"),
        ("{hosts: [qtpc]}", "key 'x-macvlan-ros.hosts' must be a mapping, is a list"),
        ("{hosts: {qtpc: {parnet: eth0}}}", "'x-macvlan-ros.hosts.qtpc.parnet' is not a key of"),
        ("{hosts: {'a b': }}", "is no host's name"),
        ("{hosts: {a: {address: x}}}", "key 'x-macvlan-ros.hosts.a.address' is x: not an address"),
        ("{subnet: 192.168.50.0/24, hosts: {a: {address: 10.0.0.1}}}", "outside the subnet"),
        ("{subnet: 192.168.50.0/24, hosts: {a: {range: 10.0.0.1}}}", "outside the subnet"),
    ],
)  # fmt: skip
def test_a_wrong_section_is_told(tmp_path: Path, text: str, said: str) -> None:
    assert said in error_of(lambda: section(tmp_path, text))


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("{addres: 1}", "{}", "'x-macvlan-ros.addres' is not a key of a service's x-macvlan"),
        ("{host: qtp}", "{}", "is 'qtp', which is none of the hosts of x-macvlan-ros (did"),
        ("{host: zzz}", "{}", "which is none of the hosts of x-macvlan-ros (qtpc, qtrp)"),
        ("{ros: 3}", "{}", "key 'x-macvlan-ros.ros' must be 1, 2 or none, is '3'"),
        ("{address: 10.0.0.1}", "{}", "is 10.0.0.1, which is outside the subnet 192.168.50.0/24"),
        ("{address: 192.168.50.255}", "{}", "the broadcast address of 192.168.50.0/24"),
        ("{address: 192.168.50.1}", "{}", "is 192.168.50.1, which is the gateway's"),
        ("{address: 192.168.50.5}", "{address: 192.168.50.5}",
         "service 'talker', key 'x-macvlan-ros' is 192.168.50.5, and so is that of service 'core'"),
        ("{mac: 02:00:00:00:00:01}", "{mac: 02:00:00:00:00:01}", "a MAC has one holder"),
        ("{mac: x}", "{}", "is no MAC: 'x'"),
    ],
)  # fmt: skip
def test_a_wrong_section_of_a_service_is_told(
    tmp_path: Path, first: str, second: str, said: str
) -> None:
    services = f"""services:
  core: {{image: ros, x-macvlan-ros: {first}}}
  talker: {{image: ros, x-macvlan-ros: {second}}}
"""
    text = "{subnet: 192.168.50.0/24, gateway: 192.168.50.1, hosts: {qtpc: , qtrp: }}"
    assert said in error_of(lambda: section(tmp_path, text, services))


@pytest.mark.parametrize("hosts", [("", ""), ("qtpc", "qtrp"), ("qtpc", "qtpc")])
def test_a_container_name_stands_once_in_a_stack_for_its_address_is_kept_under_it(
    tmp_path: Path, hosts: tuple[str, str]
) -> None:
    text = "services:\n" + "".join(
        f"  {name}: {{image: ros, container_name: same, x-macvlan-ros: {{host: '{host}'}}}}\n"
        for name, host in zip(("core", "talker"), hosts, strict=True)
    )
    said = error_of(lambda: load_text(tmp_path, text))
    assert ":3: service 'talker', key 'container_name' is same, and so is that of 'core'" in (
        said.replace("service 'core'", "'core'")
    )


def test_a_former_address_and_a_wished_one_clash_too(tmp_path: Path) -> None:
    text = """
        networks: {lan: {driver: macvlan}}
        services:
          core: {image: ros, x-macvlan-ros: {address: 192.168.50.5}}
          talker: {image: ros, networks: {lan: {ipv4_address: 192.168.50.5}}}
        """
    said = error_of(lambda: load_text(tmp_path, text))
    assert (
        "service 'talker', key 'networks' is 192.168.50.5, and so is that of service 'core'" in said
    )


def test_one_service_may_name_its_address_twice(tmp_path: Path) -> None:
    text = """
        networks: {lan: {driver: macvlan}}
        services:
          talker:
            image: ros
            networks: {lan: {ipv4_address: 192.168.50.5}}
            x-macvlan-ros: {address: 192.168.50.5}
        """
    assert load_text(tmp_path, text).services["talker"].address == IPAddress("192.168.50.5")


def test_a_wish_whose_variable_is_not_set_is_none(tmp_path: Path) -> None:
    text = """
        services:
          talker: {image: ros, x-macvlan-ros: {address: $IP, host: $HOST, mac: $MAC, ros: $ROS}}
        """
    talker = load_text(tmp_path, text).services["talker"]
    assert (talker.address, talker.host, talker.mac, talker.ros) == (None, "", "", "")
    assert load_text(tmp_path, text, environ={"HOST": "qtpc"}).services["talker"].host == "qtpc"


def test_a_misspelt_section_is_noted(tmp_path: Path) -> None:
    stack = load_text(tmp_path, SERVICES + "x-macvlan_ros: {network: lab}\nx-other: 1\n")
    assert stack.notes == (
        "the section 'x-macvlan_ros' is ignored (did you mean 'x-macvlan-ros'?)",
    )


def test_ipv6_stands_beside_ipv4_by_keys_of_its_own(tmp_path: Path) -> None:
    services = 'services: {core: {image: ros, x-macvlan-ros: {address6: "fd00:50::1:5"}}}'
    stack = load_text(
        tmp_path,
        f"{services}\nx-macvlan-ros: {{range6: 'fd00:50::1:0/112', subnet6: 'fd00:50::/64',"
        " gateway6: 'fd00:50::1', ros_over: ipv6}\n",
    )
    assert stack.ipv6
    assert (stack.subnet6, stack.gateway6) == (IPNetwork("fd00:50::/64"), IPAddress("fd00:50::1"))
    assert stack.ranges6 == (IPRange("fd00:50::1:0", "fd00:50::1:ffff"),)
    assert (stack.ros_over, stack.subnet) == ("ipv6", None)
    assert stack.services["core"].address6 == IPAddress("fd00:50::1:5")


@pytest.mark.parametrize("text", ["{subnet6: auto}", "{pool6: six}", "{range6: 'fd00::/64'}"])
def test_any_key_of_ipv6_asks_for_it(tmp_path: Path, text: str) -> None:
    stack = load_text(tmp_path, f"{SERVICES}\nx-macvlan-ros: {text}\n")
    assert stack.ipv6
    assert stack.ros_over == "ipv4"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{subnet: 'fd00::/64'}", "IPv6 belongs to 'subnet6'"),
        ("{subnet6: 192.168.50.0/24}", "IPv4 belongs to 'subnet'"),
        ("{range: 'fd00::/64'}", "IPv6 belongs to 'range6'"),
        ("{range6: 192.168.50.192/27}", "IPv4 to 'range'"),
        ("{range6: 'fd01::/64', subnet6: 'fd00::/64'}", "outside the subnet fd00::/64"),
        ("{ros_over: ipv6}", "needs IPv6"),
        ("{ros_over: six, subnet6: auto}", "must be ipv4 or ipv6"),
    ],
)
def test_a_key_of_the_wrong_family_is_told(tmp_path: Path, text: str, said: str) -> None:
    assert said in error_of(lambda: section(tmp_path, text))


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ("{address6: 'fd00::5'}", "needs IPv6"),
        ("{address: 'fd00::5'}", "IPv6 belongs to 'address6'"),
    ],
)
def test_a_services_ipv6_address_needs_a_stack_with_ipv6(
    tmp_path: Path, own: str, said: str
) -> None:
    services = f"services: {{core: {{image: ros, x-macvlan-ros: {own}}}}}\n"
    assert said in error_of(lambda: load_text(tmp_path, services))
