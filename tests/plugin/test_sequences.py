"""Any calls, in any order, with anything in them: the server's promises hold."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from netaddr import IPAddress, IPNetwork

from macvlan_ros.models.pools import STATIC, Reservation
from macvlan_ros.notation import parse_pool
from tests.plugin.serving import Docker, mac, serving

SUBNET = "192.168.60.0/24"
LAB = parse_pool("lab", subnet=SUBNET, ranges=["192.168.60.192/29"], gateway="192.168.60.1")
TALKER = Reservation("lab", IPAddress("192.168.60.195"), "talker", mac(200), host="qtpc")

MACS = st.integers(1, 6).map(mac) | st.just(TALKER.mac)
LASTS = st.integers(190, 201)


class Engine(RuleBasedStateMachine):
    """Docker as it behaves and as it does not: it asks, forgets, repeats and releases at will.

    `given` is what containers have got and not given back: address -> MAC.
    """

    def __init__(self) -> None:
        super().__init__()
        self.undo = ExitStack()
        self.given: dict[str, str] = {}

    @initialize()
    def begin(self) -> None:
        folder = self.undo.enter_context(tempfile.TemporaryDirectory())
        self.docker: Docker = self.undo.enter_context(serving(Path(folder)))
        self.docker.store.add_pool(LAB)
        self.docker.store.reserve([TALKER])
        self.pools = [self.docker.pool_id(SUBNET), self.docker.pool_id(SUBNET, owner="talker")]

    def teardown(self) -> None:
        self.undo.close()

    def got(self, address: str, asked: str) -> None:
        bare = address.partition("/")[0]
        assert bare not in self.given, f"{bare} is in two hands"
        self.given[bare] = asked
        self.docker.around.running.add(asked)

    @rule(number=st.integers(1, 6))
    def run(self, number: int) -> None:
        reply = self.docker.ask(self.pools[0], mac=mac(number))
        if not reply.error:
            self.got(reply.body["Address"], mac(number))

    @rule(asked=MACS, last=LASTS)
    def run_with_ip(self, asked: str, last: int) -> None:
        wanted = f"192.168.60.{last}"
        reply = self.docker.ask(self.pools[0], wanted, mac=asked)
        if not reply.error:
            assert reply.body["Address"] == f"{wanted}/24"
            assert wanted != str(TALKER.address) or asked == TALKER.mac
            self.got(wanted, asked)

    @rule(asked=MACS)
    def run_for_the_owner(self, asked: str) -> None:
        reply = self.docker.ask(self.pools[1], mac=asked)
        if not reply.error:
            assert reply.body["Address"] == f"{TALKER.address}/24"
            self.got(reply.body["Address"], asked)

    @rule(last=LASTS)
    def stop(self, last: int) -> None:
        address = f"192.168.60.{last}"
        mac_there = self.given.pop(address, "")
        if mac_there not in self.given.values():  # two containers may have been given one MAC
            self.docker.around.running.discard(mac_there)
        self.docker.release(self.pools[0], address)

    @rule(last=LASTS)
    def stop_what_runs_on(self, last: int) -> None:
        """Docker releases an address that a container still uses: it must not become free."""
        self.docker.release(self.pools[0], f"192.168.60.{last}")

    @rule(last=LASTS)
    def replay(self, last: int) -> None:
        address = f"192.168.60.{last}"
        if address in self.given:
            assert not self.docker.ask(self.pools[0], address).error

    @rule(
        call=st.sampled_from(["RequestAddress", "ReleaseAddress", "RequestPool", "Fly"]),
        body=st.dictionaries(
            st.sampled_from(["PoolID", "Address", "Options", "Pool", "V6", "SubPool"]),
            st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text()),
        ),
    )
    def nonsense(self, call: str, body: dict[str, Any]) -> None:
        before = self.docker.store.reservations()
        reply = self.docker.client.call(f"IpamDriver.{call}", body)
        assert reply.status in (200, 404, 500)
        assert self.docker.store.reservations() == before

    @invariant()
    def nothing_is_lost(self) -> None:
        if not hasattr(self, "docker"):
            return
        held = {str(each.address): each for each in self.docker.store.reservations()}
        assert held[str(TALKER.address)] == TALKER
        for address, asked in self.given.items():
            assert held[address].kind == STATIC or held[address].mac == asked
        assert all(IPAddress(address) in IPNetwork("192.168.60.192/29") for address in held)


Engine.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=30,
    suppress_health_check=[HealthCheck.too_slow],
)
test_no_sequence_of_calls_breaks_a_promise = Engine.TestCase


@pytest.fixture
def docker(tmp_path: Path) -> Any:
    with serving(tmp_path) as running:
        running.store.add_pool(LAB)
        yield running


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just("192.168.60.193"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
_CALLS = [
    "NetworkDriver.CreateNetwork",
    "NetworkDriver.CreateEndpoint",
    "NetworkDriver.EndpointOperInfo",
    "NetworkDriver.Leave",
    "NetworkDriver.GwAllocCheck",
    "IpamDriver.RequestPool",
    "IpamDriver.RequestAddress",
    "IpamDriver.ReleasePool",
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(call=st.sampled_from(_CALLS), body=_VALUES | st.dictionaries(st.text(), _VALUES))
def test_no_body_breaks_a_call(docker: Docker, call: str, body: object) -> None:
    reply = docker.client.call(call, body)
    assert reply.status in (200, 500)
    assert "error of its own" not in reply.error
