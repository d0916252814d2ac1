"""The register of hosts: which PCs share the store, with their interfaces, and when each was heard.

A host is heard of when it writes its entry, which a service does every few seconds and a launch
once. Clocks may disagree, so nobody's clock is compared with another's to tell whether a host is
alive: each service notes, by its own clock, when it saw the others' entries change.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, field, replace
from pathlib import Path
from typing import Any

from macvlan_ros import __version__
from macvlan_ros.errors import Conflict, MacvlanRosError, NotFound
from macvlan_ros.kernel.link_codec import decode_link, encode_link
from macvlan_ros.models.links import Link
from macvlan_ros.models.pools import Record
from macvlan_ros.near import did_you_mean
from macvlan_ros.stores.base import Store
from macvlan_ros.values import dataclass

__all__ = [
    "HOST_KIND",
    "HostRecord",
    "Register",
    "Sight",
    "Watchman",
    "every",
    "machine_id",
    "silent_after",
]

#: Seconds between two entries of a service, among a few hosts.
EVERY = 10.0
#: After so many rounds without an entry a host counts as silent.
_ROUNDS = 6
#: More hosts than these write and look less often: a look reads all entries.
_FEW = 50
#: Seconds after which an entry of the same machine with other MACs counts as its own former one.
_STALE = 600.0

#: From so many entries it is told how far a clock is off.
_AGES = 8

#: The kind of the records of hosts.
HOST_KIND = "host"
_MACHINE_FILES = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
#: What containers and Docker's own networks have.
_PASSING_KINDS = ("loopback", "macvlan", "macvtap", "ipvlan")
_PASSING_NAMES = ("veth", "docker", "br-", "virbr")


@dataclass(frozen=True, slots=True)
class Sight:
    """What one host's service saw of another's entry: its latest `beat`, when that came (seconds
    since 1970, by the clock of the one who saw; 0 for not yet), and by how many seconds the
    other's clock is `ahead`, give or take what lies between two looks."""

    beat: int
    at: float
    ahead: float


@dataclass(frozen=True, slots=True)
class HostRecord:
    """One host as it wrote itself down. `seen` is by its own clock, seconds since 1970; `beat`
    counts its entries. `services` maps each kind of service of ours that runs there to when that
    wrote last, by the host's clock. `sights` are what it saw of the others.
    """

    name: str
    machine: str = ""
    links: tuple[Link, ...] = ()
    engine: str = ""
    version: str = ""
    seen: float = 0.0
    beat: int = 0
    services: Mapping[str, float] = field(default_factory=dict)
    sights: Mapping[str, Sight] = field(default_factory=dict)

    @property
    def macs(self) -> frozenset[str]:
        """Those of the interfaces by which the machine is known again."""
        return frozenset(link.mac for link in self.links if link.mac)

    def runs(self, service: str) -> bool:
        """Whether that service wrote lately, when the host was heard last."""
        return self.seen - self.services.get(service, 0.0) < silent_after(_FEW)


