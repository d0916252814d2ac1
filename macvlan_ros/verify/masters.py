"""Masters: whether everybody means the same one: who was told of another, and who runs another."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

from netaddr import IPAddress

from macvlan_ros.values import dataclass
from macvlan_ros.verify import culprits, resolving, rpc
from macvlan_ros.verify.check import BAD, WARNING, Check
from macvlan_ros.verify.place import Place, Vantage
from macvlan_ros.verify.rpc import Uri

#: Seconds for names, of which a resolver may never say a word.
_NAMES = 2.5
#: Where roscore listens unless told otherwise.
_PORT = 11311
#: Processes that are no nodes whatever they were told, and those that belong to a master.
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "fish", "ash", "sleep", "docker-init", "tini"})
_OF_A_MASTER = ("rosmaster", "roscore", "rosout")


@dataclass(frozen=True, slots=True)
class _Told:
    """Somebody who has a ROS_MASTER_URI: a container's first process, or another one."""

    source: Vantage
    uri: Uri
    who: str
    remedy: str


def told_otherwise(vantages: Sequence[Vantage], uri: Uri, until: float) -> list[Check]:
    """Containers, and processes in them, whose own ROS_MASTER_URI leads elsewhere."""
    told = [one for source in vantages if not source.is_host for one in _of(source, uri)]
    if not told:
        return []
    concerned = list({one.source.name: one.source for one in told}.values())
    hosts = {uri.host, *(one.uri.host for one in told if one.uri.host)}
    soon = min(until, time.monotonic() + _NAMES)
    meanings = resolving.everywhere(concerned, hosts, until=soon)
    return [
        Check("master", one.source.name, uri.text, BAD, f"{one.who} is {one.uri.text}", one.remedy)
        for one in told
        if not _same(meanings[one.source.name], uri, one.uri)
    ]


def others(places: Sequence[Place], uri: Uri, at: Sequence[IPAddress]) -> list[Check]:
    """Further masters in containers of this PC and on the PC itself: their nodes are not in the
    graph of the one at `uri`, whose addresses are `at`."""
    found = culprits.listeners(places, {uri.port, _PORT})
    return [
        Check(
            "master",
            one.place.name,
            f"port {port}",
            WARNING,
            f"another master runs {f'in {one.place.name!r}' if one.place.pid else 'on this PC'}"
            f" (process {one.pid}): what is told of that one is not in this graph",
            f"end it, or start it and its nodes with ROS_MASTER_URI={uri.text}",
        )
        for port, listening in sorted(found.items())
        for one in listening
        if "rosmaster" in culprits.command(one.pid)
        and not (port == uri.port and {one.place.address, one.place.address6} & set(at))
    ]


def _of(source: Vantage, uri: Uri) -> Iterator[_Told]:
    """Who was told another URI: the container, and those of its processes that differ from it."""
    own = _said(culprits.environment(source.place.pid))
    if own and own != uri.text.rstrip("/"):
        remedy = "take that variable out of the stack file and launch again"
        yield _Told(source, rpc.parse_uri(own), "its ROS_MASTER_URI", remedy)
    heard = {own, uri.text.rstrip("/")}
    for pid in culprits.neighbours(source.place.pid):
        text = _said(culprits.environment(pid))
        if not text or text in heard:
            continue
        command = culprits.command(pid)
        if _is_node(command):
            heard.add(text)
            yield _Told(
                source,
                rpc.parse_uri(text),
                f"the ROS_MASTER_URI of a process in it ({_name(command)}, {pid})",
                f"start that one again with ROS_MASTER_URI={uri.text}",
            )


def _said(variables: Mapping[str, str]) -> str:
    return variables.get("ROS_MASTER_URI", "").strip().rstrip("/")


def _is_node(command: str) -> bool:
    return _name(command) not in _SHELLS and not any(one in command for one in _OF_A_MASTER)


def _name(command: str) -> str:
    """The program, or the script that an interpreter runs."""
    words = [word.rpartition("/")[2] for word in command.split()]
    script = next((word for word in words[1:2] if not word.startswith("-")), "")
    return script if words and words[0].startswith("python") and script else next(iter(words), "?")


def _same(meanings: Mapping[str, tuple[IPAddress, ...]], one: Uri, other: Uri) -> bool:
    shared = set(meanings.get(one.host, ())) & set(meanings.get(other.host, ()))
    return one.port == other.port and bool(shared)
