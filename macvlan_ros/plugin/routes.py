"""The table of libnetwork's calls: how each one is read, done and undone."""

from __future__ import annotations

from collections.abc import Mapping

from macvlan_ros.plugin import answers, wire
from macvlan_ros.plugin.exchange import Route
from macvlan_ros.plugin.ipam_driver import IpamDriver
from macvlan_ros.plugin.network_driver import NetworkDriver

__all__ = ["routes"]


def routes(network: NetworkDriver, ipam: IpamDriver, *, asking: float = 0.0) -> Mapping[str, Route]:
    """Path -> route. A call without arguments may come with an empty body. A request for an address
    may take `asking` seconds longer than others."""

    nothing = Route(wire.Nothing.read, network.nothing, may_be_empty=True)
    plain = wire.Nothing.read
    return {
        "/Plugin.Activate": Route(plain, lambda _: answers.Implements(), may_be_empty=True),
        "/NetworkDriver.GetCapabilities": Route(plain, network.get_capabilities, may_be_empty=True),
        "/NetworkDriver.GwAllocCheck": Route(wire.GwAllocCheck.read, network.gw_alloc_check),
        # Managers of a swarm ask these of drivers whose scope is global, which ours is not; a
        # manager that asks all the same has nothing to be told.
        "/NetworkDriver.AllocateNetwork": Route(wire.NetworkIds.read, network.nothing),
        "/NetworkDriver.FreeNetwork": Route(wire.NetworkIds.read, network.nothing),
        "/NetworkDriver.CreateNetwork": Route(
            wire.CreateNetwork.read, network.create_network, network.undo_create_network
        ),
        "/NetworkDriver.DeleteNetwork": Route(wire.NetworkIds.read, network.delete_network),
        "/NetworkDriver.CreateEndpoint": Route(
            wire.CreateEndpoint.read, network.create_endpoint, network.undo_create_endpoint
        ),
        "/NetworkDriver.EndpointOperInfo": Route(wire.EndpointIds.read, network.endpoint_oper_info),
        # The kernel takes its time to remove a link, 16 to 24 ms.
        "/NetworkDriver.DeleteEndpoint": Route(
            wire.EndpointIds.read, network.delete_endpoint, waits=True
        ),
        "/NetworkDriver.Join": Route(wire.Join.read, network.join, network.undo_join),
        "/NetworkDriver.Leave": Route(wire.EndpointIds.read, network.leave),
        "/NetworkDriver.ProgramExternalConnectivity": Route(wire.EndpointIds.read, network.nothing),
        "/NetworkDriver.RevokeExternalConnectivity": Route(wire.EndpointIds.read, network.nothing),
        "/NetworkDriver.DiscoverNew": nothing,
        "/NetworkDriver.DiscoverDelete": nothing,
        "/IpamDriver.GetCapabilities": Route(plain, ipam.get_capabilities, may_be_empty=True),
        "/IpamDriver.GetDefaultAddressSpaces": Route(
            plain, ipam.get_default_address_spaces, may_be_empty=True
        ),
        "/IpamDriver.RequestPool": Route(
            wire.RequestPool.read, ipam.request_pool, ipam.undo_request_pool
        ),
        "/IpamDriver.ReleasePool": Route(wire.ReleasePool.read, ipam.release_pool),
        "/IpamDriver.RequestAddress": Route(
            wire.RequestAddress.read,
            ipam.request_address,
            ipam.undo_request_address,
            longer=asking,
        ),
        "/IpamDriver.ReleaseAddress": Route(wire.ReleaseAddress.read, ipam.release_address),
    }
