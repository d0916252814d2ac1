"""Any calls about endpoints, in any order, over a real kernel: links, addresses and MACs agree.

Docker repeats a call whose answer was lost, gives up in the middle, forgets, and asks for what is
not there; none of it may crash the server, leave a link behind, or put an address into two hands.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from macvlan_ros.kernel.link_names import endpoint_link
from macvlan_ros.links import Links
from macvlan_ros.notation import parse_pool
from tests.netns.lan import make_lan
from tests.plugin.client import Reply
from tests.plugin.serving import Docker, mac, serving

SUBNET = "192.168.50.0/24"
LAB = parse_pool("lab", subnet=SUBNET, ranges=["192.168.50.192/29"], gateway="192.168.50.1")
NETWORK = "f" * 64
NUMBERS = st.integers(1, 6)


@dataclass
class Container:
    """What Docker has made of one: its address, and whether it has joined."""

    address: str
    made: bool = False
    joined: bool = False


class Engine(RuleBasedStateMachine):
    """Docker as it behaves and as it does not. `containers` are those that hold an address."""

    def __init__(self) -> None:
        super().__init__()
        self.undo = ExitStack()
        self.containers: dict[int, Container] = {}

    @initialize()
    def begin(self) -> None:
        pc = self.undo.enter_context(make_lan()).add("192.168.50.11/24")
        self.links = self.undo.enter_context(Links(namespace=pc.path))
        folder = self.undo.enter_context(tempfile.TemporaryDirectory())
        # a sandbox that is there: its container is not gone
        self.sandbox = folder
        self.docker: Docker = self.undo.enter_context(serving(Path(folder), links=self.links))
        self.docker.store.add_pool(LAB)
        self.pool = self.docker.pool_id(SUBNET)
        reply = self.call(
            "CreateNetwork",
            NetworkID=NETWORK,
            Options={"com.docker.network.generic": {"parent": "eth0", "shim": "no"}},
            IPv4Data=[{"AddressSpace": "", "Pool": SUBNET, "Gateway": "192.168.50.1/24"}],
            IPv6Data=[],
        )
        assert not reply.error

    def teardown(self) -> None:
        self.undo.close()

    def call(self, name: str, **body: object) -> Reply:
        reply = self.docker.client.call(f"NetworkDriver.{name}", body)
        assert reply.status in (200, 500)
        assert "error of its own" not in reply.error
        return reply

    def about(self, name: str, number: int, **more: object) -> Reply:
        return self.call(name, NetworkID=NETWORK, EndpointID=endpoint(number), **more)

    # -- what Docker does -------------------------------------------------------------------------

    @rule(number=NUMBERS)
    def ask(self, number: int) -> None:
        reply = self.docker.ask(self.pool, mac=mac(number))
        if reply.error:
            return
        address = str(reply.body["Address"])
        assert address not in {each.address for each in self.containers.values()}, "in two hands"
        assert number not in self.containers
        self.containers[number] = Container(address)
        self.docker.around.running.add(mac(number))

    @rule(number=NUMBERS, other=NUMBERS)
    def create(self, number: int, other: int) -> None:
        """With its own address, or with another container's, which must be refused."""
        whose = self.containers.get(other)
        if whose is None:
            return
        interface = {"Address": whose.address, "AddressIPv6": "", "MacAddress": mac(number)}
        reply = self.about("CreateEndpoint", number, Interface=interface, Options={})
        if number == other:
            assert not reply.error
            whose.made = True
        else:
            # one that is made already is told again what it has: its own address
            known = self.containers.get(number)
            assert reply.error or (known is not None and known.made)

    @rule(number=NUMBERS)
    def join(self, number: int) -> None:
        """Once or again: an answer may have been lost."""
        known = self.containers.get(number)
        reply = self.about("Join", number, SandboxKey=self.sandbox, Options={})
        assert bool(reply.error) == (known is None or not known.made)
        if known is not None and not reply.error:
            known.joined = True
            assert reply.body["InterfaceName"]["SrcName"] == endpoint_link(endpoint(number))

    @rule(number=NUMBERS)
    def leave(self, number: int) -> None:
        assert not self.about("Leave", number).error

    @rule(number=NUMBERS)
    def delete(self, number: int) -> None:
        assert not self.about("DeleteEndpoint", number).error
        known = self.containers.get(number)
        if known is not None:
            known.made = known.joined = False

    @rule(number=NUMBERS)
    def stop(self, number: int) -> None:
        """All of it, as an engine does that is well."""
        self.leave(number)
        self.delete(number)
        known = self.containers.pop(number, None)
        if known is not None:
            self.docker.around.running.discard(mac(number))
            self.docker.release(self.pool, known.address)

    @rule(number=NUMBERS)
    def run(self, number: int) -> None:
        """All of it, the other way round."""
        self.ask(number)
        self.create(number, number)
        self.join(number)

    @rule(number=NUMBERS)
    def look(self, number: int) -> None:
        known = self.containers.get(number)
        reply = self.about("EndpointOperInfo", number)
        assert bool(reply.error) == (known is None or not known.made)

    # -- what holds -------------------------------------------------------------------------------

    @invariant()
    def the_kernel_has_the_links_of_those_that_joined_and_no_other(self) -> None:
        if not hasattr(self, "docker"):
            return
        there = {link.name: link.mac for link in self.links.macvlans()}
        assert there == {
            endpoint_link(endpoint(number)): mac(number)
            for number, each in self.containers.items()
            if each.joined
        }

    @invariant()
    def no_address_is_lost(self) -> None:
        if not hasattr(self, "docker"):
            return
        held = {str(each.address): each.mac for each in self.docker.store.reservations()}
        for number, each in self.containers.items():
            assert held[each.address.partition("/")[0]] == mac(number)


def endpoint(number: int) -> str:
    """The id that Docker gives it; the first letters are in the link's name."""
    return f"{number:02x}" * 32


Engine.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=25,
    suppress_health_check=[HealthCheck.too_slow],
)
test_no_sequence_of_calls_about_endpoints_breaks_a_promise = Engine.TestCase
