"""ROS 2: the variables and files with which the nodes of a stack find one another on the LAN.

Pure. Sources: docs.ros.org, "Improved Dynamic Discovery" and "The ROS_DOMAIN_ID"; the READMEs of
rmw_cyclonedds, rmw_fastrtps and rmw_zenoh.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netaddr import AddrFormatError, IPAddress

from macvlan_ros.models.containers import Service
from macvlan_ros.models.stacks import Discovery, Stack
from macvlan_ros.ros import dds
from macvlan_ros.ros.draft import Draft, bracketed
from macvlan_ros.ros.places import address_of
from macvlan_ros.values import dataclass

#: Distributions of ROS 1 that images of today may still have; what else has a name is ROS 2.
_ROS1 = ("hydro", "indigo", "jade", "kinetic", "lunar", "melodic", "noetic", "one", "debian")
#: Distributions of ROS 2 before ROS_STATIC_PEERS, which came with Iron.
_BEFORE_PEERS = (
    *("ardent", "bouncy", "crystal", "dashing", "eloquent", "foxy", "galactic", "humble"),
)
#: Domains whose ports lie where Linux takes those of outgoing connections from.
_EPHEMERAL = range(102, 215)

#: Where a container finds Fast DDS's profile.
PROFILE = "/etc/macvlan-ros/fastdds.xml"


@dataclass(frozen=True, slots=True)
class Graph:
    """What the ROS 2 nodes of a stack have in common.

    `domain` "" leaves each its own. `peers` are the addresses of all containers and PCs that may
    have nodes, as far as they are known, `owner` the service that is the discovery server or the
    router itself ("" when no service is), `meeting` that one's address and port. `version` is that
    of the IP that ROS speaks.
    """

    domain: str = ""
    kind: str = "multicast"
    peers: tuple[IPAddress, ...] = ()
    owner: str = ""
    meeting: str = ""
    version: int = 4


ALONE = Graph()


def version(service: Service, image: Mapping[str, str]) -> str:
    """ "1", "2" or "none": what the stack says, else what the image is made for, else "1"."""
    return service.ros or told({**image, **service.environment}) or "1"


def told(variables: Mapping[str, str]) -> str:
    """ "1" or "2", as an environment's ROS_VERSION or ROS_DISTRO has it, else RMW_IMPLEMENTATION,
    which ROS 1 has not; "" without any."""
    if variables.get("ROS_VERSION") in ("1", "2"):
        return variables["ROS_VERSION"]
    distro = variables.get("ROS_DISTRO", "").lower()
    if distro:
        return "1" if distro in _ROS1 else "2"
    return "2" if variables.get("RMW_IMPLEMENTATION") else ""


def graph(
    stack: Stack, addresses: Mapping[str, IPAddress], hosts: Mapping[str, IPAddress]
) -> Graph:
    """What the stack says about ROS 2. `addresses` are the services' by name, `hosts` the PCs'.

    Raises StackFileError when the discovery server's or router's address is not known.
    """
    nodes = {
        addresses[one.name]
        for one in stack.services.values()
        if one.name in addresses and one.ros in ("", "2")
    }
    wanted = stack.discovery
    meeting = ""
    if wanted.place:
        there = _meeting_place(stack, wanted, addresses, hosts)
        meeting = f"{bracketed(there)}:{wanted.port}"
    return Graph(
        domain=_domain(stack),
        kind=wanted.kind,
        peers=tuple(sorted(nodes | set(hosts.values()))),
        owner=wanted.place if wanted.place in stack.services else "",
        meeting=meeting,
        version=6 if stack.ros_over == "ipv6" else 4,
    )


def _domain(stack: Stack) -> str:
    """The one that the stack says, or the only one that services say."""
    if stack.domain is not None:
        return str(stack.domain)
    said = {one.environment.get("ROS_DOMAIN_ID", "") for one in stack.services.values()} - {""}
    return said.pop() if len(said) == 1 else ""


def _meeting_place(
    stack: Stack,
    wanted: Discovery,
    addresses: Mapping[str, IPAddress],
    hosts: Mapping[str, IPAddress],
) -> IPAddress:
    if wanted.place not in stack.services:
        try:
            return IPAddress(wanted.place)
        except (AddrFormatError, ValueError):
            pass
    what = f"the discovery {wanted.kind}"
    return address_of(stack, wanted.place, what, addresses=addresses, hosts=hosts)


def prepare(draft: Draft, *, address: IPAddress, graph: Graph, hybrid: bool) -> None:
    """Set a service up for ROS 2 at `address`; `hybrid` says that it has other networks too."""
    _set_domain(draft, graph)
    middleware = draft.said("RMW_IMPLEMENTATION") or ""
    if middleware == "rmw_zenoh_cpp":
        _set_zenoh(draft, address, graph)
        return
    served = graph.kind == "server" and "cyclone" not in middleware
    if served:
        draft.variables["ROS_DISCOVERY_SERVER"] = graph.meeting
    else:
        _set_peers(draft, [peer for peer in graph.peers if peer != address], graph)
    unicast = graph.kind == "unicast" or (graph.kind == "server" and not served)
    # of its own accord DDS speaks IPv4
    if unicast or hybrid or graph.version == 6:
        peers = list(graph.peers) if unicast else None
        _set_profiles(draft, middleware, address, peers)


def _set_domain(draft: Draft, graph: Graph) -> None:
    said = draft.said("ROS_DOMAIN_ID")
    if graph.domain:
        if said and said != graph.domain:
            draft.note(f"ROS_DOMAIN_ID={said} is replaced by the stack's domain {graph.domain}")
        draft.variables["ROS_DOMAIN_ID"] = said = graph.domain
    if said and said.isdecimal() and int(said) in _EPHEMERAL:
        draft.note(
            f"ROS_DOMAIN_ID={said} uses ports that Linux also gives to outgoing connections; 0 to"
            " 101 are free of that"
        )


def leave_the_host(draft: Draft) -> None:
    """Take out what keeps nodes from looking beyond their own container. To ROS 1 it says nothing,
    and not every image tells which ROS it has."""
    if draft.said("ROS_LOCALHOST_ONLY") == "1":
        draft.note("ROS_LOCALHOST_ONLY=1 is removed, for with it no other container is heard")
        draft.remove("ROS_LOCALHOST_ONLY")


def _set_peers(draft: Draft, others: Sequence[IPAddress], graph: Graph) -> None:
    """What Iron and later take from the environment, whatever the middleware."""
    if (draft.said("ROS_DISTRO") or "").lower() in _BEFORE_PEERS:
        return
    reach = "LOCALHOST" if graph.kind in ("unicast", "server") else "SUBNET"
    said = draft.variables.get("ROS_AUTOMATIC_DISCOVERY_RANGE")
    if said and said != reach:
        draft.note(f"ROS_AUTOMATIC_DISCOVERY_RANGE={said} is kept, where {reach} would be set")
    else:
        draft.variables["ROS_AUTOMATIC_DISCOVERY_RANGE"] = reach
    own = [peer for peer in (draft.variables.get("ROS_STATIC_PEERS") or "").split(";") if peer]
    peers = dict.fromkeys([*own, *(str(peer) for peer in others)])
    if peers:
        draft.variables["ROS_STATIC_PEERS"] = ";".join(peers)


def _set_profiles(
    draft: Draft, middleware: str, address: IPAddress, peers: Sequence[IPAddress] | None
) -> None:
    """Configurations of the middleware that it has; of both, where that is not said."""
    if middleware and "cyclone" not in middleware and "fastrtps" not in middleware:
        draft.note(f"for {middleware} no configuration is made; its discovery is its own")
        return
    distro = (draft.said("ROS_DISTRO") or "").lower()
    if "fastrtps" not in middleware and _is_free(draft, "CYCLONEDDS_URI"):
        config = dds.cyclone(address, peers=peers, distro=distro)
        draft.variables["CYCLONEDDS_URI"] = config
    names = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
    if "cyclone" in middleware or not all(_is_free(draft, name) for name in names):
        return
    if draft.read_only:
        draft.note("has no place for a profile of Fast DDS, because it is read_only")
    else:
        draft.files[PROFILE] = dds.fast(address, peers=peers)
        # the first until Fast DDS 2, the second from 3 on
        draft.variables |= dict.fromkeys(names, PROFILE)


def _set_zenoh(draft: Draft, address: IPAddress, graph: Graph) -> None:
    """rmw_zenoh: nodes are clients of the stack's router; without one they find each other by
    zenoh's own multicast, which rmw_zenoh leaves switched off, and listen on the loopback alone."""
    if not _is_free(draft, "ZENOH_CONFIG_OVERRIDE"):
        return
    if graph.kind == "router":
        if graph.owner == draft.service:
            return  # the router's own container: its nodes find it on their loopback
        # a client looks for its router once, and ends, unless it is told to wait for it
        override = f'mode="client";connect/endpoints=["tcp/{graph.meeting}"];connect/timeout_ms=-1'
    elif graph.kind == "multicast":
        if graph.version == 6:
            draft.note(
                "rmw_zenoh finds no nodes by multicast over IPv6; name the service with its router"
                " at x-macvlan-ros: {discovery: {router: SERVICE}}"
            )
        override = (
            f'listen/endpoints=["tcp/{bracketed(address)}:0"];scouting/multicast/enabled=true;'
            f'scouting/multicast/interface="{address}"'
        )
        draft.variables.setdefault("ZENOH_ROUTER_CHECK_ATTEMPTS", "-1")
    else:
        draft.note(
            f"rmw_zenoh has no discovery by {graph.kind}; name the service with its router at"
            " x-macvlan-ros: {discovery: {router: SERVICE}}"
        )
        return
    draft.variables["ZENOH_CONFIG_OVERRIDE"] = override


def _is_free(draft: Draft, name: str) -> bool:
    """Whether the file says nothing of a variable. What the image says is for other networks."""
    said = draft.variables.get(name)
    if said:
        draft.note(f"{name} is left as the stack file has it")
    elif draft.image.get(name):
        draft.note(f"{name} of the image is replaced, for it does not know this LAN")
    return not said
