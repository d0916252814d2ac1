"""DDS: configurations that keep Cyclone DDS and Fast DDS on one interface, with given peers.

Sources: Cyclone DDS, "Configuration guide"; Fast DDS, "XML profiles" and "Disabling multicast".
"""

from __future__ import annotations

from collections.abc import Sequence

from netaddr import IPAddress

#: How many processes with nodes of their own a container may have, to be found by unicast: each
#: has a port, and all of them are asked. rmw_cyclonedds and rmw_fastrtps take as many.
PARTICIPANTS = 32

#: Distributions whose Cyclone DDS (before 0.9) refuses an element that it does not know.
_BEFORE_INTERFACES = ("eloquent", "foxy", "galactic")


def cyclone(
    address: IPAddress, *, peers: Sequence[IPAddress] | None = None, distro: str = ""
) -> str:
    """A value for CYCLONEDDS_URI: the configuration itself, no file. With `peers` there is no
    multicast; their list should have `address` too, for other processes of the same container."""
    if distro in _BEFORE_INTERFACES:
        interface = f"<NetworkInterfaceAddress>{address}</NetworkInterfaceAddress>"
    else:
        interface = f'<Interfaces><NetworkInterface address="{address}"/></Interfaces>'
    transport = "<Transport>udp6</Transport>" if address.version == 6 else ""
    general = transport + interface
    discovery = ""
    if peers is not None:
        general += "<AllowMulticast>false</AllowMulticast>"
        named = "".join(f'<Peer Address="{peer}"/>' for peer in peers)
        discovery = (
            "<Discovery><ParticipantIndex>auto</ParticipantIndex>"
            f"<MaxAutoParticipantIndex>{PARTICIPANTS}</MaxAutoParticipantIndex>"
            f"<Peers>{named}</Peers></Discovery>"
        )
    domain = f'<Domain Id="any"><General>{general}</General>{discovery}</Domain>'
    return f"<CycloneDDS>{domain}</CycloneDDS>"


def fast(address: IPAddress, *, peers: Sequence[IPAddress] | None = None) -> str:
    """A profile for Fast DDS, which reads it from a file. With `peers` there is no multicast."""
    family = "udpv6" if address.version == 6 else "udpv4"
    transport = "UDPv6" if address.version == 6 else "UDPv4"
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<profiles xmlns="http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles">
  <transport_descriptors>
    <transport_descriptor>
      <transport_id>lan</transport_id>
      <type>{transport}</type>
      <interfaceWhiteList>
        <address>{address}</address>
      </interfaceWhiteList>
      <maxInitialPeersRange>{PARTICIPANTS}</maxInitialPeersRange>
    </transport_descriptor>
    <transport_descriptor>
      <transport_id>memory</transport_id>
      <type>SHM</type>
    </transport_descriptor>
  </transport_descriptors>
  <participant profile_name="macvlan_ros" is_default_profile="true">
    <rtps>
      <userTransports>
        <transport_id>memory</transport_id>
        <transport_id>lan</transport_id>
      </userTransports>
      <useBuiltinTransports>false</useBuiltinTransports>
{_builtin(family, address, peers)}    </rtps>
  </participant>
</profiles>
"""


def _builtin(family: str, address: IPAddress, peers: Sequence[IPAddress] | None) -> str:
    if peers is None:
        return ""
    # a unicast locator of one's own takes the place of the multicast one; the port is the usual
    own = _locator(family, address)
    others = "".join(_locator(family, peer) for peer in peers)
    return f"""      <builtin>
        <metatrafficUnicastLocatorList>
{own}        </metatrafficUnicastLocatorList>
        <initialPeersList>
{others}        </initialPeersList>
      </builtin>
"""


def _locator(family: str, address: IPAddress) -> str:
    place = f"<{family}><address>{address}</address></{family}>"
    return f"          <locator>{place}</locator>\n"
