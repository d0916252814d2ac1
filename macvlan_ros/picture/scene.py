"""The scene: what a picture of the LAN shows, put together from what each part knows. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field

from netaddr import IPAddress, IPNetwork

from macvlan_ros.models.pools import NETWORK, Reservation
from macvlan_ros.values import dataclass
from macvlan_ros.wire.census import GATEWAY, HERE, OURS, STRANGER, Sighting

UP, DOWN, UNKNOWN = "up", "down", "unknown"
#: What every ROS 1 node publishes to or reads, and so tells nothing of who talks to whom.
_EVERYWHERE = frozenset(("/rosout", "/rosout_agg"))


@dataclass(frozen=True, slots=True)
class Box:
    """A container, or an owner without one. `state` is up, down or unknown; `nodes` are its ROS
    nodes; `trouble` says what is wrong, "" when nothing is."""

    name: str
    address: str
    mac: str
    state: str
    master: bool = False
    nodes: tuple[str, ...] = ()
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Pc:
    """A host with its containers. `here` is the one that looks; "" stands for what it cannot tell
    of the others' parent and address."""

    name: str
    here: bool = False
    parent: str = ""
    address: str = ""
    master: bool = False
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class Other:
    """Somebody else on the LAN: the gateway, a stranger inside a pool, or a machine elsewhere."""

    address: str
    mac: str
    vendor: str
    whose: str
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Talk:
    """Nodes at `source` publish what nodes at `target` read: names of boxes or PCs."""

    source: str
    target: str
    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """A whole picture. `taken` is UTC in ISO 8601; `notes` say what could not be looked at."""

    lan: str
    taken: str
    pcs: tuple[Pc, ...] = ()
    others: tuple[Other, ...] = ()
    talks: tuple[Talk, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def troubles(self) -> tuple[str, ...]:
        """Everything that is wrong, one sentence each."""
        boxes = [
            f"{b.name} ({b.address}): {b.trouble}" for pc in self.pcs for b in pc.boxes if b.trouble
        ]
        return (*boxes, *(f"{o.address} ({o.mac}) {o.trouble}" for o in self.others if o.trouble))


@dataclass(frozen=True, slots=True)
class Graph:
    """The ROS graph: for each topic its publishers and its subscribers, by node, and for each node
    the address that it is reached at."""

    topics: Mapping[str, tuple[Collection[str], Collection[str]]] = field(default_factory=dict)
    nodes: Mapping[str, IPAddress] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Known:
    """What the parts found out. `running` are the MACs of this host's macvlan links; `sightings`
    None means that the LAN was not asked. `pcs` are without boxes."""

    here: str
    lan: IPNetwork
    taken: str
    pcs: Sequence[Pc]
    reservations: Sequence[Reservation]
    running: Collection[str]
    sightings: Sequence[Sighting] | None = None
    conflicts: Mapping[IPAddress, str] = field(default_factory=dict)
    graph: Graph = field(default_factory=Graph)
    master: IPAddress | None = None
    notes: Sequence[str] = ()


def compose(known: Known) -> Scene:
    """The scene of what is known."""
    held = [one for one in known.reservations if one.kind != NETWORK and not _is_shim(one)]
    by_host: dict[str, list[Box]] = {pc.name: [] for pc in known.pcs}
    for one in sorted(held, key=lambda one: (one.owner, one.address)):
        by_host.setdefault(one.host, []).append(_box(one, known))
    pcs = {pc.name: pc for pc in known.pcs}
    made = [_with_boxes(pcs.get(name) or Pc(name), boxes, known) for name, boxes in by_host.items()]
    return Scene(
        lan=str(known.lan),
        taken=known.taken,
        pcs=tuple(sorted(made, key=lambda pc: (not pc.here, pc.name))),
        others=_others(known, {pc.address for pc in made}),
        talks=_talks(known.graph, _names(held, made)),
        notes=tuple(known.notes),
    )


def _is_shim(one: Reservation) -> bool:
    return one.owner == f"shim-{one.host}"


def _box(one: Reservation, known: Known) -> Box:
    seen = [each for each in known.sightings or () if each.address == one.address]
    trouble = next((each.trouble for each in seen if each.trouble and each.whose == OURS), "")
    rival = next((each.mac for each in seen if each.whose == STRANGER), "")
    if rival:
        trouble = f"{rival} has its address, too"
    elif not trouble and one.address in known.conflicts:
        trouble = f"{known.conflicts[one.address]} was heard with its address"
    if one.mac in known.running or any(map(_answered, seen)):
        state = UP
    elif one.host == known.here or known.sightings is not None:
        state = DOWN
    else:
        state = UNKNOWN
    return Box(
        one.owner,
        str(one.address),
        one.mac,
        state,
        master=one.address == known.master,
        nodes=tuple(sorted(n for n, where in known.graph.nodes.items() if where == one.address)),
        trouble=trouble,
    )


def _answered(one: Sighting) -> bool:
    """Whether the owner's container did so itself. Of this host's containers, which the LAN cannot
    be asked about, the kernel tells what runs now."""
    return one.whose == OURS and one.latency_ms is not None and not one.defended_by


def _with_boxes(pc: Pc, boxes: Sequence[Box], known: Known) -> Pc:
    return Pc(
        pc.name or "no PC named",
        here=pc.name == known.here,
        parent=pc.parent,
        address=pc.address,
        master=bool(pc.address) and pc.address == str(known.master),
        boxes=tuple(boxes),
    )


def _others(known: Known, pcs: Collection[str]) -> tuple[Other, ...]:
    found = [
        Other(str(one.address), one.mac, one.vendor, one.whose, one.trouble)
        for one in known.sightings or ()
        if one.whose not in (OURS, HERE) and str(one.address) not in pcs
    ]
    order = {STRANGER: 0, GATEWAY: 1}
    return tuple(sorted(found, key=lambda one: order.get(one.whose, 2)))


def _names(held: Iterable[Reservation], pcs: Iterable[Pc]) -> dict[str, str]:
    """The name in the picture of whoever is at an address."""
    names = {pc.address: pc.name for pc in pcs if pc.address}
    return {**names, **{str(one.address): one.owner for one in held}}


def _talks(graph: Graph, names: Mapping[str, str]) -> tuple[Talk, ...]:
    topics: dict[tuple[str, str], set[str]] = {}
    at = {node: names[str(where)] for node, where in graph.nodes.items() if str(where) in names}
    for topic, (publishers, subscribers) in graph.topics.items():
        if topic in _EVERYWHERE:
            continue
        for source in {at[node] for node in publishers if node in at}:
            for target in {at[node] for node in subscribers if node in at}:
                if source != target:
                    topics.setdefault((source, target), set()).add(topic)
    return tuple(
        Talk(source, target, tuple(sorted(said)))
        for (source, target), said in sorted(topics.items())
    )
