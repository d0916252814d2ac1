"""Nodes: what is wrong with each registration, why, and what to do. Pure.

A registration that nobody can be behind any more is stale: it can go. Where somebody may yet be,
behind a name or an address that others cannot use, taking it away would not help.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from netaddr import IPAddress

from macvlan_ros.values import dataclass
from macvlan_ros.verify import culprits, rpc
from macvlan_ros.verify.asking import Heard
from macvlan_ros.verify.check import BAD, OK, WARNING, Check
from macvlan_ros.verify.culprits import Culprit
from macvlan_ros.verify.place import Place
from macvlan_ros.verify.rpc import Answer

#: Seconds after which an answer is called slow: people see it wait.
_SLOW = 1.0
_SHOWN = 3
_CLEAN = "macvlan-ros verify --clean"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known beside the answers: who is where, which processes listen on which port, which
    of the places is this PC, and whether it and its own containers reach each other; `gone` are ids
    of containers that no PC of the stack has any more."""

    places: Sequence[Place]
    listeners: Mapping[int, Sequence[Culprit]]
    here: str
    shim: bool = True
    gone: Collection[str] = ()

    def at(self, address: IPAddress | None) -> Place | None:
        """Whose address it is."""
        return next(
            (one for one in self.places if address and address in (one.address, one.address6)), None
        )

    def called(self, name: str) -> Place | None:
        """Whom the stack calls so."""
        return next((one for one in self.places if name in one.names), None)


def judge(heard: Heard, around: Surroundings) -> Check:
    """The check of one node."""
    node = heard.node
    failed = {name: answer for name, answer in _answers(heard).items() if answer.problem}
    culprit = culprits.find(node.uri.host, around.listeners.get(node.uri.port, ()))
    if node.uri.problem:
        return _check(
            heard,
            "node",
            f"it {node.uri.problem}",
            "start it again with a ROS 1 client library, or let go of it: rosnode kill",
        )
    if _is_loopback(heard):
        why = "that is a loopback address, so nobody but itself reaches it"
        return _blamed(heard, list(heard.addresses), why, culprit, around)
    if heard.stranger:
        return _check(heard, "node", heard.stranger, f"start {node.name} again; then {_CLEAN}")
    if not failed:
        return _good(heard)
    if len(failed) == len(heard.addresses):
        return _unanswered(heard, failed, culprit, around)
    return _partly(heard, failed, culprit, around)


def _answers(heard: Heard) -> dict[str, Answer]:
    """By place; a place where the name means nothing has an answer, too."""
    return {
        name: heard.answers.get(name, Answer("late" if address else "unresolved"))
        for name, address in heard.addresses.items()
        if name in heard.answers or address is None or not heard.answered()
    }


def _is_loopback(heard: Heard) -> bool:
    """Whether what it registered means the loopback everywhere."""
    found = list(heard.addresses.values())
    return bool(found) and all(one is not None and one.is_loopback() for one in found)


def _good(heard: Heard) -> Check:
    slowest = max((one.seconds for one in heard.answers.values()), default=0.0)
    count = len(heard.answered())
    slow = slowest > _SLOW
    return Check(
        "node",
        next(iter(heard.answers)) if count == 1 else f"{count} places",
        heard.node.name,
        WARNING if slow else OK,
        f"{heard.node.uri.text} answers" + (f" after {slowest:.1f} s only" if slow else ""),
        "look at its container: is it out of CPU? docker stats" if slow else "",
        round(slowest * 1000, 2),
    )


def _unanswered(
    heard: Heard, failed: Mapping[str, Answer], culprit: Culprit | None, around: Surroundings
) -> Check:
    """It answers nowhere."""
    uri = heard.node.uri
    if all(one.problem == "late" for one in failed.values()):
        return _check(heard, "node", "there was no time left to ask", "ask again", level=WARNING)
    problems = {one.problem for one in failed.values()}
    if problems == {"unresolved"}:
        text = f"the name {uri.host} does not resolve {_where(failed, around)}"
        gone = around.called(uri.host)
        if culprit is None and gone is not None and _is_down(gone, around):
            return _stale(heard, f"{text}; '{gone.name}' does not run")
        if culprit is None and uri.host in around.gone:
            return _stale(heard, f"{text}; no PC of the stack has such a container any more")
        return _blamed(heard, list(failed), text, culprit, around)
    if "hangs" in problems:
        return _check(
            heard,
            "node",
            "it takes the connection, and does not answer within 3 s: it hangs, or is stopped",
            "look at its container's log, and start it again",
        )
    if "foreign" in problems or "fault" in problems:
        bad = next(one for one in failed.values() if one.problem in ("foreign", "fault"))
        text = f"what is there is no ROS node: {rpc.why(bad)}"
        return _check(heard, "node", text, f"start {heard.node.name} again; then {_CLEAN}")
    return _absent(heard, failed, culprit, around)


