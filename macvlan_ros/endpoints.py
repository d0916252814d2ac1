"""Endpoints: what the network driver does, and the links of containers.

What Docker must find again after any restart is in the store before Docker hears of it; what is in
the kernel can be made again from that. Making something that exists and deleting something that
does not are both fine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import replace
from errno import EINVAL
from pathlib import Path

from netaddr import IPAddress, IPNetwork

from macvlan_ros.addresses import mac_of_owner
from macvlan_ros.errors import AddressInUse, Conflict, KernelRefused, NotFound
from macvlan_ros.kernel.link_names import endpoint_link, endpoint_links, is_fresh, link_exists
from macvlan_ros.lan_networks import LanNetworks, is_placeholder
from macvlan_ros.links import Links
from macvlan_ros.models.pools import DYNAMIC
from macvlan_ros.state import DockerNetwork, Endpoint, State
from macvlan_ros.stores.base import Store
from macvlan_ros.uses import Uses
from macvlan_ros.values import dataclass

__all__ = ["Endpoints", "WaitingLink"]

# Seconds within which Docker is through with an endpoint that it is making: gone by then, gone.
SETTLED = 30.0

# Seconds between the deletion of an endpoint and the release of its address, with room to spare.
_DEPARTED = 10.0


@dataclass(frozen=True, slots=True)
class WaitingLink:
    """A link that waits in the host's namespace for Docker to move it into the sandbox."""

    link: str
    network: DockerNetwork
    gateway: IPAddress | None
    gateway_v6: IPAddress | None


