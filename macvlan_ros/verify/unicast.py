"""Unicast: whether ROS 2 nodes that know one another by address can find each other so.

Ports are those of DDSI-RTPS 2.2, section 9.6.1.1, with the usual parameters.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

from netaddr import IPAddress

from macvlan_ros.ros import Graph
from macvlan_ros.ros.dds import PARTICIPANTS
from macvlan_ros.values import dataclass
from macvlan_ros.verify import culprits, datagrams, told
from macvlan_ros.verify.check import BAD, OK, Check
from macvlan_ros.verify.datagrams import ANSWERED, REFUSED, SILENT
from macvlan_ros.verify.place import Place, Vantage
from macvlan_ros.verify.told import Told

_FIRST, _EACH_DOMAIN, _EACH_NODE = 7410, 250, 2
#: Of a container that cannot be entered so many ports are asked: most likely nobody has them.
_ASKED = 3

TELL = "macvlan-ros launch; where only the entrypoint sets ROS up, with x-macvlan-ros: {ros: 2}"

_States = Mapping[datagrams.Question, str]


@dataclass(frozen=True, slots=True)
class _Peer:
    """A place that may have ROS 2 nodes, its address, and the ports where these are looked for."""

    place: Place
    address: IPAddress
    ports: Sequence[int]


def examine(
    inside: Sequence[Vantage], places: Sequence[Place], graph: Graph, *, until: float
) -> list[Check]:
    """Whether each of those that can be looked from knows and reaches each of the places."""
    peers = {
        one.name: _Peer(one, address, ports(_domain(one, graph)))
        for one in places
        if (address := one.at(graph.version)) is not None
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
    found = []
    for source in inside:
        known = told.of(source.place)
        for name, peer in peers.items():
            if name != source.name:
                untold = _untold(source, peer, known)
                reached = _reached(source, peer, asked[name], states, heard=name in ears)
                found.append(untold or reached)
    return found


def ports(domain: int) -> list[int]:
    """Where the nodes of a container are looked for by unicast, the first one's port first."""
    first = _FIRST + _EACH_DOMAIN * domain
    return [first + _EACH_NODE * number for number in range(PARTICIPANTS)]


def _domain(place: Place, graph: Graph) -> int:
    said = graph.domain or culprits.environment(place.pid).get("ROS_DOMAIN_ID", "")
    return int(said) if said.isdecimal() and len(said) < 4 else 0


def _asked(peer: _Peer, ear: int | None) -> Sequence[int]:
    """Our own port where we listen, else the last ones, and the first, which tells of a node."""
    return [ear] if ear is not None else [*peer.ports[-_ASKED:], peer.ports[0]]


def _untold(source: Vantage, peer: _Peer, known: Told) -> Check | None:
    """That it does not know of the peer, if so; what is wrong with all it was told is said once."""
    version = peer.address.version
    if known.broken or not known.is_known or known.names(peer.place, version):
        return None
    if peer.place.pid and told.of(peer.place).names(source.place, version):
        return None  # nodes find one another when one of the two knows the other
    text = f"its configuration does not name {peer.address}"
    return Check("discovery", source.name, peer.place.name, BAD, text, TELL)


def _reached(
    source: Vantage, peer: _Peer, asked: Sequence[int], states: _States, *, heard: bool
) -> Check:
    about = partial(Check, "discovery", source.name, peer.place.name)
    of = {port: states[source.name, peer.address, port] for port in asked}
    first, last = peer.ports[0], peer.ports[-1]
    if ANSWERED not in of.values() if heard else set(of.values()) == {SILENT}:
        return about(
            BAD,
            f"UDP ports {first} to {last}, where ROS 2 looks for its peers, are not reached",
            f"a firewall is in the way: open them on {peer.place.host or peer.place.name}",
        )
    alone = not _listens(peer) if heard else of[first] == REFUSED
    return about(OK, "no node listens there yet" if alone else f"UDP {first} to {last}")


def _listens(peer: _Peer) -> bool:
    """Whether a process in that container has one of the ports; where it is not known, yes."""
    found: set[int] = set()
    for table in ("udp", "udp6"):
        with suppress(OSError):
            lines = Path(f"/proc/{peer.place.pid}/net/{table}").read_text().splitlines()[1:]
            found |= {int(line.split()[1].rpartition(":")[2], 16) for line in lines}
    return bool(found & set(peer.ports))
