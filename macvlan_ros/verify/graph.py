"""The graph: what a ROS 1 master says about its nodes, read with patience for each answer.

What a master says comes from whoever registered with it, so every value is looked at before it is
used (wiki.ros.org, "ROS/Master_API").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from macvlan_ros.values import dataclass
from macvlan_ros.verify import rpc
from macvlan_ros.verify.converse import Call, converse
from macvlan_ros.verify.place import Vantage
from macvlan_ros.verify.rpc import Answer, Uri

_PATIENCE = 3.0

Registered = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Master:
    """A master as it is reached from one place: `address` is what its URI's host means there."""

    uri: Uri
    source: Vantage
    address: str

    def ask(
        self, questions: Sequence[tuple[str, tuple[Any, ...]]], *, until: float
    ) -> list[Answer]:
        """The answers to (method, parameters), in their order, asked side by side."""
        calls = [
            Call(
                self.source, self.address, self.uri.port, rpc.question(self.uri, name, *parameters)
            )
            for name, parameters in questions
        ]
        replies = converse(calls, patience=_PATIENCE, until=until, is_whole=rpc.is_whole)
        return [rpc.read(reply) for reply in replies]


@dataclass(frozen=True, slots=True)
class Node:
    """A node as it is registered: its URI, what it publishes and subscribes to, its services."""

    name: str
    uri: Uri
    publishes: frozenset[str] = frozenset()
    subscribes: frozenset[str] = frozenset()
    serves: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Graph:
    """All nodes, by name. `problem` says why there is no more of it, "" when it is whole."""

    nodes: tuple[Node, ...] = ()
    problem: str = ""
    unknown: tuple[str, ...] = field(default=())


def read_graph(master: Master, *, until: float) -> Graph:
    """All registered nodes with their URIs."""
    (state,) = master.ask([("getSystemState", ())], until=until)
    if state.problem:
        return Graph(problem=rpc.why(state))
    tables = _tables(state.value)
    if tables is None:
        return Graph(problem="it answers, but not as a ROS master does")
    names = sorted({node for table in tables for node in table})
    answers = master.ask([("lookupNode", (name,)) for name in names], until=until)
    nodes = []
    unknown = []
    for name, answer in zip(names, answers, strict=True):
        if answer.problem or not isinstance(answer.value, str):
            unknown.append(name)
            continue
        publishes, subscribes, serves = (table.get(name, frozenset()) for table in tables)
        nodes.append(Node(name, rpc.parse_uri(answer.value), publishes, subscribes, serves))
    late = any(answer.problem in ("late", "hangs", "silent") for answer in answers)
    problem = "the master did not answer all questions in time" if late else ""
    return Graph(tuple(nodes), problem, tuple(unknown))


def _tables(value: object) -> tuple[Registered, Registered, Registered] | None:
    """Publishers, subscribers and services: node -> what it has of it."""
    if not isinstance(value, list) or len(value) != 3:
        return None
    tables = []
    for part in value:
        if not isinstance(part, list):
            return None
        table: dict[str, set[str]] = {}
        for entry in part:
            if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[1], list):
                return None
            for node in entry[1]:
                table.setdefault(str(node), set()).add(str(entry[0]))
        tables.append({name: frozenset(held) for name, held in table.items()})
    return tables[0], tables[1], tables[2]


def unregister(master: Master, nodes: Sequence[Node], *, until: float) -> dict[str, bool]:
    """Take all registrations of these nodes out of the master, as `rosnode cleanup` does; by name,
    whether all went.

    The master lets go only of what is registered with the same URI: a node that has come back in
    the meantime keeps its own.
    """
    services = sorted({(node.name, service) for node in nodes for service in node.serves})
    answers = master.ask([("lookupService", (service,)) for _, service in services], until=until)
    questions: list[tuple[str, str, tuple[Any, ...]]] = []
    for (name, service), answer in zip(services, answers, strict=True):
        if not answer.problem:
            questions.append((name, "unregisterService", (service, answer.value)))
    for node in nodes:
        for topic in sorted(node.publishes):
            questions.append((node.name, "unregisterPublisher", (topic, node.uri.text)))
        for topic in sorted(node.subscribes):
            questions.append((node.name, "unregisterSubscriber", (topic, node.uri.text)))
    calls = [
        Call(
            master.source,
            master.address,
            master.uri.port,
            rpc.question(master.uri, method, *parameters, caller=name),
        )
        for name, method, parameters in questions
    ]
    replies = converse(calls, patience=_PATIENCE, until=until, is_whole=rpc.is_whole)
    gone = {node.name: True for node in nodes}
    for (name, _, _), reply in zip(questions, replies, strict=True):
        gone[name] = gone[name] and not rpc.read(reply).problem
    return gone
