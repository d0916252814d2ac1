"""The ROS graph for the picture: what the master says, within a bound."""

from __future__ import annotations

import time
from contextlib import closing

from netaddr import IPAddress

from macvlan_ros.picture.scene import Graph
from macvlan_ros.verify import graph as graphs
from macvlan_ros.verify import resolving, rpc
from macvlan_ros.verify.names import as_address
from macvlan_ros.verify.place import Place, Vantage

#: Seconds that a master may take.
_PATIENCE = 3.0


def read_graph(uri: str) -> tuple[Graph, tuple[str, ...]]:
    """The graph of the master at `uri`, as this PC reaches it, and what went wrong, as notes."""
    parsed = rpc.parse_uri(uri)
    if parsed.problem:
        return Graph(), (f"the ROS master's URI {uri} {parsed.problem}",)
    until = time.monotonic() + _PATIENCE
    with closing(Vantage(Place(name="this PC", address=None))) as here:
        meaning = resolving.resolve(here, [parsed.host], until=until)[parsed.host]
        if not meaning:
            return Graph(), (f"the ROS master's name {parsed.host} does not resolve on this PC",)
        master = graphs.Master(parsed, here, str(meaning[0]))
        found = graphs.read_graph(master, until=until)
        hosts = {node.uri.host for node in found.nodes if node.uri.host}
        where = resolving.resolve(here, hosts, until=until)
    notes = (f"the ROS master {uri} was not read: {found.problem}",) if found.problem else ()
    return _graph(found, where), notes


def address_of(uri: str) -> IPAddress | None:
    """The master's address, as far as its URI says it."""
    return as_address(rpc.parse_uri(uri).host)


def _graph(found: graphs.Graph, where: resolving.Meanings) -> Graph:
    topics: dict[str, tuple[set[str], set[str]]] = {}
    for node in found.nodes:
        for topic in node.publishes:
            topics.setdefault(topic, (set(), set()))[0].add(node.name)
        for topic in node.subscribes:
            topics.setdefault(topic, (set(), set()))[1].add(node.name)
    nodes = {node.name: where[node.uri.host][0] for node in found.nodes if where.get(node.uri.host)}
    return Graph(topics, nodes)
