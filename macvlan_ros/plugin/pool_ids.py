"""Pool ids: what Docker hands back to us with each request for an address, readable by itself.

An id says which pool is meant and how its network uses it, so that no record needs to be kept for
it, and a pool that was made for a network can be made again when the store was lost:
`lab`, `lab;range=192.168.60.64/27`, `lab;owner=talker`, `docker-10.1.0.0-16;subnet=10.1.0.0/16`.
"""

from __future__ import annotations

import re

from netaddr import AddrFormatError, IPNetwork, IPRange

from macvlan_ros.errors import InvalidRequest
from macvlan_ros.models.pools import Pool
from macvlan_ros.notation import check_name
from macvlan_ros.values import dataclass

__all__ = ["PoolId", "name_for"]

_AUTOMATIC = "docker-"


@dataclass(frozen=True, slots=True)
class PoolId:
    """`subnet` is set for a pool that was made for Docker's network, `part` is its --ip-range,
    `owner` whom alone the network serves."""

    pool: str
    subnet: IPNetwork | None = None
    part: IPNetwork | None = None
    owner: str = ""

    def __str__(self) -> str:
        parts = {"subnet": self.subnet, "range": self.part, "owner": self.owner}
        return ";".join([self.pool, *(f"{key}={value}" for key, value in parts.items() if value)])

    @classmethod
    def parse(cls, text: str) -> PoolId:
        """The inverse of `str()`. Raises InvalidRequest for what we never gave out."""
        pool, *parts = text.split(";")
        fields = dict(part.partition("=")[::2] for part in parts)
        try:
            found = cls(
                check_name(pool, kind="pool name"),
                IPNetwork(fields["subnet"]) if "subnet" in fields else None,
                IPNetwork(fields["range"]) if "range" in fields else None,
                check_name(fields["owner"]) if "owner" in fields else "",
            )
        except (InvalidRequest, AddrFormatError, ValueError) as error:
            raise _unknown(text) from error
        if str(found) != text:
            raise _unknown(text)
        return found

    @property
    def within(self) -> IPRange | None:
        """The part of the pool out of which the network's containers get their addresses."""
        if self.part is None:
            return None
        return IPRange(self.part[0], self.part[-1])


def name_for(subnet: IPNetwork) -> str:
    """The name of a pool that is made because a Docker network was made on a bare subnet."""
    return _AUTOMATIC + re.sub(r"[^0-9A-Za-z.]", "-", str(subnet.cidr))


def is_automatic(pool: Pool) -> bool:
    """Whether the pool was made for a Docker network, and may go with the last of them."""
    return pool.name == name_for(pool.subnet)


def _unknown(text: str) -> InvalidRequest:
    return InvalidRequest(f"PoolID {text!r} was not given out by macvlan-ros")
