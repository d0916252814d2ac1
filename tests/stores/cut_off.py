"""A host whose way to etcd can be cut, for tests of what its local copy does then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from netaddr import IPAddress

from macvlan_ros.ipam import Ipam
from macvlan_ros.models.pools import Reservation
from macvlan_ros.notation import parse_pool
from macvlan_ros.opening import open_for
from macvlan_ros.reserving.around import Surroundings
from macvlan_ros.settings import Settings
from macvlan_ros.stores.copied import CopiedStore
from tests.stores.gateway import Relay

LAB = parse_pool("lab", subnet="10.0.0.0/24")


def want(owner: str, last: int, *, host: str = "qtpc", kind: str = "static") -> Reservation:
    mac = f"02:00:00:00:00:{last:02x}"
    return Reservation(
        "lab", IPAddress(f"10.0.0.{last}"), owner, mac, host, "2026-11-02T10:00:00Z", kind
    )


class Pc:
    """A host whose way to etcd can be cut."""

    def __init__(self, etcd: str, folder: Path, host: str = "qtpc") -> None:
        self.relay = Relay(etcd)
        self.folder, self.host = folder, host
        self.notes: list[str] = []

    def open(self) -> CopiedStore:
        settings = Settings(
            store=f"etcd://{self.relay.address}/lab", host=self.host, etcd_copy=str(self.folder)
        )
        store = open_for(settings, note=self.notes.append)
        assert isinstance(store, CopiedStore)
        return store


@contextmanager
def used(pc: Pc) -> Iterator[CopiedStore]:
    with closing(pc.open()) as store:
        yield store


def ipam(store: CopiedStore, **more: object) -> Ipam:
    return Ipam(store, surroundings=lambda _: Surroundings(), host="qtpc", **more)  # type: ignore[arg-type]
