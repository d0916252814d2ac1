"""Asking the LAN before an address is used: which interface, what the answers mean, who it is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from netaddr import IPAddress, IPNetwork

from macvlan_ros.addresses import contains
from macvlan_ros.errors import MacvlanRosError
from macvlan_ros.kernel import procnet
from macvlan_ros.kernel.link_names import SHIM_PREFIX
from macvlan_ros.models.pools import Pool
from macvlan_ros.wire.vendors import who

if TYPE_CHECKING:
    from macvlan_ros.wire.dhcp import Offer
    from macvlan_ros.wire.prober import Prober

_log = logging.getLogger(__name__)


class Scout:
    """Asks on the interface that stands on a pool's LAN; each one is opened once.

    `timing` is "fast" or "rfc5227" (see `Prober.probe`). `note` is told when the answers cannot be
    had or say nothing.
    """

    def __init__(self, *, note: Callable[[str], None], timing: str = "fast") -> None:
        self._note = note
        self._timing = timing
        self._wires: dict[str, Prober] = {}
        self._open = ExitStack()

    def ask(self, pool: Pool, addresses: Sequence[IPAddress]) -> Mapping[IPAddress, str]:
        """Which of `addresses` somebody on the LAN holds, with their MACs.

        Raises `KernelRefused`, `ParentNotFound`.
        """
        interface = interface_on(pool.subnet)
        if not interface:
            self._note(
                f"no interface of this PC has an address in {pool.subnet}, so nobody was asked"
                " whether the addresses are free"
            )
            return {}
        try:
            found = self.wire(interface).probe(addresses, timing=self._timing)
        except MacvlanRosError as error:
            error.args = (f"{error} (or do not ask the LAN: --no-probe)",)
            raise
        if found.proxy:
            self._note(about_proxy(found.proxy, interface, pool.subnet.version))
        _log.debug("asked on %s for %s: %s", interface, addresses, dict(found) or "nobody answered")
        return {address: answer.mac for address, answer in found.items()}

    def dhcp_conflicts(self, pool: Pool, *, progress: Callable[[str], None]) -> Iterator[str]:
        """What is wrong between the pool and the LAN's DHCP servers, each with its remedy.

        Takes 4 s where an interface stands on the pool's subnet (2 s in IPv6), and no time
        elsewhere.
        """
        interface = interface_on(pool.subnet)
        if not interface:
            return
        four = pool.subnet.version == 4
        server = _server(pool.subnet)
        try:
            offers = self.offers(pool.subnet, progress=progress)
        except MacvlanRosError as error:
            yield f"the LAN was not asked for its {server}: {error}"
            return
        for offer in offers:
            if not pool.dhcp and contains(pool, offer.address):
                yield (
                    f"the {server} {offer.server} hands out addresses of the pool"
                    f" '{pool.name}': it just offered {offer.address}; take the pool's addresses"
                    " out of the router's DHCP range, or leave the router's range out with"
                    " --exclude" + (", or take leases with --dhcp" if four else "")
                )
        if pool.dhcp and not offers:
            yield (
                f"no DHCP server answered on {interface}, and the pool '{pool.name}' gives out"
                " nothing without one; start it, or make the pool anew without --dhcp"
            )

    def offers(self, subnet: IPNetwork, *, progress: Callable[[str], None]) -> tuple[Offer, ...]:
        """What the DHCP servers of the LAN with that subnet offer; takes as long as
        `dhcp_conflicts`. Raises KernelRefused."""
        interface = interface_on(subnet)
        if not interface:
            return ()
        seconds = 4 if subnet.version == 4 else 2
        progress(
            f"looking for the LAN's {_server(subnet)} on {interface}"
            f" ({seconds} s; not with --no-probe)"
        )
        return _servers(interface, subnet.version)

    def wire(self, interface: str) -> Prober:
        """The way of asking on that interface; kept open until the scout is closed."""
        if interface not in self._wires:
            from macvlan_ros.wire.arp import open_wire

            wire = open_wire(interface)
            self._open.callback(wire.close)
            self._wires[interface] = wire
        return self._wires[interface]

    def close(self) -> None:
        """Give back what is held open. Closing twice is fine."""
        self._wires.clear()
        self._open.close()


def _server(subnet: IPNetwork) -> str:
    return "DHCP server" if subnet.version == 4 else "DHCPv6 server"


def _servers(interface: str, version: int) -> tuple[Offer, ...]:
    """What the LAN's DHCP servers of that IP version offer."""
    # Imported here: packets are needed when a pool is added, and by nothing that starts often.
    from macvlan_ros.wire import dhcp, dhcp6

    return dhcp.find_servers(interface) if version == 4 else dhcp6.find_servers(interface)


def about_proxy(mac: str, interface: str, version: int) -> str:
    """That somebody answers for every address of that IP version, and what follows."""
    kind = "ARP" if version == 4 else "NDP"
    return (
        f"{who(mac)} answers for every address on {interface}, as a router with proxy {kind} does;"
        " its answers are not counted, so nobody can tell which addresses are free"
    )


def interface_on(subnet: IPNetwork) -> str:
    """The interface that has an address in `subnet`, that of the default route first; or "". A
    shim has one, too, but hears its parent's LAN at second hand."""
    found = {
        own.interface: None
        for own in procnet.host_addresses()
        if own.address in subnet and own.interface and not own.interface.startswith(SHIM_PREFIX)
    }
    usual = procnet.default_interface()
    return usual if usual in found else next(iter(found), "")
