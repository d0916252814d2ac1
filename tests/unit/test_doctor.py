"""The doctor's judgement, on what systems say that the lab cannot be."""

from __future__ import annotations

import errno
import json
import struct
from pathlib import Path

import pytest

from macvlan_ros.doctor import BAD, OK, WARNING, Finding, cure
from macvlan_ros.doctor.clocks import judge as judge_clock
from macvlan_ros.doctor.clocks import offset, read_reply, read_time, request
from macvlan_ros.doctor.firewall import judge_iptables, judge_nft
from macvlan_ros.doctor.kernel import refusal
from macvlan_ros.doctor.machine import hypervisor
from macvlan_ros.doctor.manager import judge as judge_manager
from macvlan_ros.doctor.manager import read
from macvlan_ros.doctor.ros_variables import Setting, of_files, shell_files
from macvlan_ros.doctor.ros_variables import judge as judge_variable
from macvlan_ros.doctor.shims import judge_arp
from macvlan_ros.errors import Forbidden


@pytest.mark.parametrize(
    ("vendor", "product", "name"),
    [
        ("VMware, Inc.", "VMware Virtual Platform", "VMware"),
        ("innotek GmbH", "VirtualBox", "VirtualBox"),
        ("Microsoft Corporation", "Virtual Machine", "Hyper-V"),
        ("QEMU", "Standard PC (Q35 + ICH9, 2009)", "KVM"),
        ("Amazon EC2", "t3.micro", "Amazon EC2"),
        ("Google", "Google Compute Engine", "Google Compute Engine"),
        ("Microsoft Corporation", "Surface Laptop 4", ""),
        ("Intel(R) Client Systems", "NUC10i7FNH", ""),
        ("", "", ""),
    ],
)
def test_a_virtual_machine_is_known_by_its_dmi(
    tmp_path: Path, vendor: str, product: str, name: str
) -> None:
    (tmp_path / "sys_vendor").write_text(f"{vendor}\n")
    (tmp_path / "product_name").write_text(f"{product}\n")
    found = hypervisor(tmp_path)
    assert (found.name if found else "") == name
    assert found is None or found.remedy


def conf(folder: Path, **values: int) -> None:
    for key, value in values.items():
        interface, _, name = key.partition("__")
        (folder / interface.replace("_", "-")).mkdir(exist_ok=True)
        (folder / interface.replace("_", "-") / name).write_text(f"{value}\n")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"all__rp_filter": 0, "eth0__arp_ignore": 0}, []),
        ({"eth0__proxy_arp": 1}, ["proxy_arp"]),
        ({"mvr_eth0__rp_filter": 2, "eth0__arp_ignore": 1}, []),
        ({"mvr_eth0__rp_filter": 2, "eth0__arp_ignore": 0}, ["two MACs"]),
        ({"mvr_eth0__rp_filter": 1, "eth0__arp_ignore": 1}, ["rp_filter=1"]),
        ({"mvr_eth0__rp_filter": 2, "all__rp_filter": 1, "all__arp_ignore": 1}, []),
        ({"mvr_eth0__rp_filter": 0, "all__rp_filter": 1, "all__arp_ignore": 1}, ["rp_filter=1"]),
    ],
)
def test_arp_settings_count_with_those_of_all(
    tmp_path: Path, values: dict[str, int], words: list[str]
) -> None:
    conf(tmp_path, **values)
    found = list(judge_arp("eth0", tmp_path))
    assert len(found) == len(words)
    for finding, word in zip(found, words, strict=True):
        assert word in finding.text
        assert finding.remedy


def test_shell_files_are_read_and_comments_are_not(tmp_path: Path) -> None:
    home, etc = tmp_path / "home", tmp_path / "etc"
    (etc / "profile.d").mkdir(parents=True)
    home.mkdir()
    (home / ".bashrc").write_text(
        "# export ROS_IP=1.1.1.1\nalias ROS_IP=x\n  export ROS_HOSTNAME='robot'  # mine\n"
        "ROS_IP=10.0.0.5\n"
    )
    (etc / "environment").write_text('ROS_MASTER_URI="http://localhost:11311"\n')
    (etc / "profile.d" / "ros.sh").write_bytes(b"\xff\xfe export\nexport ROS_IP=$(hostname -I)\n")
    found = of_files(shell_files(home, etc))
    assert found == [
        Setting("ROS_HOSTNAME", "robot", f"{home}/.bashrc:3"),
        Setting("ROS_IP", "10.0.0.5", f"{home}/.bashrc:4"),
        Setting("ROS_MASTER_URI", "http://localhost:11311", f"{etc}/environment:1"),
        Setting("ROS_IP", "$(hostname", f"{etc}/profile.d/ros.sh:2"),
    ]


