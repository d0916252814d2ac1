"""Leases on the wire: which interface, which words identify a client, which server is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from netaddr import IPAddress

from macvlan_ros.addresses import mac_of_owner
from macvlan_ros.errors import BadSubnet, Unavailable
from macvlan_ros.kernel import procnet
from macvlan_ros.leasing.book import Lease
from macvlan_ros.wire.arp import Wire
from macvlan_ros.wire.dhcp_client import PATIENCE, Client, Outcome, Want
from macvlan_ros.wire.dhcp_messages import host_name

__all__ = ["LeaseWire", "client_id", "interface_towards"]

#: Hears of an entry whose server is known now, and is about to be asked for good.
Found = Callable[[Lease], None]


class LeaseWire:
    """Asks the servers on the interface that leads to a lease's address.

    Each method raises Forbidden without CAP_NET_RAW, ParentNotFound, BadParent, KernelRefused, and
    Unavailable when no interface leads there.
    """

    def __init__(
        self,
        *,
        interface: Callable[[IPAddress], str] | None = None,
        namespace: Path | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._interface = interface or interface_towards
        self._namespace = namespace
        self.patience = patience

    def take(
        self, leases: Sequence[Lease], *, found: Found, insist: bool = False
    ) -> Mapping[Lease, Outcome]:
        """Ask any server for exactly these; `found` gets each with its server before the request.
        With `insist` a server is asked that offers something else, too.

        The result's keys are those that `found` got last, or else the given ones.
        """
        if not leases:
            return {}
        latest = {_want(lease): lease for lease in leases}

        def told(want: Want, server: IPAddress, via: str) -> None:
            latest[want] = replace(latest[want], server=server, via=via)
            found(latest[want])

        with self._client(leases[0].address) as client:
            outcomes = client.take(list(latest), told=told, insist=insist)
        return {lease: outcomes[want] for want, lease in latest.items()}

    def renew(self, leases: Sequence[Lease], *, now: float) -> Mapping[Lease, Outcome]:
        """Ask for what is held: its own server at first, any server from the time of rebinding."""
        if not leases:
            return {}
        wants = {
            replace(_want(lease), server=lease.server if now < lease.rebind else None): lease
            for lease in leases
        }
        with self._client(leases[0].address) as client:
            outcomes = client.renew(list(wants))
        return {lease: outcomes[want] for want, lease in wants.items()}

    def release(self, lease: Lease, via: str) -> None:
        """Tell the lease's server, at that MAC."""
        with self._client(lease.address) as client:
            client.release(replace(_want(lease), server=lease.server), via)

    def present(self, leases: Iterable[Lease]) -> Mapping[IPAddress, str]:
        """The MACs of those of the leases' servers that answer.

        A server beyond a relay cannot be asked: its MAC is the relay's, as it was noted.
        """
        known = {lease.server: lease for lease in leases if lease.server is not None}
        if not known:
            return {}
        found: dict[IPAddress, str] = {}
        interface = self.interface(next(iter(known.values())).address)
        with Wire(interface, namespace=self._namespace) as wire:
            for server, lease in known.items():
                found[server] = lease.via
                with suppress(BadSubnet):
                    answer = wire.probe([server]).get(server)
                    found[server] = answer.mac if answer else ""
        return {server: mac for server, mac in found.items() if mac}

    def leads_to(self, address: IPAddress) -> bool:
        """Whether there is an interface towards the address."""
        return bool(self._interface(address))

    def interface(self, address: IPAddress) -> str:
        """The interface towards the address. Raises Unavailable when there is none."""
        found = self._interface(address)
        if not found:
            raise Unavailable(
                f"no interface of this PC stands on the LAN of {address}, so no DHCP server can be"
                " asked there; give one an address on that LAN, or make the pool without --dhcp"
            )
        return found

    def _client(self, address: IPAddress) -> Client:
        interface = self.interface(address)
        return Client(interface, namespace=self._namespace, patience=self.patience)


def interface_towards(address: IPAddress) -> str:
    """The interface on the address's LAN, that of the default route first; "" for none."""
    found = {each.interface for each in procnet.connected_subnets() if address in each.subnet}
    usual = procnet.default_interface()
    return usual if usual in found else min(found, default="")


def client_id(owner: str, *, pool: str, mac: str) -> str:
    """What a server knows a client by: the owner. One with another MAC than its name gives runs
    twice (on PCs that share no store): a server must not take the two for one client."""
    first = not owner.startswith("dynamic:") and mac == mac_of_owner(pool, owner)
    return owner if first or mac in owner else f"{owner} {mac}"


def _want(lease: Lease) -> Want:
    client = client_id(lease.owner, pool=lease.pool, mac=lease.mac)
    return Want(lease.address, lease.mac, client, host_name(lease.owner))
