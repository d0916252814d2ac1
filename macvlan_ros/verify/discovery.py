"""Discovery: whether a stack's ROS 2 nodes can find one another in the way that its file says,
where that is not multicast.

Ports are those of DDSI-RTPS 2.2, section 9.6.1.1, with the usual parameters.
"""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from netaddr import IPAddress

from macvlan_ros.ros import Graph
from macvlan_ros.ros.dds import PARTICIPANTS
from macvlan_ros.verify import culprits, datagrams
from macvlan_ros.verify.check import BAD, OK, Check
from macvlan_ros.verify.converse import Call, converse
from macvlan_ros.verify.datagrams import ANSWERED, REFUSED, SILENT
from macvlan_ros.verify.place import Place, Vantage

_PATIENCE = 2.0
_TELL = "macvlan-ros launch; where only the entrypoint sets ROS up, with x-macvlan-ros: {ros: 2}"
#: Variables by which a container is told of peers, of a server, of a router.
_OF_PEERS = ("CYCLONEDDS_URI", "ROS_STATIC_PEERS", "FASTRTPS_DEFAULT_PROFILES_FILE")
_OF = {
    "server": ("ROS_DISCOVERY_SERVER",),
    "router": ("ZENOH_CONFIG_OVERRIDE", "ZENOH_SESSION_CONFIG_URI"),
}
_FIRST, _EACH_DOMAIN, _EACH_NODE = 7410, 250, 2
#: Of a container that cannot be entered so many ports are asked: most likely nobody has them.
_ASKED = 3

_States = Mapping[datagrams.Question, str]


@dataclass(frozen=True, slots=True)
class _Peer:
    """A place that may have ROS 2 nodes, its address, and the ports where these are looked for."""

    place: Place
    address: IPAddress
    ports: Sequence[int]


def examine(
    vantages: Sequence[Vantage], places: Sequence[Place], graph: Graph, *, until: float
) -> list[Check]:
    """The checks of the stack's `discovery`; none of multicast, which `pairs` looks at."""
    inside = [one for one in vantages if not one.is_host and _may_speak(one.place)]
    if graph.kind == "unicast":
        return _unicast(inside, places, graph, until)
    if graph.kind not in _OF:
        return []
    guests = [one for one in inside if one.name != graph.owner]
    told = [one for one in guests if _is_told(one.place, graph.kind)]
    found = [_untold(one, graph) for one in guests if one not in told]
    if graph.kind == "router":
        return found + _router(told, graph, until)
    return found + _server([one for one in told if not _has_cyclone(one.place)], graph, until)


def ports(domain: int) -> list[int]:
    """Where the nodes of a container are looked for by unicast, the first one's port first."""
    first = _FIRST + _EACH_DOMAIN * domain
    return [first + _EACH_NODE * number for number in range(PARTICIPANTS)]


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
    return Check("discovery", guest.name, graph.owner or graph.meeting, BAD, text, _TELL)


def _has_cyclone(place: Place) -> bool:
    """Cyclone DDS knows no discovery server."""
    return "cyclone" in culprits.environment(place.pid).get("RMW_IMPLEMENTATION", "")


def _may_speak(place: Place) -> bool:
    """Whether it may have ROS 2 nodes: where nothing tells, in what cannot be looked into."""
    return place.ros == "2" or not (place.ros or place.pid)


def _unicast(
    inside: Sequence[Vantage], places: Sequence[Place], graph: Graph, until: float
) -> list[Check]:
    peers = {
        one.name: _Peer(one, address, ports(_domain(one, graph)))
        for one in places
        if _may_speak(one) and (address := one.at(graph.version)) is not None
    }
    with ExitStack() as open_sockets:
        ears: dict[str, socket.socket] = {}
        for one in inside:
            if (peer := peers.get(one.name)) is not None:
                with suppress(OSError):
                    made = datagrams.ear(one, peer.address, peer.ports[::-1])
                    ears[one.name] = open_sockets.enter_context(made)
        open_at = {name: made.getsockname()[1] for name, made in ears.items()}
        asked = {name: _asked(peer, open_at.get(name)) for name, peer in peers.items()}
        states = datagrams.ask(
            {
                source: [
                    (peer.address, port)
                    for name, peer in peers.items()
                    if name != source.name
                    for port in asked[name]
                ]
                for source in inside
            },
            ears=list(ears.values()),
            until=until,
        )
    return [
        check
        for source in inside
        for name, peer in peers.items()
        if name != source.name
        for check in _judge(source, peer, asked[name], states, heard=name in ears)
    ]


def _domain(place: Place, graph: Graph) -> int:
    said = graph.domain or culprits.environment(place.pid).get("ROS_DOMAIN_ID", "")
    return int(said) if said.isdecimal() and len(said) < 4 else 0


def _asked(peer: _Peer, ear: int | None) -> Sequence[int]:
    """Our own port where we listen, else the last ones, and the first, which tells of a node."""
    return [ear] if ear is not None else [*peer.ports[-_ASKED:], peer.ports[0]]


def _judge(
    source: Vantage, peer: _Peer, asked: Sequence[int], states: _States, *, heard: bool
) -> Iterator[Check]:
    about = partial(Check, "discovery", source.name, peer.place.name)
    of = {port: states[source.name, peer.address, port] for port in asked}
    first, last = peer.ports[0], peer.ports[-1]
    told = _told(source.place)
    if told is not None and not names(told, peer.address):
        yield about(
            BAD,
            f"its configuration does not name {peer.address}",
            _TELL,
        )
    elif ANSWERED not in of.values() if heard else set(of.values()) == {SILENT}:
        yield about(
            BAD,
            f"UDP ports {first} to {last}, where ROS 2 looks for its peers, are not reached",
            f"a firewall is in the way: open them on {peer.place.host or peer.place.name}",
        )
    else:
        alone = not _listens(peer) if heard else of[first] == REFUSED
        yield about(OK, "no node listens there yet" if alone else f"UDP {first} to {last}")


def _told(place: Place) -> str | None:
    """The peers that a container was told of, in the text that has them; None where that is none
    of ours, or in a file."""
    variables = culprits.environment(place.pid)
    if variables and not any(variables.get(name) for name in _OF_PEERS):
        return ""
    config = variables.get("CYCLONEDDS_URI", "")
    peers = variables.get("ROS_STATIC_PEERS", "")
    return f"{config} {peers}" if peers or "<Peer " in config else None


def names(text: str, address: IPAddress) -> bool:
    """Whether that very address is in the text of a configuration."""
    return re.search(rf"(?<![\w.:]){re.escape(str(address))}(?![\w.:])", text) is not None


def _listens(peer: _Peer) -> bool:
    """Whether a process in that container has one of the ports; where it is not known, yes."""
    found: set[int] = set()
    for table in ("udp", "udp6"):
        with suppress(OSError):
            lines = Path(f"/proc/{peer.place.pid}/net/{table}").read_text().splitlines()[1:]
            found |= {int(line.split()[1].rpartition(":")[2], 16) for line in lines}
    return bool(found & set(peer.ports))


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
