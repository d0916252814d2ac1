"""The network driver: Docker's networks and endpoints, in libnetwork's words."""

from __future__ import annotations

from macvlan_ros.endpoints import Endpoints
from macvlan_ros.plugin import answers, wire
from macvlan_ros.plugin.network_options import read_network, wants_no_gateway

__all__ = ["NetworkDriver"]


class NetworkDriver:
    """One method for each call; any number of threads may be in it."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints

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
        self._endpoints.delete_network(request.network_id)
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
        attached = self._endpoints.join(request.network_id, request.endpoint_id, request.sandbox)
        routes = tuple(answers.StaticRoute(to, hop) for to, hop in attached.network.routes)
        return answers.Joined(
            attached.link,
            attached.network.prefix,
            attached.gateway,
            attached.gateway_v6,
            routes,
        )

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
