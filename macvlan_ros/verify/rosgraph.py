"""The ROS 1 graph as it is reached: the master, then each node, from every place."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from netaddr import IPAddress

from macvlan_ros.values import dataclass
from macvlan_ros.verify import culprits, masters, resolving, rpc, topics
from macvlan_ros.verify.asking import Heard, ask_all
from macvlan_ros.verify.check import BAD, OK, WARNING, Check
from macvlan_ros.verify.converse import Call, converse
from macvlan_ros.verify.gone import FindGone
from macvlan_ros.verify.graph import Graph, Master, read_graph, unregister
from macvlan_ros.verify.nodes import Surroundings, judge
from macvlan_ros.verify.place import Place, Vantage
from macvlan_ros.verify.rpc import Answer, Uri

_PATIENCE = 3.0
#: Seconds for names, of which a resolver may never say a word.
_NAMES = 2.5


@dataclass(frozen=True, slots=True)
class Outcome:
    """The checks, and the master by the first place that reached it (None: no place did)."""

    checks: tuple[Check, ...]
    master: Master | None = None


def examine(
    vantages: Sequence[Vantage],
    places: Sequence[Place],
    uri: str,
    *,
    here: str,
    shim: bool,
    until: float,
    clean: bool = False,
    find_gone: FindGone = lambda _names, _until: frozenset(),
) -> Outcome:
    """Check the master at `uri` and all nodes registered with it, until `until` at the latest.

    `here` is this PC's name, `shim` whether it and its own containers reach each other. With
    `clean`, stale registrations are taken out of the master. `find_gone` says which names are those
    of containers that are gone (gone.py).
    """
    master_uri = rpc.parse_uri(uri)
    if master_uri.problem:
        said = Check(
            "master",
            here,
            uri,
            BAD,
            f"the master's URI {master_uri.problem}",
            "write it like http://192.168.50.195:11311, in x-macvlan-ros.master or with --master",
        )
        return Outcome((said,))
    around = Surroundings(places, {}, here, shim)
    checks, addresses, master = _reach_master(vantages, master_uri, around, until)
    checks += masters.told_otherwise(vantages, master_uri, until)
    checks += masters.others(_enterable(around), master_uri, addresses)
    if master is None:
        return Outcome(tuple(checks))
    graph = read_graph(master, until=until)
    if graph.problem:
        checks.append(_unreadable(master, graph, here))
    checks += _check_nodes(
        graph, vantages, around, master, until=until, clean=clean, find_gone=find_gone
    )
    checks += topics.examine(graph.nodes, here)
    return Outcome(tuple(checks), master)


def _reach_master(
    vantages: Sequence[Vantage], uri: Uri, around: Surroundings, until: float
) -> tuple[list[Check], list[IPAddress], Master | None]:
    """A check for each place, the addresses that the master has there, and the master by the first
    that reached it."""
    meanings = resolving.everywhere(vantages, [uri.host], until=_soon(until, _NAMES))
    found = {one.name: next(iter(meanings[one.name].get(uri.host, ())), None) for one in vantages}
    asked = [(one, address) for one in vantages if (address := found[one.name]) is not None]
    calls = [
        Call(one, str(address), uri.port, rpc.question(uri, "getPid")) for one, address in asked
    ]
    replies = converse(
        calls, patience=_PATIENCE, until=_soon(until, 2 * _PATIENCE), is_whole=rpc.is_whole
    )
    answers = {one.name: rpc.read(reply) for (one, _), reply in zip(asked, replies, strict=True)}
    checks = [_master_check(one, uri, answers.get(one.name), around) for one in vantages]
    meant = [address for _, address in asked]
    for one, address in asked:
        if not answers[one.name].problem:
            return checks, meant, Master(uri, one, str(address))
    return checks, meant, None


def _master_check(source: Vantage, uri: Uri, answer: Answer | None, around: Surroundings) -> Check:
    if answer is not None and not answer.problem:
        took = round(answer.seconds * 1000, 2)
        return Check("master", source.name, uri.text, OK, milliseconds=took)
    if answer is None:
        text = f"the name {uri.host} does not resolve there"
        remedy = "name the master by its address, in x-macvlan-ros.master"
    elif answer.problem in ("foreign", "fault"):
        text = f"what answers there is no ROS master: {rpc.why(answer)}"
        remedy = "is the port right? roscore has 11311 unless told otherwise"
    elif answer.problem == "hangs":
        text = "it takes the connection, and does not answer within 3 s"
        remedy = "start roscore again"
    else:
        text, remedy = rpc.why(answer), "is roscore running there? Start it: roscore"
        if source.is_host and not around.shim:
            remedy += "; if its container runs on this PC: macvlan-ros shim up"
    level = WARNING if source.is_host and not around.shim and _is_own(uri, around) else BAD
    return Check("master", source.name, uri.text, level, text, remedy)


def _is_own(uri: Uri, around: Surroundings) -> bool:
    """Whether the master is in a container of this PC, which it reaches by a shim only."""
    ours = [str(at) for one in around.places if one.pid for at in (one.address, one.address6)]
    return uri.host.strip("[]") in ours


def _unreadable(master: Master, graph: Graph, here: str) -> Check:
    return Check(
        "master",
        master.source.name or here,
        master.uri.text,
        BAD,
        f"its graph could not be read: {graph.problem}",
        "is it a ROS 1 master, and has it the CPU that it needs?",
    )


def _check_nodes(
    graph: Graph,
    vantages: Sequence[Vantage],
    around: Surroundings,
    master: Master,
    *,
    until: float,
    clean: bool,
    find_gone: FindGone,
) -> list[Check]:
    hosts = {node.uri.host for node in graph.nodes if node.uri.host and not node.uri.problem}
    meanings = resolving.everywhere(vantages, hosts, until=_soon(until, _NAMES))
    heard = ask_all(graph.nodes, vantages, meanings, until=until)
    ports = {one.node.uri.port for one in heard if _is_bad(one)}
    unknown = {one.node.uri.host for one in heard if not any(one.addresses.values())}
    known = replace(
        around,
        listeners=culprits.listeners(_enterable(around), ports),
        gone=find_gone(unknown, until),
    )
    checks = [judge(one, known) for one in heard]
    if not clean:
        return checks
    stale = [one.node for one, check in zip(heard, checks, strict=True) if check.kind == "stale"]
    gone = unregister(master, stale, until=max(until, time.monotonic() + _PATIENCE))
    return [_cleaned(check) if gone.get(check.target) else check for check in checks]


def _is_bad(heard: Heard) -> bool:
    """Whether its process is worth looking for."""
    return len(heard.answered()) < len(heard.addresses) or any(
        one is not None and one.is_loopback() for one in heard.addresses.values()
    )


def _enterable(around: Surroundings) -> list[Place]:
    return [one for one in around.places if one.pid or one.name == around.here]


def _cleaned(check: Check) -> Check:
    return replace(check, level=OK, text=f"{check.text}; unregistered", remedy="")


def _soon(until: float, seconds: float) -> float:
    return min(until, time.monotonic() + seconds)
