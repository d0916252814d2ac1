"""Names by mDNS on a LAN of namespaces: who hears them, and when no more. Needs root."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import IO

import pytest
from netaddr import IPAddress

from macvlan_ros.lan_names.mdns import Publisher
from macvlan_ros.links import Links
from macvlan_ros.reaching.shim import ensure_shim
from tests.netns.avahi import avahi
from tests.netns.lan import Machine, make_lan
from tests.netns.namespace import cable

HOST, OTHER, CORE, SHIM = (IPAddress(f"192.168.50.{last}") for last in (11, 12, 195, 200))
CORE6 = IPAddress("fd00:50::195")

#: What another machine's resolver does: ask for a name, and print who answers within a second.
ASK = """
import sys
from zeroconf import AddressResolver, IPVersion, Zeroconf
with Zeroconf(interfaces=[sys.argv[1]], ip_version=IPVersion.V4Only) as here:
    found = AddressResolver(sys.argv[2] + ".local.")
    found.request(here, 1000)
    print(*sorted(found.parsed_addresses()))
"""
#: Somebody who has a name already, until its input ends.
_HAVE = """
import sys
from zeroconf import IPVersion, ServiceInfo, Zeroconf
with Zeroconf(interfaces=[sys.argv[1]], ip_version=IPVersion.V4Only) as here:
    service = "_workstation._tcp.local."
    here.register_service(ServiceInfo(
        service, f"{sys.argv[2]}.{service}", port=9, server=f"{sys.argv[2]}.local.",
        parsed_addresses=[sys.argv[1]],
    ))
    print("ready", flush=True)
    sys.stdin.read()
"""
#: Asks once, and at each line of its input looks at what it still believes.
_BELIEVE = """
import sys
from zeroconf import AddressResolver, IPVersion, Zeroconf
with Zeroconf(interfaces=[sys.argv[1]], ip_version=IPVersion.V4Only) as here:
    AddressResolver(sys.argv[2] + ".local.").request(here, 2000)
    print("asked", flush=True)
    for line in sys.stdin:
        found = AddressResolver(sys.argv[2] + ".local.")
        found.load_from_cache(here)
        print(*found.parsed_addresses(), flush=True)