@pytest.mark.parametrize(
    ("name", "value", "level"),
    [
        ("ROS_HOSTNAME", "", WARNING),
        ("ROS_IP", "192.168.50.11", None),
        ("ROS_IP", "$(hostname", None),
        ("ROS_IP", "192.168.50.12", BAD),
        ("ROS_MASTER_URI", "http://192.168.50.12:11311", None),
        ("ROS_MASTER_URI", "http://127.0.0.1:11311", WARNING),
    ],
)
def test_ros_variables_are_judged_by_what_they_do(name: str, value: str, level: str | None) -> None:
    found = judge_variable(Setting(name, value, "/root/.bashrc:1"), {"192.168.50.11"})
    assert (found.level if found else None) == level


UFW = "-P INPUT DROP\n-A INPUT -j ufw-before-input\n"
OPEN = "-P INPUT ACCEPT\n-A INPUT -i docker0 -j DROP\n"


@pytest.mark.parametrize(
    ("rules", "bad"),
    [
        (UFW, True),
        (OPEN, False),
        ("-P INPUT ACCEPT\n-A INPUT -j REJECT --reject-with icmp-port-unreachable\n", True),
        (UFW + "-A INPUT -i mvr-eth0 -j ACCEPT\n", False),
        (UFW + "-A INPUT -i mvr-eth0 -m comment --comment ros -j ACCEPT\n", False),
    ],
)
def test_a_closed_input_chain_keeps_containers_from_this_pc(rules: str, bad: bool) -> None:
    assert bool(list(judge_iptables(rules, "mvr-eth0"))) is bad


def chain(**more: object) -> dict[str, object]:
    return {"chain": {"family": "inet", "table": "filter", "name": "one", "handle": 1, **more}}


def rule(*expressions: object, **more: object) -> dict[str, object]:
    place = {"family": "inet", "table": "filter", "chain": "one", **more}
    return {"rule": {**place, "expr": list(expressions)}}


IN_BY_SHIM = {
    "match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "mvr-eth0"},
}


@pytest.mark.parametrize(
    ("entries", "level"),
    [
        ([chain(hook="input", policy="accept")], None),
        ([chain(hook="forward", policy="drop")], None),
        ([chain(hook="input", policy="drop")], WARNING),
        ([chain(hook="input", policy="accept"), rule({"counter": {}}, {"drop": None})], WARNING),
        ([chain(hook="input", policy="accept"), rule({"match": {}}, {"drop": None})], None),
        ([chain(hook="input", policy="drop"), rule(IN_BY_SHIM, {"accept": None})], None),
        ([chain(hook="ingress", dev="eth0", policy="drop")], BAD),
        ([chain(hook="ingress", dev=["eth1", "eth0"], policy="drop")], BAD),
        ([chain(hook="ingress", dev="eth1", policy="drop")], None),
        ([chain(hook="ingress", policy="drop")], BAD),  # some versions leave the device out
    ],
)
def test_nftables_matter_at_ingress_and_for_this_pc_itself(
    entries: list[dict[str, object]], level: str | None
) -> None:
    text = json.dumps({"nftables": [{"metainfo": {}}, *entries]})
    netdev = 'table netdev guard { chain one { type filter hook ingress device "eth0" priority 0;'
    found = list(judge_nft(text, "eth0", "mvr-eth0", netdev=netdev))
    assert [one.level for one in found] == ([level] if level else [])


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"nftables": 3}'])
def test_what_nft_never_says_is_no_traceback(text: str) -> None:
    assert list(judge_nft(text, "eth0", "mvr-eth0")) == []


