"""Asking nodes: whether each one answers at what it registered, and as who, from every place."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field

from netaddr import IPAddress

from macvlan_ros.values import dataclass
from macvlan_ros.verify import rpc
from macvlan_ros.verify.converse import Call, converse
from macvlan_ros.verify.graph import Node
from macvlan_ros.verify.place import Vantage
from macvlan_ros.verify.resolving import Meanings
from macvlan_ros.verify.rpc import Answer

_PATIENCE = 3.0
#: Questions that are asked of nodes that may all be dead, each from every place.
_MANY = 1000

Question = tuple[Vantage, Node, str]


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard of one node: by the place's name, its answer to getPid and the address that
    its name has there (None when it has none).

    `stranger` says how what answers differs from what is registered, "" when it does not.
    """

    node: Node
    answers: Mapping[str, Answer] = field(default_factory=dict)
    addresses: Mapping[str, IPAddress | None] = field(default_factory=dict)
    stranger: str = ""

    def answered(self) -> list[str]:
        """The places that it answered."""
        return [name for name, answer in self.answers.items() if not answer.problem]


def ask_all(
    nodes: Sequence[Node],
    vantages: Sequence[Vantage],
    meanings: Mapping[str, Meanings],
    *,
    until: float,
) -> list[Heard]:
    """Ask every node for its pid, from every place: a node that answers from none of the first
    places, or that hangs, is not asked from the others when these are many."""
    known = [node for node in nodes if not node.uri.problem]
    few = len(known) * len(vantages) <= _MANY
    scouts = vantages if few else vantages[:2]
    answers: dict[str, dict[str, Answer]] = {node.name: {} for node in nodes}
    _ask(_questions(scouts, known), answers, meanings, until)
    alive = [node for node in known if any(not one.problem for one in answers[node.name].values())]
    if not few:
        _ask(_questions(vantages[2:], alive), answers, meanings, until)
    strangers = _compare(alive, answers, vantages, meanings, until)
    return [
        Heard(
            node,
            answers[node.name],
            {one.name: _address(node, meanings[one.name]) for one in vantages},
            strangers.get(node.name, ""),
        )
        for node in nodes
    ]


def _questions(vantages: Iterable[Vantage], nodes: Sequence[Node]) -> list[Question]:
    return [(one, node, "getPid") for one in vantages for node in nodes]


def _ask(
    questions: Sequence[Question],
    answers: dict[str, dict[str, Answer]],
    meanings: Mapping[str, Meanings],
    until: float,
) -> None:
    for (source, node, _), answer in _put(questions, meanings, until):
        answers[node.name][source.name] = answer


def _put(
    questions: Sequence[Question], meanings: Mapping[str, Meanings], until: float
) -> list[tuple[Question, Answer]]:
    """Ask what can be asked: a name without an address there cannot."""
    possible: list[Question] = []
    calls: list[Call] = []
    for source, node, method in questions:
        address = _address(node, meanings[source.name])
        if address is not None:
            possible.append((source, node, method))
            request = rpc.question(node.uri, method)
            calls.append(Call(source, str(address), node.uri.port, request))
    end = min(until, time.monotonic() + 2 * _PATIENCE)
    replies = converse(calls, patience=_PATIENCE, until=end, is_whole=rpc.is_whole)
    return [(one, rpc.read(reply)) for one, reply in zip(possible, replies, strict=True)]


def _address(node: Node, meanings: Meanings) -> IPAddress | None:
    found = meanings.get(node.uri.host, ())
    return found[0] if found else None


def _compare(
    alive: Sequence[Node],
    answers: Mapping[str, Mapping[str, Answer]],
    vantages: Sequence[Vantage],
    meanings: Mapping[str, Meanings],
    until: float,
) -> dict[str, str]:
    """Which nodes answer as another: with another pid elsewhere, or with other topics.

    A node may have changed since the master was asked, so topics that are missing count only when
    none of the registered ones is there.
    """
    by_name = {one.name: one for one in vantages}
    found: dict[str, str] = {}
    questions: list[Question] = []
    for node in alive:
        heard = {name: one.value for name, one in answers[node.name].items() if not one.problem}
        if len({str(pid) for pid in heard.values()}) > 1:
            said = ", ".join(f"{pid} to {name}" for name, pid in heard.items())
            found[node.name] = f"different processes answer (pid {said})"
        first = by_name[next(iter(heard))]
        questions += [(first, node, method) for method in ("getPublications", "getSubscriptions")]
    topics: dict[str, set[str]] = {}
    for (_, node, _), answer in _put(questions, meanings, until):
        if answer.problem:
            found.setdefault(node.name, f"it does not answer as a node: {rpc.why(answer)}")
        topics.setdefault(node.name, set()).update(_topics(answer.value))
    for node in alive:
        registered = node.publishes | node.subscribes
        if registered and not registered & topics.get(node.name, set()):
            found.setdefault(
                node.name,
                "another node answers: it has none of the topics registered, such as "
                f"{min(registered)}",
            )
    return found


def _topics(value: object) -> set[str]:
    if not isinstance(value, list):
        return set()
    return {str(entry[0]) for entry in value if isinstance(entry, list) and entry}
