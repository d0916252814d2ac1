"""Culprits: which process of this PC listens on a port, and what its environment makes it say.

A node's registration has a port, and a port that is listened on has a process: in which container
that runs, and which ROS variables it was started with, tells why it registered what it did. Source:
proc(5), and rosgraph's network.py for how a node chooses what it registers.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from macvlan_ros.values import dataclass
from macvlan_ros.verify.place import Place

_PROC = Path("/proc")
_LISTENS = "0A"
_LONGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Culprit:
    """A process that listens: where it runs, and its own environment variables."""

    place: Place
    pid: int
    environment: Mapping[str, str]


def listeners(places: Sequence[Place], ports: Collection[int]) -> dict[int, tuple[Culprit, ...]]:
    """The processes that listen on these ports, in the places' containers and on this PC itself."""
    found: dict[int, tuple[Culprit, ...]] = {}
    wanted = set(ports)
    if not wanted:
        return found
    for place in places:
        inodes = _inodes(place.pid or os.getpid(), wanted)
        if not inodes:
            continue
        for inode, pid in _owners(place.pid or os.getpid(), set(inodes)):
            culprit = Culprit(place, pid, environment(pid))
            found[inodes[inode]] = (*found.get(inodes[inode], ()), culprit)
    return found


def environment(pid: int) -> dict[str, str]:
    """The variables that a process was started with; none when it may not be looked at."""
    with suppress(OSError), (_PROC / str(pid) / "environ").open("rb") as file:
        text = file.read(_LONGEST).decode("utf-8", errors="replace")
        return dict(entry.split("=", 1) for entry in text.split("\0") if "=" in entry)
    return {}


def command(pid: int) -> str:
    """The words that a process was started with; none when it has ended."""
    with suppress(OSError), (_PROC / str(pid) / "cmdline").open("rb") as file:
        return file.read(_LONGEST).decode("utf-8", errors="replace").replace("\0", " ").strip()
    return ""


def find(registered: str, candidates: Sequence[Culprit]) -> Culprit | None:
    """The process whose environment makes a node register that host name or address; a single
    candidate that does not tell what it is called will do."""
    for one in candidates:
        if _registers(one.environment) == registered:
            return one
    silent = [one for one in candidates if not _registers(one.environment)]
    return silent[0] if len(candidates) == len(silent) == 1 else None


def _registers(variables: Mapping[str, str]) -> str:
    if variables.get("ROS_HOSTNAME"):
        return variables["ROS_HOSTNAME"]
    if "ROS_HOSTNAME" not in variables and variables.get("ROS_IP"):
        return variables["ROS_IP"]
    return variables.get("HOSTNAME", "")


def reason(culprit: Culprit, registered: str) -> tuple[str, str]:
    """Why a node there registered that host name or address, and what to do; each a clause."""
    variables, place = culprit.environment, culprit.place
    own = place.address6 if variables.get("ROS_IPV6") == "on" else place.address
    where = f"'{place.name}'" if place.pid else "this PC"
    launch = ", or launch it with macvlan-ros" if place.pid else ""
    name, said = variables.get("ROS_HOSTNAME"), variables.get("ROS_IP")
    if name is not None:
        why = f"its process in {where} sets ROS_HOSTNAME"
        why += f"={name}, which beats ROS_IP" if name else " to nothing, so ROS_IP does not count"
        return why, (
            f"take ROS_HOSTNAME out of {where} and start the node again with ROS_IP={own}{launch}"
        )
    remedy = f"start the node in {where} again with ROS_IP={own}{launch}"
    if said:
        why = f"its process in {where} sets ROS_IP={said}, and {where} has {own}"
        return why, remedy
    why = f"its process in {where} has neither ROS_IP nor ROS_HOSTNAME, so it said {registered}"
    return why, remedy


def _inodes(pid: int, ports: Collection[int]) -> dict[str, int]:
    """The sockets that listen on one of the ports, in the network namespace of a process."""
    found = {}
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (_PROC / str(pid) / "net" / table).read_text().splitlines()[1:]:
                words = line.split()
                if len(words) > 9 and words[3] == _LISTENS:
                    port = int(words[1].rpartition(":")[2], 16)
                    if port in ports:
                        found[words[9]] = port
    return found


def _owners(pid: int, inodes: Collection[str]) -> Iterator[tuple[str, int]]:
    """Which process has which of these sockets, among those of the same network namespace."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    for other in neighbours(pid):
        for handle in _links(_PROC / str(other) / "fd"):
            if handle in wanted:
                yield wanted.pop(handle), other
        if not wanted:
            return


def neighbours(pid: int) -> Iterator[int]:
    """The processes in the same network namespace, that one among them."""
    with suppress(OSError):
        namespace = (_PROC / str(pid) / "ns" / "net").readlink()
        for entry in _PROC.iterdir():
            if entry.name.isdecimal():
                with suppress(OSError):
                    if (entry / "ns" / "net").readlink() == namespace:
                        yield int(entry.name)


def _links(folder: Path) -> Iterator[str]:
    with suppress(OSError):
        for entry in folder.iterdir():
            with suppress(OSError):
                yield str(entry.readlink())
