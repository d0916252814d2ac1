"""How pools and addresses are written down, the same in every store that writes."""

from __future__ import annotations

import json

from netaddr import AddrFormatError, IPAddress, IPNetwork, IPRange

from macvlan_ros.models.pools import STATIC, Pool, Reservation
from macvlan_ros.stores.damage import Undecodable

_DIGITS = {"4": 8, "6": 32}


def encode_address(address: IPAddress) -> str:
    """'4' or '6' and the hexadecimal digits in full: sorts as addresses do, one way for each."""
    version = str(address.version)
    return f"{version}{int(address):0{_DIGITS[version]}x}"


def decode_address(text: str) -> IPAddress:
    """The inverse of `encode_address`. Raises Undecodable."""
    return IPAddress(decode_value(text), 4 if text[0] == "4" else 6)


def decode_value(text: str) -> int:
    """The address's integer alone. Raises Undecodable."""
    try:
        if len(text) - 1 == _DIGITS[text[0]]:
            return int(text[1:], 16)
    except (ValueError, KeyError, IndexError, TypeError):
        pass
    raise Undecodable(f"{text!r} is not an address")


def encode_pool(pool: Pool) -> str:
    """A pool as one line of JSON."""
    return json.dumps(
        {
            "subnet": str(pool.subnet),
            "ranges": [str(part) for part in pool.ranges],
            "exclude": [str(part) for part in pool.exclude],
            "gateway": None if pool.gateway is None else str(pool.gateway),
            "order": pool.order,
            "dhcp": pool.dhcp,
        }
    )


def decode_pool(name: str, text: str) -> Pool:
    """The inverse of `encode_pool`. Raises Undecodable."""
    try:
        fields = json.loads(text)
        gateway = fields["gateway"]
        return Pool(
            name=name,
            subnet=IPNetwork(fields["subnet"]),
            ranges=tuple(IPRange(*part.split("-")) for part in fields["ranges"]),
            exclude=tuple(IPRange(*part.split("-")) for part in fields["exclude"]),
            gateway=None if gateway is None else IPAddress(gateway),
            order=str(fields["order"]),
            dhcp=bool(fields["dhcp"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, AddrFormatError) as error:
        raise Undecodable(f"pool {name!r} does not decode ({error})") from error


def encode_reservation(held: Reservation) -> dict[str, str]:
    """A reservation as plain fields, the address as people write it."""
    return {
        "pool": held.pool,
        "address": str(held.address),
        "owner": held.owner,
        "mac": held.mac,
        "host": held.host,
        "created": held.created,
        "kind": held.kind,
    }


def decode_reservation(fields: object) -> Reservation:
    """The inverse of `encode_reservation`; further fields are passed over. Raises Undecodable."""
    try:
        if not isinstance(fields, dict):
            raise TypeError("not an object")
        return Reservation(
            pool=str(fields["pool"]),
            address=IPAddress(fields["address"]),
            owner=str(fields["owner"]),
            mac=str(fields["mac"]),
            host=str(fields.get("host", "")),
            created=str(fields.get("created", "")),
            kind=str(fields.get("kind", STATIC)),
        )
    except (ValueError, KeyError, TypeError, AddrFormatError) as error:
        raise Undecodable(f"a reservation does not decode ({error!r})") from error
