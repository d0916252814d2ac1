"""What dockerd sends is read into values, and what it never would is refused by name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPAddress, IPNetwork

from macvlan_ros.errors import InvalidRequest
from macvlan_ros.plugin import answers, wire
from macvlan_ros.plugin.fields import Fields
from tests.plugin.client import recorded

READERS: dict[str, Any] = {
    "IpamDriver.RequestPool": wire.RequestPool,
    "IpamDriver.ReleasePool": wire.ReleasePool,
    "IpamDriver.RequestAddress": wire.RequestAddress,
    "IpamDriver.ReleaseAddress": wire.ReleaseAddress,
    "NetworkDriver.CreateNetwork": wire.CreateNetwork,
    "NetworkDriver.DeleteNetwork": wire.NetworkIds,
    "NetworkDriver.CreateEndpoint": wire.CreateEndpoint,
    "NetworkDriver.DeleteEndpoint": wire.EndpointIds,
    "NetworkDriver.EndpointOperInfo": wire.EndpointIds,
    "NetworkDriver.GwAllocCheck": wire.GwAllocCheck,
    "NetworkDriver.Join": wire.Join,
    "NetworkDriver.Leave": wire.EndpointIds,
}

NETWORK = "e4ec3d993308e5e35d13d7a4a04067bbee63c4d1526f18dff75e7b3aca5aceae"
ENDPOINT = "d6b07fd08ef178170703001fdd7f89ac5b87948f5388938c20b9b41870767b3b"


def read(call: str, body: object) -> Any:
    return READERS[call].read(Fields.parse(call, json.dumps(body).encode()))


@pytest.mark.parametrize("engine", ["engine-20.10", "engine-28.5", "engine-20.10-restarts"])
def test_everything_that_real_engines_sent_is_read(engine: str) -> None:
    calls = {call for call, body in recorded(engine) if call in READERS and read(call, body)}
    assert "IpamDriver.RequestAddress" in calls


def test_a_pool_request_is_read_with_its_options() -> None:
    body = {
        "AddressSpace": "macvlan-ros",
        "Pool": "192.168.60.0/24",
        "SubPool": "192.168.60.64/27",
        "Options": {"pool": "lab"},
        "V6": False,
    }
    assert read("IpamDriver.RequestPool", body) == wire.RequestPool(
        "macvlan-ros",
        IPNetwork("192.168.60.0/24"),
        IPNetwork("192.168.60.64/27"),
        {"pool": "lab"},
        False,
    )


def test_a_replayed_address_request_with_null_options_is_read() -> None:
    body = {"PoolID": "p", "Address": "192.168.60.78", "Options": None}
    wanted = wire.RequestAddress("p", IPAddress("192.168.60.78"), False, "", "")
    assert read("IpamDriver.RequestAddress", body) == wanted


def test_docker_29_says_the_endpoint_s_name() -> None:
    options = {
        "com.docker.network.endpoint.macaddress": "02:42:AA:BB:CC:DD",
        "com.docker.network.endpoint.name": "talker",
    }
    request = read("IpamDriver.RequestAddress", {"PoolID": "p", "Address": "", "Options": options})
    assert request == wire.RequestAddress("p", None, False, "02:42:aa:bb:cc:dd", "talker")


def test_a_fixed_mac_of_an_endpoint_comes_in_base64() -> None:
    body = {
        "NetworkID": NETWORK,
        "EndpointID": ENDPOINT,
        "Interface": {"Address": "192.168.60.51/24", "AddressIPv6": "", "MacAddress": ""},
        "Options": {
            "com.docker.network.endpoint.exposedports": [],
            "com.docker.network.endpoint.macaddress": "AkKqu8zd",
        },
    }
    endpoint = read("NetworkDriver.CreateEndpoint", body)
    assert endpoint.mac == "02:42:aa:bb:cc:dd"
    assert endpoint.address == IPNetwork("192.168.60.51/24")
    assert str(endpoint.address.ip) == "192.168.60.51"


def test_network_options_are_those_of_the_user() -> None:
    body = {
        "NetworkID": NETWORK,
        "Options": {
            "com.docker.network.enable_ipv6": True,
            "com.docker.network.internal": True,
            "com.docker.network.generic": {"parent": "eth0", "mode": "private"},
        },
        "IPv4Data": [
            {"AddressSpace": "x", "Gateway": "192.168.60.1/24", "Pool": "192.168.60.0/24"}
        ],
        "IPv6Data": [{"AddressSpace": "x", "Pool": "fd00::/64"}],
    }
    network = read("NetworkDriver.CreateNetwork", body)
    assert network.options == {"parent": "eth0", "mode": "private"}
    assert network.internal
    assert network.ipv6
    assert network.ipv4_data == (
        wire.IpamData(IPNetwork("192.168.60.0/24"), IPNetwork("192.168.60.1/24")),
    )
    assert network.ipv6_data == (wire.IpamData(IPNetwork("fd00::/64"), None),)


@pytest.mark.parametrize(
    ("call", "body", "message"),
    [
        ("IpamDriver.ReleasePool", {}, "'PoolID' is missing"),
        ("IpamDriver.ReleasePool", {"PoolID": None}, "'PoolID' is missing"),
        ("IpamDriver.ReleasePool", {"PoolID": ""}, "'PoolID' is empty"),
        ("IpamDriver.ReleasePool", {"PoolID": 7}, "'PoolID' must be a string, not a number"),
        ("IpamDriver.ReleasePool", {"PoolID": "a\0b"}, "a character that no name can have"),
        ("IpamDriver.RequestPool", {"V6": "yes"}, "'V6' must be true or false, not a string"),
        ("IpamDriver.RequestPool", {"Pool": "10.0.0.0"}, "'Pool' must be an address with its"),
        ("IpamDriver.RequestPool", {"Pool": "10.0.0.0/33"}, "'Pool' must be an address with its"),
        ("IpamDriver.RequestPool", {"Options": []}, "'Options' must be an object, not a list"),
        ("IpamDriver.RequestPool", {"Options": {"pool": 1}}, "Options: field 'pool' must be a"),
        ("IpamDriver.ReleaseAddress", {"PoolID": "p"}, "'Address' is missing"),
        ("IpamDriver.ReleaseAddress", {"PoolID": "p", "Address": "ten"}, "'Address' must be an IP"),
        ("NetworkDriver.Leave", {"NetworkID": NETWORK}, "'EndpointID' is missing"),
        ("NetworkDriver.Leave", {"NetworkID": "../x", "EndpointID": "e"}, "'NetworkID' must be 1"),
        ("NetworkDriver.CreateNetwork", {"NetworkID": "n", "IPv4Data": {}}, "'IPv4Data' must be"),
        ("NetworkDriver.CreateNetwork", {"NetworkID": "n", "IPv4Data": [1]}, "must hold objects"),
        ("NetworkDriver.CreateNetwork", {"NetworkID": "n", "IPv4Data": [{}]}, "'Pool' is missing"),
    ],
)
def test_a_wrong_field_is_named(call: str, body: object, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as caught:
        read(call, body)
    assert str(caught.value).startswith(call)


@pytest.mark.parametrize("mac", ["AkKqu8z", "AkKqu8zd3Q==", "!!!!", 5])
def test_a_wrong_fixed_mac_is_refused(mac: object) -> None:
    options = {"com.docker.network.endpoint.macaddress": mac}
    with pytest.raises(InvalidRequest, match="macaddress"):
        read(
            "NetworkDriver.CreateEndpoint",
            {"NetworkID": "n", "EndpointID": "e", "Options": options},
        )


@pytest.mark.parametrize("data", [b"{", b"[]", b"\xff", b"null", b'"x"', b"[" * 100_000])
def test_what_is_no_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidRequest, match=r"NetworkDriver.Join: the request's body"):
        Fields.parse("NetworkDriver.Join", data)


def test_an_empty_body_is_refused_where_arguments_are_needed() -> None:
    with pytest.raises(InvalidRequest, match="body is empty"):
        Fields.parse("NetworkDriver.Join", b"")
    assert wire.Nothing.read(Fields.parse("Plugin.Activate", b"", may_be_empty=True))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
_NAMES = st.sampled_from(
    [
        "PoolID",
        "Pool",
        "SubPool",
        "Options",
        "Address",
        "NetworkID",
        "EndpointID",
        "Interface",
        "IPv4Data",
        "IPv6Data",
        "SandboxKey",
        "V6",
        "MacAddress",
        "Gateway",
        "com.docker.network.generic",
        "com.docker.network.endpoint.macaddress",
    ]
)
_LIKELY = st.recursive(
    _JSON | st.sampled_from(["192.168.60.7", "192.168.60.0/24", "n1", "fd00::/64", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=6),
    max_leaves=12,
)


@given(
    call=st.sampled_from(sorted(READERS)), body=st.dictionaries(_NAMES | st.text(), _JSON | _LIKELY)
)
def test_any_json_object_is_read_or_refused_by_name(call: str, body: dict[str, Any]) -> None:
    fields = Fields.parse(call, json.dumps(body).encode())
    try:
        READERS[call].read(fields)
    except InvalidRequest as error:
        assert str(error).startswith(call)


def test_an_endpoint_s_answer_says_only_what_docker_left_open() -> None:
    assert answers.EndpointCreated().body() == {"Interface": {}}
    assert answers.EndpointCreated("02:42:aa:bb:cc:dd").body() == {
        "Interface": {"MacAddress": "02:42:aa:bb:cc:dd"}
    }


def test_a_join_answers_bare_gateways_and_routes_by_type() -> None:
    joined = answers.Joined(
        "mv1",
        "eth",
        IPAddress("192.168.60.1"),
        None,
        (
            answers.StaticRoute(IPNetwork("10.1.0.0/16"), IPAddress("192.168.60.9")),
            answers.StaticRoute(IPNetwork("10.2.0.0/16")),
        ),
    )
    assert joined.body() == {
        "InterfaceName": {"SrcName": "mv1", "DstPrefix": "eth"},
        "Gateway": "192.168.60.1",
        "DisableGatewayService": True,
        "StaticRoutes": [
            {"Destination": "10.1.0.0/16", "RouteType": 0, "NextHop": "192.168.60.9"},
            {"Destination": "10.2.0.0/16", "RouteType": 1},
        ],
    }
