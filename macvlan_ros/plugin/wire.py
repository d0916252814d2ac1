"""libnetwork's requests as values: one frozen dataclass for each shape of call.

The field names are those of docker/libnetwork, drivers/remote/api and ipams/remote/api, and of
moby's daemon/libnetwork since. `read(fields)` raises `InvalidRequest`, naming call and field.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping

from netaddr import IPAddress, IPNetwork

from macvlan_ros.errors import InvalidRequest
from macvlan_ros.plugin.fields import Fields
from macvlan_ros.values import dataclass

__all__ = [
    "CreateEndpoint",
    "CreateNetwork",
    "EndpointIds",
    "GwAllocCheck",
    "IpamData",
    "Join",
    "NetworkIds",
    "Nothing",
    "ReleaseAddress",
    "ReleasePool",
    "RequestAddress",
    "RequestPool",
]

_GENERIC = "com.docker.network.generic"
_ENABLE_IPV6 = "com.docker.network.enable_ipv6"
_INTERNAL = "com.docker.network.internal"
_ENDPOINT_MAC = "com.docker.network.endpoint.macaddress"
_ENDPOINT_NAME = "com.docker.network.endpoint.name"
_ADDRESS_TYPE = "RequestAddressType"
_GATEWAY = "com.docker.network.gateway"

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}\Z")


@dataclass(frozen=True, slots=True)
class Nothing:
    """A call without arguments, or whose arguments do not matter to us."""

    @classmethod
    def read(cls, fields: Fields) -> Nothing:  # noqa: ARG003 - all requests are read alike
        return cls()


@dataclass(frozen=True, slots=True)
class RequestPool:
    """`pool` None asks for one that we choose; `options` are those of `--ipam-opt`."""

    space: str
    pool: IPNetwork | None
    sub_pool: IPNetwork | None
    options: Mapping[str, str]
    v6: bool

    @classmethod
    def read(cls, fields: Fields) -> RequestPool:
        return cls(
            fields.text("AddressSpace"),
            fields.prefix("Pool"),
            fields.prefix("SubPool"),
            fields.inner("Options").texts(),
            fields.flag("V6"),
        )


@dataclass(frozen=True, slots=True)
class ReleasePool:
    pool_id: str

    @classmethod
    def read(cls, fields: Fields) -> ReleasePool:
        return cls(fields.text("PoolID", required=True))


@dataclass(frozen=True, slots=True)
class RequestAddress:
    """`address` None asks for any. `mac` is "" when Docker does not say it, `endpoint_name` too
    (Docker 29 and later say it). `gateway` is True when the address is for the network's gateway.
    """

    pool_id: str
    address: IPAddress | None
    gateway: bool
    mac: str
    endpoint_name: str

    @classmethod
    def read(cls, fields: Fields) -> RequestAddress:
        options = fields.inner("Options")
        return cls(
            fields.text("PoolID", required=True),
            fields.address("Address"),
            options.text(_ADDRESS_TYPE) == _GATEWAY,
            _mac_of_text(options, _ENDPOINT_MAC),
            options.text(_ENDPOINT_NAME),
        )


@dataclass(frozen=True, slots=True)
class ReleaseAddress:
    pool_id: str
    address: IPAddress

    @classmethod
    def read(cls, fields: Fields) -> ReleaseAddress:
        address = fields.address("Address", required=True)
        assert address is not None
        return cls(fields.text("PoolID", required=True), address)


@dataclass(frozen=True, slots=True)
class IpamData:
    """One of a network's pools. `gateway` carries its prefix length."""

    pool: IPNetwork
    gateway: IPNetwork | None

    @classmethod
    def read(cls, fields: Fields) -> IpamData:
        pool = fields.prefix("Pool")
        if pool is None:
            raise InvalidRequest(f"{fields.where}: field 'Pool' is missing")
        return cls(pool, fields.prefix("Gateway"))


@dataclass(frozen=True, slots=True)
class CreateNetwork:
    """`options` are those of `docker network create -o`, names and texts."""

    network_id: str
    options: Mapping[str, str]
    internal: bool
    ipv6: bool
    ipv4_data: tuple[IpamData, ...]
    ipv6_data: tuple[IpamData, ...]

    @classmethod
    def read(cls, fields: Fields) -> CreateNetwork:
        options = fields.inner("Options")
        return cls(
            fields.identifier("NetworkID"),
            options.inner(_GENERIC).texts(),
            options.flag(_INTERNAL),
            options.flag(_ENABLE_IPV6),
            tuple(IpamData.read(each) for each in fields.inners("IPv4Data")),
            tuple(IpamData.read(each) for each in fields.inners("IPv6Data")),
        )


@dataclass(frozen=True, slots=True)
class GwAllocCheck:
    """`options` are those of `docker network create -o`; IPAM has not been asked yet."""

    options: Mapping[str, str]
    internal: bool

    @classmethod
    def read(cls, fields: Fields) -> GwAllocCheck:
        options = fields.inner("Options")
        return cls(options.inner(_GENERIC).texts(), options.flag(_INTERNAL))


@dataclass(frozen=True, slots=True)
class NetworkIds:
    """DeleteNetwork, FreeNetwork."""

    network_id: str

    @classmethod
    def read(cls, fields: Fields) -> NetworkIds:
        return cls(fields.identifier("NetworkID"))


@dataclass(frozen=True, slots=True)
class EndpointIds:
    """DeleteEndpoint, EndpointOperInfo, Leave, Program- and RevokeExternalConnectivity."""

    network_id: str
    endpoint_id: str

    @classmethod
    def read(cls, fields: Fields) -> EndpointIds:
        return cls(fields.identifier("NetworkID"), fields.identifier("EndpointID"))


@dataclass(frozen=True, slots=True)
class CreateEndpoint:
    """`address`, `address_v6` and `mac` are what Docker has given already; None or "" if not."""

    network_id: str
    endpoint_id: str
    address: IPNetwork | None
    address_v6: IPNetwork | None
    mac: str

    @classmethod
    def read(cls, fields: Fields) -> CreateEndpoint:
        interface, options = fields.inner("Interface"), fields.inner("Options")
        mac = _mac_of_text(interface, "MacAddress") or _mac_of_bytes(options, _ENDPOINT_MAC)
        return cls(
            fields.identifier("NetworkID"),
            fields.identifier("EndpointID"),
            interface.prefix("Address"),
            interface.prefix("AddressIPv6"),
            mac,
        )


@dataclass(frozen=True, slots=True)
class Join:
    network_id: str
    endpoint_id: str
    sandbox: str

    @classmethod
    def read(cls, fields: Fields) -> Join:
        return cls(
            fields.identifier("NetworkID"),
            fields.identifier("EndpointID"),
            fields.text("SandboxKey", required=True),
        )


def _mac_of_text(fields: Fields, name: str) -> str:
    """A MAC address in lower case with colons; "" when it is absent."""
    value = fields.text(name).lower().replace("-", ":")
    if value and not _MAC.match(value):
        raise InvalidRequest(f"{fields.where}: field {name!r} must be a MAC address, not {value!r}")
    return value


def _mac_of_bytes(fields: Fields, name: str) -> str:
    """Go sends a net.HardwareAddr as base64 of its six bytes."""
    value = fields.text(name)
    if not value:
        return ""
    try:
        raw = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest(f"{fields.where}: field {name!r} must be base64") from error
    if len(raw) != 6:
        raise InvalidRequest(f"{fields.where}: field {name!r} must be six bytes, not {len(raw)}")
    return raw.hex(":")
