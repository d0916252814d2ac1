"""Discovery: whether a stack's ROS 2 nodes can find one another in the way that its file says,
where that is not multicast, and whether what they are told makes sense.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from functools import partial

from netaddr import IPAddress

from macvlan_ros.ros import Graph
from macvlan_ros.verify import agreement, culprits, datagrams, told, unicast
from macvlan_ros.verify.check import BAD, OK, Check
from macvlan_ros.verify.converse import Call, converse
from macvlan_ros.verify.datagrams import REFUSED, SILENT
from macvlan_ros.verify.place import Place, Vantage

_PATIENCE = 2.0
_MEND = (
    "mend or take out what the stack file or the image says there, so that macvlan-ros launch can"
    " write its own"
)
#: Variables by which a container is told of a server, of a router.
_OF = {
    "server": ("ROS_DISCOVERY_SERVER",),
    "router": ("ZENOH_CONFIG_OVERRIDE", "ZENOH_SESSION_CONFIG_URI"),
}


def examine(
    vantages: Sequence[Vantage], places: Sequence[Place], graph: Graph, *, until: float
) -> list[Check]:
    """The checks of the stack's `discovery`; none of multicast, which `pairs` looks at."""
    inside = [one for one in vantages if not one.is_host and _may_speak(one.place)]
    there = [one for one in places if _may_speak(one)]
    found = agreement.examine(there, graph)
    found += [check for one in inside for check in _broken(one)]
    if graph.kind == "unicast":
        return found + unicast.examine(inside, there, graph, until=until)
    if graph.kind not in _OF:
        return found
    guests = [one for one in inside if one.name != graph.owner]
    aware = [one for one in guests if _is_told(one.place, graph.kind)]
    found += [_untold(one, graph) for one in guests if one not in aware]
    if graph.kind == "router":
        return found + _router(aware, graph, until)
    found += _server([one for one in aware if not _has_cyclone(one.place)], graph, until)
    # Cyclone DDS knows no server, and so has its peers by address
    alike = [one for one in there if not one.pid or _has_cyclone(one)]
    return found + unicast.examine(
        [one for one in inside if _has_cyclone(one.place)], alike, graph, until=until
    )


def _broken(one: Vantage) -> Iterator[Check]:
    """What is wrong with the configurations that a container has, whatever they are for."""
    for text in told.of(one.place).broken:
        yield Check("discovery", one.name, "its peers", BAD, text, _MEND)


def _is_told(place: Place, kind: str) -> bool:
    """Whether a container was told of a server or router at all; also where that is not known."""
    variables = culprits.environment(place.pid)
    middleware = variables.get("RMW_IMPLEMENTATION", "")
    minds = "fastrtps" if kind == "server" else "zenoh"
    if minds not in middleware:
        return True  # another middleware has its own ways
    return any(variables.get(name) for name in _OF[kind])


def _untold(guest: Vantage, graph: Graph) -> Check:
    text = f"its {_OF[graph.kind][0]} does not name {graph.meeting}"
    return Check("discovery", guest.name, graph.owner or graph.meeting, BAD, text, unicast.TELL)


def _has_cyclone(place: Place) -> bool:
    return "cyclone" in culprits.environment(place.pid).get("RMW_IMPLEMENTATION", "")


def _may_speak(place: Place) -> bool:
    """Whether it may have ROS 2 nodes: where nothing tells, in what cannot be looked into."""
    return place.ros == "2" or not (place.ros or place.pid)


def _server(guests: Sequence[Vantage], graph: Graph, until: float) -> list[Check]:
    """Fast DDS's server says nothing to strangers. Where the port beside it is refused, the way is
    open, and so its silence tells that it is there."""
    address, port = _apart(graph.meeting)
    beside = port + 1 if port < 65535 else port - 1
    states = datagrams.ask(
        {one: [(address, port), (address, beside)] for one in guests}, until=until
    )
    found = []
    for one in guests:
        about = partial(Check, "discovery", one.name, graph.owner or str(address))
        if states[one.name, address, port] == REFUSED:
            found.append(
                about(BAD, f"no discovery server listens at {graph.meeting}", _start(graph))
            )
        elif states[one.name, address, beside] == SILENT:
            text = f"UDP port {port} of {address}, the discovery server's, is not reached"
            found.append(about(BAD, text, "does it run? Else open the port in its PC's firewall"))
        else:
            found.append(about(OK, f"a discovery server is at {graph.meeting}"))
    return found


def _router(guests: Sequence[Vantage], graph: Graph, until: float) -> list[Check]:
    address, port = _apart(graph.meeting)
    calls = [Call(one, str(address), port) for one in guests]
    found = []
    for one, reply in zip(guests, converse(calls, patience=_PATIENCE, until=until), strict=True):
        about = partial(Check, "discovery", one.name, graph.owner or str(address))
        if reply.code == 0:
            found.append(about(OK, f"a router is at {graph.meeting}"))
        elif reply.code == errno.ECONNREFUSED:
            found.append(about(BAD, f"no router listens at {graph.meeting}", _start(graph)))
        else:
            text = f"TCP port {port} of {address}, the router's, does not open"
            found.append(about(BAD, text, "does it run? Else open the port in its PC's firewall"))
    return found


def _start(graph: Graph) -> str:
    command = (
        f"fastdds discovery -i 0 -p {_apart(graph.meeting)[1]}"
        if graph.kind == "server"
        else "ros2 run rmw_zenoh_cpp rmw_zenohd"
    )
    return f"start it{f' in {graph.owner!r}' if graph.owner else ' there'}: {command}"


def _apart(meeting: str) -> tuple[IPAddress, int]:
    address, _, port = meeting.rpartition(":")
    return IPAddress(address.strip("[]")), int(port)
