"""What `docker network create -d macvlan-ros -o …` takes, read and checked."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

from netaddr import AddrFormatError, IPAddress, IPNetwork

from macvlan_ros.errors import InvalidRequest
from macvlan_ros.models.links import NETWORK_MODES
from macvlan_ros.plugin import wire
from macvlan_ros.state import DockerNetwork

__all__ = ["OPTIONS", "read_network", "wants_no_gateway"]

#: Option -> the name by which Docker's own drivers know the same thing ("" for none).
OPTIONS = {
    "parent": "",
    "mode": "macvlan_mode",
    "mtu": "com.docker.network.driver.mtu",
    "internal": "",
    "no_gateway": "",
    "routes": "",
    "shim": "",
    "prefix": "com.docker.network.container_iface_prefix",
}

# Docker puts a number behind it, and the kernel takes 15 letters.
_PREFIX = re.compile(r"[a-zA-Z][a-zA-Z0-9_.-]{0,11}\Z")
_LEAST_MTU = {4: 68, 6: 1280}  # RFC 791, RFC 8200


def read_network(request: wire.CreateNetwork) -> DockerNetwork:
    """The network that the request asks for, its parent not looked up yet.

    Raises InvalidRequest, naming the option.
    """
    options = _named(request.options)
    pools = [*request.ipv4_data, *request.ipv6_data]
    if not pools:
        raise InvalidRequest(
            "the network has no subnet; give --subnet, or use --ipam-driver macvlan-ros"
        )
    internal = request.internal or _yes(options, "internal")
    no_gateway = internal or _yes(options, "no_gateway")
    subnets = tuple((data.pool.cidr, _gateway(data, no_gateway)) for data in pools)
    return DockerNetwork(
        id=request.network_id,
        wanted=options.get("parent") or _parent_on(subnets),
        parent="",
        mode=_mode(options),
        mtu=_mtu(options, {net.version for net, _ in subnets}),
        internal=internal,
        prefix=_prefix(options),
        subnets=subnets,
        routes=_routes(options, [net for net, _ in subnets]),
        shim=_yes(options, "shim", otherwise=True),
    )


def wants_no_gateway(request: wire.GwAllocCheck) -> bool:
    """Whether the network needs no gateway, so that Docker shall not allocate one."""
    options = _named(request.options)
    return request.internal or _yes(options, "internal") or _yes(options, "no_gateway")


def _named(given: Mapping[str, str]) -> dict[str, str]:
    """The options by our names. Raises InvalidRequest for one that is unknown or said twice."""
    aliases = {alias: name for name, alias in OPTIONS.items() if alias}
    found: dict[str, str] = {}
    for word, value in given.items():
        name = aliases.get(word, word)
        if name not in OPTIONS:
            close = difflib.get_close_matches(word, [*OPTIONS, *aliases], 1)
            hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(OPTIONS)}"
            raise InvalidRequest(f"unknown option -o {word}; {hint}")
        if name in found and found[name] != value:
            raise InvalidRequest(f"-o {name} and -o {OPTIONS[name]} contradict each other")
        found[name] = value
    return found


def _parent_on(subnets: tuple[tuple[IPNetwork, IPAddress | None], ...]) -> str:
    """Without -o parent, the interface that stands on the network's IPv4 subnet is meant."""
    return next((str(net) for net, _ in subnets if net.version == 4), "")


def _gateway(data: wire.IpamData, no_gateway: bool) -> IPAddress | None:
    return None if no_gateway or data.gateway is None else data.gateway.ip


def _yes(options: Mapping[str, str], name: str, *, otherwise: bool = False) -> bool:
    value = options.get(name, str(otherwise)).strip().lower()
    # `-o internal` alone arrives as an empty value
    if value in ("true", "yes", "1", ""):
        return True
    if value in ("false", "no", "0"):
        return False
    raise InvalidRequest(f"-o {name}={options[name]}: take true or false")


def _mode(options: Mapping[str, str]) -> str:
    mode = options.get("mode", "bridge")
    if mode not in NETWORK_MODES:
        raise InvalidRequest(f"-o mode={mode}: there are: {', '.join(NETWORK_MODES)}")
    return mode


def _mtu(options: Mapping[str, str], versions: set[int]) -> int:
    """0 leaves it to the parent."""
    text = options.get("mtu", "0")
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        raise InvalidRequest(f"-o mtu={text}: take a number of bytes, such as 1500")
    least = max(_LEAST_MTU[version] for version in versions)
    mtu = int(text)
    if mtu and not least <= mtu <= 65535:
        raise InvalidRequest(f"-o mtu={mtu}: take a number from {least} to 65535")
    return mtu


def _prefix(options: Mapping[str, str]) -> str:
    prefix = options.get("prefix", "eth")
    if not _PREFIX.match(prefix):
        raise InvalidRequest(
            f"-o prefix={prefix}: take up to 12 letters and digits, beginning with a letter"
        )
    return prefix


def _routes(
    options: Mapping[str, str], subnets: list[IPNetwork]
) -> tuple[tuple[IPNetwork, IPAddress | None], ...]:
    """ "10.1.0.0/16 via 192.168.50.9, 10.2.0.0/16": the second is on the link itself."""
    entries = [entry.strip() for entry in options.get("routes", "").split(",")]
    return tuple(_route(entry, subnets) for entry in entries if entry)


def _route(entry: str, subnets: list[IPNetwork]) -> tuple[IPNetwork, IPAddress | None]:
    destination, via, hop = (part.strip() for part in entry.partition(" via "))
    try:
        net, gateway = IPNetwork(destination), IPAddress(hop) if via else None
    except (AddrFormatError, ValueError) as error:
        raise InvalidRequest(
            f"-o routes: {entry!r} is no route; write DESTINATION via NEXT_HOP, such as "
            "10.1.0.0/16 via 192.168.50.9, several with commas"
        ) from error
    if net.ip != net.cidr.ip:
        raise InvalidRequest(f"-o routes: {destination} has host bits set; write {net.cidr}")
    if gateway is not None and not any(gateway in subnet for subnet in subnets):
        raise InvalidRequest(
            f"-o routes: the next hop {gateway} lies in none of the network's subnets "
            f"({', '.join(map(str, subnets))})"
        )
    return net, gateway