"""


@dataclass
class Site:
    """A PC that publishes, a container on it, and another PC."""

    pc: Machine
    core: Machine
    other: Machine
    links: Links
    containers: dict[str, tuple[IPAddress, ...]] = field(default_factory=dict)
    elsewhere: dict[str, dict[str, tuple[IPAddress, ...]]] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    noted: list[str] = field(default_factory=list)

    def publisher(self) -> Publisher:
        return Publisher(
            lambda: {"eth0": self.containers, **self.elsewhere},
            links=self.links,
            say=self.said.append,
            note=self.noted.append,
            namespace=self.pc.path,
        )


@pytest.fixture
def site() -> Iterator[Site]:
    with make_lan() as lan:
        pc, other = lan.add(f"{HOST}/24"), lan.add(f"{OTHER}/24")
        core = lan.contain(pc, f"{CORE}/24")
        with Links(namespace=pc.path) as links:
            yield Site(pc, core, other, links, {"harmoni_core": (CORE, CORE6)})


def ask(machine: Machine, own: IPAddress, name: str) -> str:
    return machine.run(sys.executable, "-c", ASK, str(own), name).strip()


@contextmanager
def running(machine: Machine, program: str, *words: str) -> Iterator[tuple[IO[str], IO[str]]]:
    """The program's input and output; it is past its first line."""
    command = ["nsenter", f"--net={machine.path}", sys.executable, "-c", program, *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline(), "it did not start"
        yield process.stdin, process.stdout


def test_another_machine_learns_the_address_and_none_when_the_container_has_gone(
    site: Site,
) -> None:
    both = " ".join(sorted((str(CORE), str(CORE6))))
    with site.publisher() as publisher:
        publisher.look()
        assert ask(site.other, OTHER, "harmoni_core") == both
        assert ask(site.other, OTHER, "harmoni-core") == both
        site.containers.clear()
        publisher.look()
        assert ask(site.other, OTHER, "harmoni_core") == ""
        assert site.said[-2:] == ["harmoni-core.local: gone", "harmoni_core.local: gone"]
    assert not site.noted


@pytest.mark.timeout(90)
def test_avahi_finds_a_container_and_forgets_it_when_it_has_gone(site: Site) -> None:
    with avahi(site.other) as resolver, site.publisher() as publisher:
        publisher.look()
        for name in ("harmoni_core", "harmoni-core"):
            assert resolver.resolve(name) == str(CORE)
        site.containers.clear()
        publisher.look()
        deadline = time.monotonic() + 20
        while resolver.resolve("harmoni-core"):  # for a second it may (RFC 6762, section 10.1)
            assert time.monotonic() < deadline


def test_a_container_of_the_same_host_hears_it_by_the_shim_alone(site: Site) -> None:
    with site.publisher() as publisher:
        publisher.look()
        assert ask(site.core, CORE, "harmoni_core") == ""
        ensure_shim(site.links, parent="eth0", addresses=[SHIM], containers=[CORE])
        publisher.look()
        assert str(CORE) in ask(site.core, CORE, "harmoni_core")
        assert str(CORE) in ask(site.other, OTHER, "harmoni_core")


def test_whoever_heard_the_name_forgets_it_at_the_end(site: Site) -> None:
    with ExitStack() as stack:
        with site.publisher() as publisher:
            publisher.look()
            lines, said = stack.enter_context(
                running(site.other, _BELIEVE, str(OTHER), "harmoni_core")
            )
            print("now", file=lines, flush=True)
            assert str(CORE) in said.readline()
        time.sleep(1.2)  # a record that was taken back lasts a second (RFC 6762, section 10.1)
        print("now", file=lines, flush=True)
        assert not said.readline().strip()
        lines.close()


def test_a_container_with_another_address_is_known_by_that_alone(site: Site) -> None:
    with site.publisher() as publisher:
        site.containers["harmoni_core"] = (CORE + 1,)
        publisher.look()
        site.containers["harmoni_core"] = (CORE,)
        publisher.look()
        assert ask(site.other, OTHER, "harmoni_core") == str(CORE)
        publisher.look()
    assert not site.noted


def test_a_name_of_somebody_else_is_left_to_them_and_taken_when_it_is_free(site: Site) -> None:
    with site.publisher() as publisher:
        with running(site.other, _HAVE, str(OTHER), "harmoni-core") as (theirs, _):
            publisher.look()
            publisher.look()
            assert site.noted == [
                f"somebody else answers for harmoni-core.local ({OTHER}); it is not published"
            ]
            assert len(site.said) == 1  # the other spelling is nobody's
            theirs.close()
        deadline = time.monotonic() + 15
        while len(site.said) < 2:
            assert time.monotonic() < deadline, site.noted
            time.sleep(0.5)
            publisher.look()
    assert site.said[1].startswith("harmoni-core.local: ")


def test_each_of_two_lans_hears_its_own_addresses(site: Site) -> None:
    here, there = OTHER, IPAddress("192.168.60.12")
    with make_lan() as lan:
        asker = lan.add(f"{there}/24")
        cable(site.pc, "eth1", lan.switch, "p9")
        site.pc.ip("address add 192.168.60.11/24 dev eth1")
        site.pc.ip("link set eth1 up")
        lan.switch.ip("link set p9 master lan up")
        site.containers["harmoni_core"] = (CORE,)
        site.elsewhere["eth1"] = {"harmoni_core": (there + 1,), "camera": (there + 2,)}
        with site.publisher() as publisher:
            publisher.look()
            assert ask(asker, there, "harmoni_core") == str(there + 1)
            assert ask(site.other, here, "harmoni_core") == str(CORE)
            assert ask(asker, there, "camera") == str(there + 2)
            assert ask(site.other, here, "camera") == ""
            del site.elsewhere["eth1"]
            publisher.look()
            assert ask(asker, there, "harmoni_core") == ""
            assert ask(site.other, here, "harmoni_core") == str(CORE)
    assert not site.noted
