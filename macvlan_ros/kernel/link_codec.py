"""Links as JSON: the form in which one host tells another of its interfaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netaddr import AddrFormatError, IPAddress, IPNetwork

from macvlan_ros.errors import Unavailable
from macvlan_ros.models.links import Link


def encode_link(link: Link) -> dict[str, Any]:
    """What `macvlan-ros interfaces --json` says of it, and the remedy."""
    return {
        "name": link.name,
        "index": link.index,
        "kind": link.kind,
        "up": link.up,
        "carrier": link.carrier,
        "mac": link.mac,
        "mtu": link.mtu,
        "addresses": [str(each) for each in link.addresses],
        "gateway": str(link.gateway) if link.gateway else None,
        "default_route": link.default_route,
        "wireless": link.wireless,
        "children": list(link.children),
        "objection": link.objection or None,
        "remedy": link.remedy,
        "chosen": link.chosen,
    }


def decode_link(found: Mapping[str, Any]) -> Link:
    """Raises Unavailable for what is no link."""
    try:
        gateway = found.get("gateway")
        return Link(
            name=str(found["name"]),
            index=int(found.get("index") or 0),
            kind=str(found["kind"]),
            up=bool(found["up"]),
            carrier=bool(found["carrier"]),
            mac=str(found["mac"]),
            mtu=int(found["mtu"]),
            addresses=tuple(IPNetwork(each) for each in found["addresses"]),
            gateway=IPAddress(gateway) if gateway else None,
            default_route=bool(found["default_route"]),
            wireless=bool(found["wireless"]),
            children=tuple(str(each) for each in found["children"]),
            objection=str(found.get("objection") or ""),
            chosen=bool(found["chosen"]),
            remedy=str(found.get("remedy") or ""),
        )
    except (KeyError, TypeError, ValueError, AddrFormatError, AttributeError) as error:
        raise Unavailable(f"an interface is described in a way not known here: {error}") from error