class Register:
    """The register in a store, as the host `host` uses it. `clock` is seconds since 1970."""

    def __init__(
        self,
        store: Store,
        *,
        host: str,
        machine: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._host = host
        self._machine = machine_id() if machine is None else machine
        self._clock = clock

    def hosts(self) -> tuple[HostRecord, ...]:
        """All hosts, by name; of an entry that does not decode there is the name alone."""
        return tuple(_decode(record) for record in self._store.recall(HOST_KIND))

    def host(self, name: str) -> HostRecord | None:
        """One host's entry."""
        found = self._store.recall(HOST_KIND, name)
        return _decode(found[0]) if found else None

    def forget(self, name: str) -> None:
        """Remove an entry. Raises NotFound."""
        if not self._store.forget(HOST_KIND, name):
            known = [each.name for each in self.hosts()]
            raise NotFound(
                f"no host {name!r} is in the store{did_you_mean(name, known)}; there are:"
                f" {', '.join(known) or 'none'}"
            )

    def enter(
        self,
        links: Sequence[Link],
        *,
        engine: str = "",
        service: str = "",
        sights: Mapping[str, Sight] | None = None,
    ) -> HostRecord:
        """Write this host's entry. What is not said now stays as it was written last.

        Raises Conflict when another machine goes by the same name.
        """
        now = self._clock()
        fresh = HostRecord(
            name=self._host,
            machine=self._machine,
            links=tuple(link for link in links if _lasts(link)),
            engine=engine,
            version=__version__,
            seen=now,
            beat=1,
            services={service: now} if service else {},
            sights=sights or {},
        )
        stands = self._store.remember(_encode(fresh))
        if stands.value == _encode(fresh).value:
            return fresh
        before = _decode(stands)
        self._check_same(before, fresh)
        entry = replace(
            fresh,
            machine=self._machine or before.machine,
            links=fresh.links or before.links,
            engine=engine or before.engine,
            beat=before.beat + 1,
            services={**before.services, **fresh.services},
            sights=before.sights if sights is None else sights,
        )
        self._store.remember(_encode(entry), replace=True)
        return entry

    def _check_same(self, before: HostRecord, now: HostRecord) -> None:
        """Raises Conflict unless both are entries of one machine.

        MACs tell best: a system that was copied from one PC to another has the machine-id of the
        first. Where they say nothing, or one was changed long ago, the machine-id does.
        """
        if before.macs & now.macs:
            return
        same_id = not before.machine or not now.machine or before.machine == now.machine
        if same_id and (not before.macs or not now.macs):
            return
        if same_id and not 0 <= now.seen - before.seen < _STALE:
            return
        raise Conflict(
            f"two PCs go by the name '{now.name}' in this store: this one ({_described(now)}) and"
            f" one that was heard last {_ago(now.seen - before.seen)} ({_described(before)}); give"
            f" one of them another name with `host = NAME` in /etc/macvlan-ros.conf, or, if the"
            f" other is gone for good: macvlan-ros hosts rm {now.name}"
        )


class Watchman:
    """What one service sees of the other hosts, from look to look."""

    def __init__(self, own: str, clock: Callable[[], float] = time.time) -> None:
        self._own = own
        self._clock = clock
        self._sights: dict[str, Sight] = {}
        self._lateness: dict[str, deque[float]] = {}

    def look(self, hosts: Iterable[HostRecord]) -> dict[str, Sight]:
        """Take in what the entries say now; what has been seen of each host."""
        seen: dict[str, Sight] = {}
        for each in hosts:
            before = self._sights.get(each.name)
            if each.name == self._own:
                continue
            if before is None:
                # when that one was written nobody here knows; the next will tell
                seen[each.name] = Sight(each.beat, 0.0, 0.0)
            elif before.beat == each.beat:
                seen[each.name] = before
            else:
                seen[each.name] = self._changed(each)
        self._sights = seen
        return seen

    def _changed(self, entry: HostRecord) -> Sight:
        """An entry was written since the last look: its age is what lies between the looks, and
        what the clocks differ by. The least of several ages has the least of the former."""
        now = self._clock()
        ages = self._lateness.setdefault(entry.name, deque(maxlen=_AGES))
        ages.append(now - entry.seen)
        return Sight(entry.beat, now, round(-min(ages), 3))


def every(hosts: int) -> float:
    """Seconds between two entries of a service among so many hosts."""
    return EVERY * max(1.0, hosts / _FEW)


def silent_after(hosts: int) -> float:
    """Seconds after which a host that a service should have written for counts as silent."""
    return _ROUNDS * every(hosts)


def machine_id(files: Sequence[Path] = _MACHINE_FILES) -> str:
    """What systemd calls this installation (machine-id(5)); "" where there is none."""
    for file in files:
        try:
            return file.read_text(encoding="ascii", errors="replace").strip()
        except OSError:
            continue
    return ""


def _lasts(link: Link) -> bool:
    """Whether the interface is one of the PC's own, not of its containers or networks."""
    return link.kind not in _PASSING_KINDS and not link.name.startswith(_PASSING_NAMES)


def _described(entry: HostRecord) -> str:
    macs = ", ".join(f"{link.name} {link.mac}" for link in entry.links if link.mac)
    machine = f"machine-id {entry.machine[:8]}" if entry.machine else ""
    return ", ".join(part for part in (macs, machine) if part) or "of which nothing is known"


def _ago(seconds: float) -> str:
    if seconds < 0:
        return "just now, by a clock that is ahead of ours"
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"


def _encode(entry: HostRecord) -> Record:
    value = {
        "machine": entry.machine,
        "links": [encode_link(link) for link in entry.links],
        "engine": entry.engine,
        "version": entry.version,
        "seen": round(entry.seen, 3),
        "beat": entry.beat,
        "services": {name: round(at, 3) for name, at in entry.services.items()},
        "sights": {name: asdict(sight) for name, sight in entry.sights.items()},
    }
    return Record(HOST_KIND, entry.name, entry.name, json.dumps(value, sort_keys=True))


def _decode(record: Record) -> HostRecord:
    try:
        value: dict[str, Any] = json.loads(record.value)
        return HostRecord(
            name=record.key,
            machine=str(value["machine"]),
            links=tuple(decode_link(each) for each in value["links"]),
            engine=str(value["engine"]),
            version=str(value["version"]),
            seen=float(value["seen"]),
            beat=int(value["beat"]),
            services={str(name): float(at) for name, at in value["services"].items()},
            sights={str(name): Sight(**sight) for name, sight in value["sights"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError, MacvlanRosError):
        # of another version, say: that the host is there counts all the same
        return HostRecord(record.key, version="?")