def _absent(
    heard: Heard, failed: Mapping[str, Answer], culprit: Culprit | None, around: Surroundings
) -> Check:
    """Nobody is where it says."""
    address = next((one for one in heard.addresses.values() if one is not None), None)
    whose = around.at(address)
    refused = any(one.problem == "refused" for one in failed.values())
    found = (
        f"nothing listens at {address}:{heard.node.uri.port}"
        if refused
        else (f"nobody answers at {address}")
    )
    if culprit is not None and (whose is None or whose.name != culprit.place.name):
        return _blamed(heard, list(failed), found, culprit, around)
    if culprit is not None:
        return _check(
            heard,
            "node",
            f"{found}, though its process runs in '{culprit.place.name}'",
            "something filters its port: look at the rows of kind tcp above",
        )
    if whose is not None and _is_down(whose, around):
        return _stale(heard, f"{found}: '{whose.name}' does not run any more")
    if refused:
        return _stale(heard, f"{found} any more: it ended without a word to the master")
    owner = f" ('{whose.name}' on {whose.host or 'another PC'})" if whose else ""
    return _stale(heard, f"{found}{owner}: its container was removed, or its PC is away")


def _partly(
    heard: Heard, failed: Mapping[str, Answer], culprit: Culprit | None, around: Surroundings
) -> Check:
    """It answers, but not everybody."""
    unresolved = {name: one for name, one in failed.items() if one.problem == "unresolved"}
    if unresolved:
        text = f"the name {heard.node.uri.host} does not resolve {_where(unresolved, around)}"
        return _blamed(heard, list(unresolved), text, culprit, around)
    if list(failed) == [around.here] and not around.shim:
        return _check(
            heard,
            "node",
            "this PC does not reach it, the containers do",
            "let this PC and its containers reach each other: macvlan-ros shim up",
            source=around.here,
            level=WARNING,
        )
    why = rpc.why(next(iter(failed.values())))
    return _check(
        heard,
        "node",
        f"it answers others, but not {_names(list(failed))}: {why}",
        "look at the rows of kind reach and tcp between them",
        source=_names(list(failed)),
    )


def _is_down(place: Place, around: Surroundings) -> bool:
    """Whether it belongs to this PC, and does not run."""
    return place.host in ("", around.here) and not place.pid and place.name != around.here


def _blamed(
    heard: Heard,
    sources: Sequence[str],
    text: str,
    culprit: Culprit | None,
    around: Surroundings,
) -> Check:
    """With the process that registered it, where it is on this PC."""
    if culprit is not None:
        why, remedy = culprits.reason(culprit, heard.node.uri.host)
        return _check(heard, "node", f"{text}; {why}", remedy, source=_names(sources))
    return _check(
        heard,
        "node",
        f"{text}; no process of {around.here} listens on its port, so it is another PC's, or gone",
        "macvlan-ros verify there, or --all-hosts here, names the container; start the node with"
        " ROS_IP and without ROS_HOSTNAME, or launch it with macvlan-ros",
        source=_names(sources),
    )


def _stale(heard: Heard, text: str) -> Check:
    return _check(heard, "stale", text, f"let the master forget it: {_CLEAN}")


def _check(
    heard: Heard, kind: str, text: str, remedy: str, *, source: str = "", level: str = BAD
) -> Check:
    source = source or _names(list(heard.addresses))
    return Check(
        kind, source, heard.node.name, level, f"registered {heard.node.uri.text}: {text}", remedy
    )


def _where(failed: Mapping[str, Answer], around: Surroundings) -> str:
    """On this PC, in containers, or both."""
    inside = [name for name in failed if name != around.here]
    parts = [f"on {around.here}"] if around.here in failed else []
    return " and ".join([*parts, *([f"in {_names(inside)}"] if inside else [])])


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
