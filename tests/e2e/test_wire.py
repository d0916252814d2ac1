"""The wire has the last word: what strangers on the LAN hold is not handed out."""

import json
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pexpect
from netaddr import IPAddress

from macvlan_ros.wire import frames
from macvlan_ros.wire.frames import Heard, Kind
from tests.e2e.conftest import WriteStack
from tests.e2e.test_launch import held_by_services, launched
from tests.e2e.test_watch import neighbour
from tests.lab import Host, Lab
from tests.netns.lan import repeating, stranger

POOL = ("pool", "add", "lab", "--subnet", "192.168.50.0/24", "--range", "192.168.50.200/29")


def free_choice(host: Host) -> str:
    """The address that `talker` gets when nobody else has it."""
    host.macvlan_ros(*POOL, check=True)
    got = host.macvlan_ros("allocate", "-q", "talker", "--no-probe", check=True).stdout.strip()
    host.macvlan_ros("release", "talker", check=True)
    return got


def test_a_strangers_address_is_passed_over(lab: Lab, qtpc: Host) -> None:
    wanted = free_choice(qtpc)
    lab.add_stranger(wanted)
    done = qtpc.macvlan_ros("allocate", "-q", "talker", check=True)
    assert done.stdout.strip() != wanted
    assert done.stdout.startswith("192.168.50.20")


def test_a_claim_of_a_strangers_address_is_refused_with_its_mac(lab: Lab, qtpc: Host) -> None:
    qtpc.macvlan_ros(*POOL, check=True)
    stranger = lab.add_stranger("192.168.50.203")
    done = qtpc.macvlan_ros("allocate", "--address", "192.168.50.203", "talker")
    assert done.returncode == 4
    assert stranger.mac in done.stderr
    assert qtpc.macvlan_ros("list", "-q").stdout == ""
    # nobody asked, nobody refused
    qtpc.macvlan_ros("allocate", "--no-probe", "--address", "192.168.50.203", "talker", check=True)


def test_a_plain_user_asks_through_the_kernel(lab: Lab, qtpc: Host) -> None:
    wanted = free_choice(qtpc)
    lab.add_stranger(wanted)
    as_user = ("setpriv", "--bounding-set=-net_raw")
    done = qtpc.run(*as_user, *qtpc.macvlan_ros_command("allocate", "-q", "talker"))
    assert done.stdout.strip() not in ("", wanted)


def test_two_pcs_with_one_owner_do_not_run_it_twice(
    qtpc: Host, qtrp: Host, write_stack: WriteStack
) -> None:
    """Two PCs that share no store would give one name the same address and MAC."""
    folder = write_stack(
        """
        x-macvlan-ros: {range: 192.168.50.192/27}
        services: {talker: {image: "ros:lab"}}
        """
    )
    first = launched(qtpc, folder)["talker"]["address"]
    second = launched(qtrp, folder)["talker"]["address"]
    assert first != second
    qtpc.docker("exec", "talker", "ping", "-c", "1", "-W", "2", second)


def test_a_services_address_on_another_pc_is_no_strangers(
    qtpc: Host, qtrp: Host, write_stack: WriteStack
) -> None:
    folder = write_stack(
        """
        x-macvlan-ros: {range: 192.168.50.192/27, hosts: {qtpc: {}, qtrp: {}}}
        services:
          core: {image: "ros:lab", x-macvlan-ros: {host: qtpc, address: 192.168.50.195}}
          hardware: {image: "ros:lab", x-macvlan-ros: {host: qtrp, address: 192.168.50.196}}
        """
    )
    launched(qtrp, folder)
    launched(qtpc, folder)
    assert {one["owner"]: one["address"] for one in held_by_services(qtpc)} == {
        "core": "192.168.50.195",
        "hardware": "192.168.50.196",
    }


def test_a_scan_says_whose_each_address_is(
    lab: Lab, qtpc: Host, qtrp: Host, write_stack: WriteStack
) -> None:
    folder = write_stack(
        """
        x-macvlan-ros: {range: 192.168.50.192/27}
        services: {talker: {image: "ros:lab"}}
        """
    )
    address = launched(qtpc, folder)["talker"]["address"]
    inside = "192.168.50.222" if address != "192.168.50.222" else "192.168.50.221"
    stranger = lab.add_stranger(inside)
    found = {one["address"]: one for one in json.loads(qtpc.macvlan_ros("scan", "--json").stdout)}
    assert found[inside]["mac"] == stranger.mac
    assert (found[inside]["whose"], bool(found[inside]["trouble"])) == ("stranger", True)
    assert (found[address]["whose"], found[address]["owner"]) == ("ours", "talker")
    assert found["192.168.50.1"]["whose"] == "gateway"
    assert found["192.168.50.11"]["whose"] == "here"
    assert (found[qtrp.address]["whose"], found[qtrp.address]["mac"]) == ("elsewhere", qtrp.mac)