class Endpoints:
    """This host's Docker networks and endpoints. Any number of threads may share it.

    `sandboxes` is where Docker keeps its network namespaces, when it is not where Docker says: a
    service in a container of its own sees the host's /run elsewhere. `left` hears of each endpoint
    that was deleted; it must return at once.
    """

    def __init__(
        self,
        store: Store,
        *,
        links: Links,
        host: str,
        sandboxes: Path | None = None,
        left: Callable[[Endpoint], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._state = State(store, host=host)
        self._uses = Uses(store, host=host)
        self._links = links
        self._networks = LanNetworks(self._state, links)
        self._host = host
        self._sandboxes = sandboxes
        self._left = left
        self._departed: dict[str, float] = {}

    def create_network(self, wanted: DockerNetwork) -> DockerNetwork:
        """See `LanNetworks.create`. A placeholder among the gateways is no router."""
        subnets = tuple((net, self._router(gateway)) for net, gateway in wanted.subnets)
        return self._networks.create(replace(wanted, subnets=subnets))

    def _router(self, gateway: IPAddress | None) -> IPAddress | None:
        held = self._store.holder(gateway) if gateway is not None else None
        return None if held is not None and is_placeholder(held) else gateway

    def delete_network(self, network_id: str) -> DockerNetwork | None:
        """Forget a network with its endpoints, and return it; None when there was none."""
        for endpoint in self._state.endpoints():
            if endpoint.network == network_id:
                self.delete(endpoint.id)
        network = self._state.network(network_id)
        return network if self._networks.delete(network_id) else None

    # -- endpoints --------------------------------------------------------------------------------

    def create(
        self, network_id: str, endpoint_id: str, addresses: Sequence[IPNetwork], mac: str
    ) -> Endpoint:
        """Note an endpoint; one without a MAC gets one. The same one twice is fine.

        Raises NetworkNotFound, AddressInUse for an address that another one holds, Conflict.
        """
        self._networks.get(network_id)
        given = tuple(addresses)
        mac = mac or mac_of_owner(network_id, str(given[0].ip) if given else endpoint_id)
        endpoint = Endpoint(endpoint_id, network_id, given, mac, round(time.time(), 3))
        standing = self._state.endpoint(endpoint_id)
        if standing is not None:
            if _identity(standing) != _identity(endpoint):
                raise Conflict(f"endpoint {endpoint_id[:12]} exists with another address or MAC")
            return standing
        for address in given:
            self._check_held(address.ip, mac)
            self._check_endpoints(address.ip)
        self._state.keep_endpoint(endpoint)
        return endpoint

    def _check_held(self, address: IPAddress, mac: str) -> None:
        """Docker's own IPAM knows nothing of our reservations, so they are looked at here, too."""
        held = self._store.holder(address)
        if held is not None and held.mac != mac:
            use = self._uses.find(held.pool, address)
            granted = use is not None and use.host == self._host and use.mac == mac
            if not granted:
                who = "another container" if held.kind == DYNAMIC else repr(held.owner)
                raise AddressInUse(
                    f"{address} is held by {who} in pool {held.pool!r} (MAC {held.mac}); choose "
                    "another address, or make the network with --ipam-driver macvlan-ros"
                )

    def _check_endpoints(self, address: IPAddress) -> None:
        other = self._state.endpoint_at(address)
        if other is not None and not self.is_gone(other):
            raise AddressInUse(
                f"{address} is in use by endpoint {other.id[:12]} with the MAC {other.mac}"
            )

    def join(
        self,
        network_id: str,
        endpoint_id: str,
        sandbox: str,
        *,
        led: Collection[IPAddress] = (),
    ) -> WaitingLink:
        """Make the endpoint's link, for Docker to move into the sandbox.

        `led` are this host's addresses to which Docker will make a route there.
        Raises NetworkNotFound, NotFound, ParentNotFound, BadParent, Conflict, KernelRefused; no
        link is left behind then.
        """
        network = self._networks.get(network_id)
        endpoint = self._endpoint(network_id, endpoint_id)
        for address in endpoint.addresses:
            self._check_held(address.ip, endpoint.mac)
        parent = self._networks.present_parent(network)
        name = endpoint_link(endpoint_id)
        with ExitStack() as undo:
            undo.callback(self._links.delete_link, name)
            self._add_link(parent, name, network, endpoint.mac)
            now = round(time.time(), 3)
            self._state.keep_endpoint(
                replace(endpoint, link=name, sandbox=sandbox, created=now, led=tuple(led))
            )
            undo.pop_all()
        return WaitingLink(name, network, *_gateways(network, endpoint))

    def _add_link(self, parent: str, name: str, network: DockerNetwork, mac: str) -> None:
        def add() -> None:
            self._links.add_macvlan(
                parent, name, mac=mac, mode=network.mode, mtu=network.mtu or None
            )

        try:
            add()
        except KernelRefused as error:
            # Docker asks again when an answer was lost: then the link is there already.
            if self._links.delete_link(name):
                add()
            elif network.mode == "passthru" and error.errno == EINVAL:
                raise Conflict(
                    f"mode passthru gives {parent} to one container alone, and {parent} has a "
                    "macvlan link already; stop that container first, or use mode bridge"
                ) from error
            else:
                raise

    def leave(self, endpoint_id: str) -> bool:
        """The container has left; Docker moves the link back into the host's namespace."""
        endpoint = self._state.endpoint(endpoint_id)
        if endpoint is None or not endpoint.sandbox:
            return False
        self._state.keep_endpoint(replace(endpoint, sandbox="", led=()))
        return True

    def delete(self, endpoint_id: str) -> bool:
        """Delete an endpoint's link and forget it; False when there was none."""
        endpoint = self._state.endpoint(endpoint_id)
        self._links.delete_link(endpoint_link(endpoint_id))
        if endpoint is None:
            return False
        self._departed[endpoint.mac] = time.monotonic()
        dropped = self._state.drop_endpoint(endpoint_id)
        self._left(endpoint)
        return dropped

    def departed(self, mac: str) -> bool:
        """Whether an endpoint with this MAC was deleted just now; each one is told once."""
        return time.monotonic() - self._departed.pop(mac, -_DEPARTED) < _DEPARTED

    def abandon(self, endpoint_id: str) -> None:
        """Take back a link that nobody will fetch; the endpoint stays."""
        self._links.delete_link(endpoint_link(endpoint_id))
        endpoint = self._state.endpoint(endpoint_id)
        if endpoint is not None:
            self._state.keep_endpoint(replace(endpoint, link="", sandbox="", led=()))

    def info(self, network_id: str, endpoint_id: str) -> tuple[DockerNetwork, Endpoint]:
        """Raises NetworkNotFound, NotFound."""
        return self._networks.get(network_id), self._endpoint(network_id, endpoint_id)

    def led_in(self, sandbox: str, *, but: str) -> frozenset[IPAddress]:
        """This host's addresses to which the sandbox has routes by endpoints other than `but`."""
        others = (each for each in self._state.endpoints() if each.id != but)
        return frozenset(one for each in others if each.sandbox == sandbox for one in each.led)

    # -- what is left over ------------------------------------------------------------------------

    def is_gone(self, endpoint: Endpoint, *, settled: float = SETTLED) -> bool:
        """Whether the endpoint's container is no more, as far as this host can see.

        A link that is not in the host's namespace is in its sandbox, or was: the sandbox tells.
        One that is in the host's namespace has come back from a container that left, or waits for
        Docker, which makes the sandbox only after Join: it is given `settled` seconds.
        """
        if endpoint.sandbox and not link_exists(endpoint.link):
            return not self._sandbox(endpoint.sandbox).exists()
        return time.time() - endpoint.created > settled

    def gone(self, *, settled: float = SETTLED) -> tuple[Endpoint, ...]:
        """The endpoints whose containers are no more."""
        return tuple(
            each for each in self._state.endpoints() if self.is_gone(each, settled=settled)
        )

    def stray_links(self) -> tuple[str, ...]:
        """Links of ours in the host's namespace that no endpoint has."""
        # Links first: one that is made after this has its endpoint in the store before that.
        names = [name for name in endpoint_links() if not is_fresh(name)]
        known = {endpoint_link(each.id) for each in self._state.endpoints()}
        strays = [name for name in names if name not in known]
        return tuple(name for name in strays if self._links.macvlan(name) is not None)

    def delete_link(self, name: str) -> bool:
        """Delete a stray link; False when there was none."""
        return self._links.delete_link(name)

    def _sandbox(self, path: str) -> Path:
        return self._sandboxes / Path(path).name if self._sandboxes else Path(path)

    # -- look-ups ---------------------------------------------------------------------------------

    def _endpoint(self, network_id: str, endpoint_id: str) -> Endpoint:
        endpoint = self._state.endpoint(endpoint_id)
        if endpoint is None or endpoint.network != network_id:
            raise NotFound(
                f"macvlan-ros knows no endpoint {endpoint_id[:12]} in network {network_id[:12]}; "
                "start the container again"
            )
        return endpoint


def _identity(endpoint: Endpoint) -> tuple[object, ...]:
    return (endpoint.network, endpoint.addresses, endpoint.mac)


def _gateways(
    network: DockerNetwork, endpoint: Endpoint
) -> tuple[IPAddress | None, IPAddress | None]:
    """The gateways (IPv4, IPv6) of the subnets in which the endpoint has its addresses."""
    found: dict[int, IPAddress] = {}
    for own in endpoint.addresses:
        for subnet, gateway in network.subnets:
            if gateway is not None and own.ip in subnet and not network.internal:
                found[own.version] = gateway
    return found.get(4), found.get(6)