# as NetworkManager 1.42 prints them
EXTERNAL = (
    "GENERAL.STATE:100 (connected (externally))\nGENERAL.CONNECTION:eth0\nGENERAL.NM-MANAGED:yes\n"
)
CONNECTED = "GENERAL.STATE:100 (connected)\nGENERAL.CONNECTION:Wired 1\nGENERAL.NM-MANAGED:yes\n"
PROFILE = "connection.autoconnect:{}\n802-3-ethernet.cloned-mac-address:{}\n"


@pytest.mark.parametrize(
    ("device", "profile", "words"),
    [
        (CONNECTED, PROFILE.format("yes", ""), []),
        (CONNECTED, PROFILE.format("yes", "02\\:00\\:00\\:00\\:00\\:01"), []),
        (CONNECTED, PROFILE.format("no", "random"), ["reboot", "made-up MAC"]),
        (EXTERNAL, PROFILE.format("no", ""), []),
        (
            "GENERAL.STATE:30 (disconnected)\nGENERAL.CONNECTION:\nGENERAL.NM-MANAGED:yes\n",
            "",
            ["takes it down"],
        ),
        (
            "GENERAL.STATE:10 (unmanaged)\nGENERAL.CONNECTION:\nGENERAL.NM-MANAGED:no\n",
            PROFILE.format("no", "random"),
            [],
        ),
    ],
)
def test_networkmanager_is_asked_what_it_will_do(
    device: str, profile: str, words: list[str]
) -> None:
    found = list(judge_manager("eth0", read(device), read(profile)))
    assert len(found) == len(words)
    for finding, word in zip(found, words, strict=True):
        assert word in finding.text


@pytest.mark.parametrize(
    ("apart", "level"), [(0.0, OK), (-0.05, OK), (0.3, WARNING), (-0.3, WARNING), (7200.0, BAD)]
)
def test_clocks_are_judged_by_how_far_they_are_apart(apart: float, level: str) -> None:
    assert judge_clock("qtrp", apart).level == level


def test_a_clock_is_compared_the_short_way_around_midnight() -> None:
    day = 86400.0
    assert offset(500, 10 * day - 0.5) == pytest.approx(1.0)
    assert offset(86_399_500, 10 * day + 0.5) == pytest.approx(-1.0)
    assert offset(3_600_000, 10 * day) == pytest.approx(3600)


def test_a_timestamp_reply_is_read_and_nothing_else_is() -> None:
    head = bytes([0x45]) + bytes(19)
    reply = struct.pack("!BBHHHIII", 14, 0, 0, 77, 1, 5, 1234, 1234)
    assert read_reply(head + reply, 77) == 1234
    assert read_reply(head + reply, 78) is None
    assert read_reply(head + request(77, 5), 77) is None
    assert read_reply(head + struct.pack("!BBHHHIII", 14, 0, 0, 77, 1, 5, 1 << 31, 0), 77) is None
    for length in range(len(head + reply)):
        assert read_reply((head + reply)[:length], 77) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-22T21:35:00.123456789Z", 1795383300.123456789),
        ("2026-11-22T22:35:00.5+01:00", 1795383300.5),
        ("2026-11-22T21:35:00Z", 1795383300.0),
        ("", None),
        ("soon", None),
    ],
)
def test_docker_tells_its_time_with_nanoseconds(text: str, seconds: float | None) -> None:
    found = read_time(text)
    assert found == (pytest.approx(seconds) if seconds is not None else None)


def test_a_kind_of_link_that_the_kernel_does_not_know_is_told_from_one_that_it_does() -> None:
    known = refusal("macvlan")
    assert known == errno.EPERM or (known, refusal("no-such-kind")) == (
        errno.EINVAL,
        errno.EOPNOTSUPP,
    )


def test_mending_that_fails_leaves_the_finding_and_says_why() -> None:
    def fail() -> str:
        raise Forbidden("no right to do that; run it as root")

    before = Finding("shim", BAD, "it is down", "macvlan-ros shim up", fail)
    after = cure(before)
    assert (after.level, after.remedy) == (BAD, "macvlan-ros shim up")
    assert "no right to do that" in after.text
    assert cure(Finding("ros", BAD, "so it is")) == Finding("ros", BAD, "so it is")
