"""What is on the LAN has the last word over plain Docker, too: strangers, other engines, floods."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from netaddr import IPAddress

from macvlan_ros.wire import frames
from macvlan_ros.wire.frames import Heard, Kind
from tests.e2e.plugin_host import IMAGE, PluginHost, plugged, within
from tests.e2e.reaching import pings
from tests.e2e.test_plugin_shim import DUAL, addresses
from tests.e2e.test_watch import Neighbour, neighbour
from tests.lab import Lab
from tests.netns.lan import Capture, repeating, stranger

WANTED, WANTED6 = "192.168.50.70", "fd00:50::70"


@contextmanager
def two(make_lab: Callable[..., Lab]) -> Iterator[tuple[Lab, PluginHost, PluginHost]]:
    """Two PCs with the plugin, each with a store of its own, on a LAN with IPv6."""
    lab = make_lab(subnet6="fd00:50::/64")
    with plugged(lab.hosts["qtpc"]) as one, plugged(lab.hosts["qtrp"]) as other:
        yield lab, one, other


def answers_solicitations(mac: str) -> Callable[[Heard], bytes | None]:
    """A router with proxy NDP, for whatever address."""

    def reply(heard: Heard) -> bytes | None:
        asks = heard.target.version == 6 and heard.kind in (Kind.PROBE, Kind.REQUEST)
        return frames.answer(heard, mac) if asks else None

    return reply


def restart_announced(lab: Lab, pc: PluginHost, third: Neighbour, folder: Path) -> str:
    """Start `sixth` anew; its MAC, which tshark on the switch saw announced to everybody."""
    switch = Neighbour(lab.switch.name, lab.switch.mac, lab.switch.pid)
    wanted = IPAddress(WANTED6)

    def announced() -> bool:
        return any(one.kind is Kind.ANNOUNCEMENT and one.target == wanted for one in heard)

    with Capture(switch, "lan", folder) as capture, stranger(third, lambda _: None) as heard:
        pc.docker("rm", "-f", "sixth")
        pc.run("sixth", "--ip6", WANTED6)
        assert within(10, announced)
        rows = capture.fields(
            f"icmpv6.type == 136 and icmpv6.nd.na.target_address == {WANTED6}",
            *("icmpv6.nd.na.flag.s", "icmpv6.nd.na.flag.o", "ipv6.dst", "icmpv6.opt.linkaddr"),
            *("eth.src", "icmpv6.checksum.status"),
        )
    mac = pc.interface("sixth").mac
    assert ("0", "1", "ff02::1", mac, mac, "1") in rows
    return mac


def neighbour_mac(machine: Neighbour, address: str) -> str:
    words = machine.run("ip", "neigh", "show", address, "dev", "eth0").split()
    return words[words.index("lladdr") + 1] if "lladdr" in words else ""


def test_two_engines_that_are_asked_for_one_address_do_not_both_give_it(
    make_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    with two(make_lab) as (lab, one, other):
        # Docker alone lets both have it, without a word
        for pc in (one, other):
            words = ("-d", "macvlan", "--subnet", "192.168.50.0/24", "-o", "parent=eth0")
            pc.docker("network", "create", *words, "plain")
            pc.docker("run", "-d", "--name", "plain", "--network", "plain", "--ip", WANTED, IMAGE)
            assert pc.docker("inspect", "-f", "{{.State.Running}}", "plain") == "true"
        for pc in (one, other):
            pc.docker("rm", "-f", "plain")
            pc.docker("network", "rm", "plain")
            pc.network("lan", *DUAL)
        first = one.run("first", "--ip", WANTED)
        said = other.refused("run", "-d", "--network", "lan", "--ip", WANTED, IMAGE)
        assert first.mac in said
        one.run("sixth", "--ip6", WANTED6)
        mac6 = one.interface("sixth").mac
        said = other.refused("run", "-d", "--network", "lan", "--ip6", WANTED6, IMAGE)
        assert mac6 in said
        assert other.docker("ps", "-q") == ""
        # both PCs reach their own and the other's container, and a third machine sees one MAC each
        other.run("second")
        third = neighbour(lab)
        for pc, name in ((one, "first"), (other, "second")):
            for address in addresses(pc, name):
                assert pings(one.host, address)
                assert pings(other.host, address)
        for pc in (one, other):
            third.run("busybox", "ping", "-6", "-c", "1", "-W", "2", pc.host.address6)
            assert neighbour_mac(third, pc.host.address6) == pc.host.mac
        # a container with another MAC on the address is reached at once
        assert pings(other.host, WANTED6)
        assert restart_announced(lab, one, third, tmp_path) != mac6
        assert pings(other.host, WANTED6)
        assert pings(one.host, WANTED6)
        # what a stranger has, nobody else gets
        somebody = lab.add_stranger("192.168.50.66")
        somebody.run("ip", "address", "add", "fd00:50::66/64", "dev", "eth0", "nodad")
        said = other.refused("run", "-d", "--network", "lan", "--ip6", "fd00:50::66", IMAGE)
        assert somebody.mac in said
        # what answers every solicitation is named, and stops nobody
        with stranger(third, answers_solicitations(third.mac)):
            line = about_proxy(other, lambda last: ("--ip6", f"fd00:50::{last}"))
        assert third.mac in line
        assert "proxy NDP" in line
        # the parent goes down and comes up while a container starts
        with ThreadPoolExecutor(1) as aside:
            running = aside.submit(other.run, "third")
            time.sleep(0.2)
            other.host.link_down()
            other.host.link_up()
            running.result(60)
        for address in addresses(other, "third"):
            assert within(10, lambda address=address: pings(other.host, address))  # type: ignore[misc]


def about_proxy(pc: PluginHost, options: Callable[[int], tuple[str, ...]]) -> str:
    """What the service says, once, of one that answers for every address. It may have to ask more
    than once: on a busy machine that one answers late. `options` are a new container's with an
    address that ends in that number."""
    numbers = iter(range(74, 90))

    def told() -> list[str]:
        lines = pc.log.read_text().splitlines()
        return [one for one in lines if "answers for every address on eth0" in one]

    def asked() -> bool:
        number = next(numbers)
        pc.run(f"box{number}", *options(number))
        return bool(told())

    assert within(60, asked)
    (line,) = told()
    return line


@pytest.fixture
def pc(lab: Lab) -> Iterator[PluginHost]:
    with plugged(lab.hosts["qtpc"]) as host:
        yield host


def test_a_machine_that_answers_for_every_address_is_named_and_stops_nobody(
    pc: PluginHost, lab: Lab
) -> None:
    proxy = neighbour(lab)
    with stranger(proxy, lambda heard: frames.answer(heard, proxy.mac)):
        pc.network()
        got = {pc.run("one", "--ip", WANTED).address, pc.run("two").address}
        assert len(got) == 2
        line = about_proxy(pc, lambda last: ("--ip", f"192.168.50.{last}"))
        assert proxy.mac in line
        # the command line says so, too
        pool = ("pool", "add", "lab", "--subnet", "10.1.0.0/16")
        pc.host.macvlan_ros(*pool, check=True)
        name = "docker-192.168.50.0-24"
        done = pc.host.macvlan_ros("allocate", "--pool", name, "talker", check=True)
        assert "answers for every address on eth0" in done.stderr


def test_a_flood_neither_breaks_the_service_nor_gives_an_address_twice(
    pc: PluginHost, lab: Lab
) -> None:
    """Announcements and probes of every address of the pool, by ever other MACs."""
    flooder = neighbour(lab)
    pool = "192.168.50.192/27"
    pc.network("lan", "--subnet", "192.168.50.0/24", "--ip-range", pool)

    def made(number: int) -> bytes:
        address = IPAddress(f"192.168.50.{192 + number % 32}")
        mac = f"02:00:00:01:{number >> 8 & 255:02x}:{number & 255:02x}"
        if number % 2:
            return frames.probe(address, mac)
        return frames.announcement(address, mac, source=flooder.mac)

    names = [f"c{number}" for number in range(4)]
    with repeating(flooder, made, rate=5000), ThreadPoolExecutor(2) as both:
        words = ("run", "-d", "--network", "lan")
        said = list(both.map(lambda n: pc.docker(*words, "--name", n, IMAGE, check=False), names))
    assert len(said) == 4
    got = [pc.interface(name).address for name in pc.docker("ps", "--format", "{{.Names}}").split()]
    assert len(set(got)) == len(got)
    # and afterwards all is as it should be
    for number in range(4):
        pc.docker("run", "-d", "--network", "lan", "--ip", f"192.168.50.{80 + number}", IMAGE)
    assert pc.runs
    assert "Traceback" not in pc.log.read_text()


def test_without_the_right_to_send_frames_containers_get_addresses_all_the_same(
    pc: PluginHost, lab: Lab
) -> None:
    """It asks through the kernel, then, and says what it cannot do."""
    pc.stop()
    pc.start(before=("setpriv", "--bounding-set=-net_raw"))
    holder = lab.add_stranger("192.168.50.66")
    pc.network()
    assert pc.reaches("one", "192.168.50.1") if pc.run("one") else False
    said = pc.refused("run", "-d", "--network", "lan", "--ip", "192.168.50.66", IMAGE)
    assert holder.mac in said
    assert within(15, lambda: "cannot watch eth0" in pc.log.read_text())
    assert "Traceback" not in pc.log.read_text()


def test_with_the_full_timing_no_address_is_given_that_was_asked_for_in_haste(
    pc: PluginHost, lab: Lab
) -> None:
    """Somebody else who is about to take the address counts then; Docker waits for so long."""
    rival = neighbour(lab)
    pc.stop()
    pc.host.run("sh", "-c", "printf '[macvlan-ros]\\nprobe = rfc5227\\n' >/etc/macvlan-ros.conf")
    try:
        pc.start()
        pc.network()
        wanted = IPAddress("192.168.50.71")
        with repeating(rival, lambda _: frames.probe(wanted, rival.mac), rate=2):
            said = pc.refused("run", "-d", "--network", "lan", "--ip", str(wanted), IMAGE)
        assert rival.mac in said
        start = time.monotonic()
        pc.run("fixed", "--ip", WANTED)
        assert time.monotonic() - start > 3.9
        pc.run("chosen")
        assert "TooLate" not in pc.log.read_text()
    finally:
        pc.host.path("/etc/macvlan-ros.conf").unlink()
