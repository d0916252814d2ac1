"""The network driver: Docker's networks and endpoints, in libnetwork's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from netaddr import IPAddress, IPNetwork

from macvlan_ros.endpoints import Endpoints
from macvlan_ros.plugin import answers, wire
from macvlan_ros.plugin.network_options import read_network, wants_no_gateway
from macvlan_ros.plugin.shims import NoShims, Shims
from macvlan_ros.state import DockerNetwork, Endpoint

__all__ = ["NetworkDriver"]


class NetworkDriver:
    """One method for each call; any number of threads may be in it. `joined` hears of each endpoint
    whose container is about to come up; it must return at once."""

    def __init__(
        self,
        endpoints: Endpoints,
        *,
        shims: Shims | None = None,
        joined: Callable[[DockerNetwork, Endpoint], None] = lambda *_: None,
    ) -> None:
        self._endpoints = endpoints
        self._shims: Shims = shims or NoShims()
        self._joined = joined

    def get_capabilities(self, _: wire.Nothing) -> answers.NetworkCapabilities:
        return answers.NetworkCapabilities()

    def gw_alloc_check(self, request: wire.GwAllocCheck) -> answers.GwAllocChecked:
        skip = wants_no_gateway(request)
        return answers.GwAllocChecked(skip, skip)

    def create_network(self, request: wire.CreateNetwork) -> answers.Done:
        self._endpoints.create_network(read_network(request))
        return answers.Done()

    def undo_create_network(self, request: wire.CreateNetwork, _: answers.Done) -> None:
        """Docker was told that it failed, and will not ask for the network's deletion."""
        self._endpoints.delete_network(request.network_id)

    def delete_network(self, request: wire.NetworkIds) -> answers.Done:
        network = self._endpoints.delete_network(request.network_id)
        if network is not None:
            self._shims.gone(network)
        return answers.Done()

    def create_endpoint(self, request: wire.CreateEndpoint) -> answers.EndpointCreated:
        given = (request.address, request.address_v6)
        addresses = [address for address in given if address is not None]
        made = self._endpoints.create(
            request.network_id, request.endpoint_id, addresses, request.mac
        )
        # Docker takes an echo of the MAC that it gave for an attempt to change it.
        return answers.EndpointCreated("" if request.mac else made.mac)

    def undo_create_endpoint(
        self, request: wire.CreateEndpoint, _: answers.EndpointCreated
    ) -> None:
        self._endpoints.delete(request.endpoint_id)

    def endpoint_oper_info(self, request: wire.EndpointIds) -> answers.EndpointInfo:
        network, endpoint = self._endpoints.info(request.network_id, request.endpoint_id)
        return answers.EndpointInfo(
            {"parent": network.parent, "mode": network.mode, "mac": endpoint.mac}
        )

    def delete_endpoint(self, request: wire.EndpointIds) -> answers.Done:
        self._endpoints.delete(request.endpoint_id)
        return answers.Done()

    def join(self, request: wire.Join) -> answers.Joined:
        network, endpoint = self._endpoints.info(request.network_id, request.endpoint_id)
        ways = self._shims.ways(network)
        led = self._new_among(ways, network, request)
        attached = self._endpoints.join(
            request.network_id, request.endpoint_id, request.sandbox, led=led
        )
        self._shims.attached(network, endpoint)
        self._joined(network, endpoint)
        routes = [answers.StaticRoute(to, hop) for to, hop in network.routes]
        routes += [answers.StaticRoute(IPNetwork(to), hop) for to, hop in led.items()]
        # A host that is the LAN's router cannot be asked for with ARP by its own containers.
        gateways = (attached.gateway, attached.gateway_v6)
        gateway, gateway_v6 = (each and ways.get(each, each) for each in gateways)
        return answers.Joined(
            attached.link,
            network.prefix,
            gateway,
            gateway_v6,
            tuple(routes),
        )

    def _new_among(
        self, ways: Mapping[IPAddress, IPAddress], network: DockerNetwork, request: wire.Join
    ) -> dict[IPAddress, IPAddress]:
        """Those of the ways to this host that the sandbox does not have: Docker refuses to start a
        container with two routes to one destination."""
        if not ways:
            return {}
        known = self._endpoints.led_in(request.sandbox, but=request.endpoint_id)
        said = {to for to, _ in network.routes}
        return {
            to: hop for to, hop in ways.items() if to not in known and IPNetwork(to) not in said
        }

    def undo_join(self, request: wire.Join, _: answers.Joined) -> None:
        """Docker will never fetch the link."""
        self._endpoints.abandon(request.endpoint_id)

    def leave(self, request: wire.EndpointIds) -> answers.Done:
        self._endpoints.leave(request.endpoint_id)
        return answers.Done()

    def nothing(self, _: object) -> answers.Done:
        """Calls that ask nothing of a LAN network: there are no ports to publish and no peers to
        tell, for every port of a container is open on its own address."""
        return answers.Done()
