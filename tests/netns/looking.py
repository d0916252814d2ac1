"""Hosts of a lab without engines, taken for containers that can be looked from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from netaddr import IPAddress

from macvlan_ros.verify.place import Place, Vantage
from tests.lab import Host


def place(host: Host, *, ros: str = "") -> Place:
    """The host taken for a container: it is entered by its namespace."""
    return Place(
        name=host.name,
        address=IPAddress(host.address),
        address6=IPAddress(host.wiring.address6.partition("/")[0]),
        host="qtpc",
        pid=host.pid,
        mac=host.mac,
        ros=ros,
    )


@contextmanager
def looking_from(*hosts: Host, ros: str = "") -> Iterator[list[Vantage]]:
    with ExitStack() as undo:
        yield [undo.enter_context(closing(Vantage(place(host, ros=ros)))) for host in hosts]