def test_a_watching_scan_shows_whoever_comes_and_a_large_one_how_far_it_is(
    lab: Lab, qtpc: Host
) -> None:
    qtpc.macvlan_ros(*POOL, check=True)
    command = qtpc.command(*qtpc.macvlan_ros_command("scan", "--watch"))
    child = pexpect.spawn(command[0], list(command[1:]), timeout=60, encoding="utf-8")
    child.expect_exact("192.168.50.12")
    lab.add_stranger("192.168.50.205")
    child.expect_exact("192.168.50.205")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    qtpc.run("ip", "address", "add", "10.9.0.1/22", "dev", "eth0")
    command = qtpc.command(*qtpc.macvlan_ros_command("scan", "--subnet", "10.9.0.0/22"))
    child = pexpect.spawn(command[0], list(command[1:]), timeout=60, encoding="utf-8")
    child.expect(r"scanning: \d+ %, \d+ of 2044 questions asked")
    child.expect(pexpect.EOF)
    child.close()
    qtpc.run("ip", "address", "delete", "10.9.0.1/22", "dev", "eth0")
    assert child.exitstatus == 0


def test_a_machine_that_answers_for_every_address_does_not_make_the_pool_full(
    lab: Lab, qtpc: Host
) -> None:
    qtpc.macvlan_ros(*POOL, check=True)
    proxy = neighbour(lab)
    with stranger(proxy, lambda heard: frames.answer(heard, proxy.mac)):
        done = qtpc.macvlan_ros("allocate", "--json", "talker", "listener", check=True)
    assert len({one["address"] for one in json.loads(done.stdout)}) == 2
    assert proxy.mac in done.stderr
    assert "answers for every address on eth0" in done.stderr


def test_a_parent_that_goes_down_in_the_middle_of_a_probe_is_a_sentence_and_no_reservation(
    lab: Lab, qtpc: Host
) -> None:
    qtpc.macvlan_ros(*POOL, check=True)
    listener = neighbour(lab)
    asked = threading.Event()

    def hear(heard: Heard) -> None:
        # not the kernel's own, for an IPv6 address that has just come up
        if heard.kind is Kind.PROBE and heard.target.version == 4 and heard.source == qtpc.mac:
            asked.set()

    with stranger(listener, hear):
        allocating = qtpc.popen(
            # for seconds, so that it has not ended when the parent goes
            *qtpc.macvlan_ros_command("allocate", "--rfc5227", "talker"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert asked.wait(60)
        qtpc.link_down()
        _, said = allocating.communicate(timeout=30)
    assert allocating.returncode == 6
    assert "eth0" in said
    assert "Traceback" not in said
    assert qtpc.macvlan_ros("list", "-q").stdout == ""


def test_a_flood_gives_no_address_twice_and_ends_in_a_sentence_at_worst(
    lab: Lab, qtpc: Host, qtrp: Host
) -> None:
    """Of the very addresses, by ever other MACs, while two PCs ask for them; afterwards all is as
    it should be."""
    flooder = neighbour(lab)

    def made(number: int) -> bytes:
        mac = f"02:00:00:01:{number >> 8 & 255:02x}:{number & 255:02x}"
        address = IPAddress(f"192.168.50.{200 + number % 8}")
        return frames.announcement(address, mac, source=flooder.mac)

    for pc in (qtpc, qtrp):
        pc.macvlan_ros(*POOL, check=True)
    with repeating(flooder, made, rate=5000), ThreadPoolExecutor(2) as both:
        done = list(both.map(lambda pc: pc.macvlan_ros("allocate", "-q", "a", "b"), (qtpc, qtrp)))
    for each in done:
        got = each.stdout.split()
        assert len(set(got)) == len(got)
        assert "Traceback" not in each.stderr
        assert each.returncode == 0 or each.stderr.startswith("error: ")
    qtpc.macvlan_ros("release", "a", "b", check=True)
    got = qtpc.macvlan_ros("allocate", "-q", "--address", "192.168.50.201", "a", check=True)
    assert got.stdout.strip() == "192.168.50.201"
