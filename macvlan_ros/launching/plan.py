"""Plans: each container of a launch as it shall be, decided before the first one is touched."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import field

from netaddr import IPAddress

from macvlan_ros import networks, ros
from macvlan_ros.docker_api.values import Image
from macvlan_ros.lan_names import host_gateway, host_names
from macvlan_ros.launching import landing, placement
from macvlan_ros.models.containers import Attachment, Service
from macvlan_ros.models.pools import Reservation
from macvlan_ros.models.stacks import Stack
from macvlan_ros.values import dataclass

#: Keys of a service that say where and when it runs, and not what its container is.
_NOT_THE_CONTAINER = (
    "address6",
    "build",
    "compose_name",
    "depends_on",
    "former_address",
    "host",
    "host_network",
    "profiles",
    "pull_policy",
    "recipe",
)


@dataclass(frozen=True, slots=True)
class Planned:
    """One container as it shall be. `attachment` is None, and `pool` "", for one that is not on
    the LAN. `environment` None takes a variable of the image out; `files`
    are put into it before it starts, by path. `peers` are the addresses where its ROS 2 is told to
    look for nodes; `config_hash` is the same whatever they are."""

    service: Service
    pool: str
    attachment: Attachment | None
    environment: Mapping[str, str | None]
    hosts: tuple[tuple[str, str], ...]
    config_hash: str
    files: Mapping[str, str] = field(default_factory=dict)
    pool6: str = ""
    peers: tuple[IPAddress, ...] = ()

    @property
    def network(self) -> str:
        """What Docker calls the container's main network."""
        return self.attachment.network if self.attachment else self.service.off_lan


def notes_about_hosts(
    stack: Stack, site: landing.Site, known: Mapping[str, IPAddress]
) -> list[str]:
    """The services of other hosts whose addresses are not `known`, one sentence each."""
    return [
        f"'{service.name}' runs on {service.host} and has no fixed address, so its name"
        " does not resolve here; give it one with x-macvlan-ros: {address: ...}"
        for service in stack.services.values()
        if not (placement.is_here(service, site.host) or service.off_lan)
        and service.name not in known
    ]


def notes_about_waiting(stack: Stack, here: Sequence[Service]) -> list[str]:
    """What belongs to other hosts and is not waited for, one sentence each."""
    starts = {service.name for service in here}
    return [
        f"'{service.name}' depends on '{dependency.service}', which runs on"
        f" {stack.services[dependency.service].host} and is not waited for"
        for service in here
        for dependency in service.depends_on
        if dependency.service in stack.services and dependency.service not in starts
    ]


def build(
    stack: Stack,
    here: Sequence[Service],
    *,
    site: landing.Site,
    held: Mapping[str, Reservation],
    wanted: Mapping[str, IPAddress],
    images: Mapping[str, Image],
    held6: Mapping[str, Reservation] | None = None,
) -> tuple[list[Planned], list[str]]:
    """The plan of every service that starts here, and notes about what was replaced.

    `held` has the reservations of what starts here, by service name, `held6` those of IPv6;
    `wanted` the addresses that the file fixes or the store has, for services of other hosts too,
    of the family that ROS speaks.
    """
    held6 = held6 or {}
    ros_held = held6 if stack.ros_over == "ipv6" else held
    known = {**wanted, **{name: reservation.address for name, reservation in ros_held.items()}}
    hosts_at = landing.host_addresses(stack, site)
    master = ros.master_uri(stack, known, hosts_at)
    graph = ros.graph(stack, known, hosts_at)
    former = ros.former_addresses(stack, known)
    elsewhere = _elsewhere(stack, site, known)
    notes = [_unused(service, site) for service in here if _is_off_lan(service, site)]
    planned: list[Planned] = []
    others = {name for one in stack.services.values() for name in (one.name, one.container_name)}
    for asked in here:
        service, said = _reaching(asked, site, others)
        notes += said
        image = images[service.image]
        hosts = (*elsewhere, *service.extra_hosts)
        if service.off_lan:
            # nobody on the LAN could reach its nodes, so ROS is not set up for it
            plain = ros.RosEnvironment(dict(service.environment))
            told = _Told(plain, plain)
            place = None
        else:
            told = _told(service, image, known, master, former, graph)
            place = held[service.name], held6.get(service.name)
        notes += told.environment.notes
        planned.append(_planned(stack, service, place, told, hosts, image))
    return planned, notes


def _reaching(
    service: Service, site: landing.Site, others: Collection[str]
) -> tuple[Service, list[str]]:
    """The service with the names of PCs that it reaches from the LAN: its own for this PC, and
    those that it speaks of and would have had by the host's network. `others` are services."""
    if service.off_lan:
        return service, []
    own = networks.address_on(site.parent, site.subnet)
    entries, said = host_gateway.on_lan(service.extra_hosts, own)
    notes = [f"{service.name}: {said}"] if said else []
    if service.host_network:
        variables = (f"{name}={value}" for name, value in service.environment.items())
        words = (*variables, *(service.command or ()))
        spoken = host_names.spoken_of(site.names, (*words, *(service.entrypoint or ())))
        more = host_names.without(spoken, {*others, *(name for name, _ in entries)})
        entries = (*entries, *more.items())
        if more:
            notes.append(
                f"{service.name}: {', '.join(more)} of this PC's hosts file goes along, now that it"
                " is not on the host's network"
            )
    if entries == service.extra_hosts:
        return service, notes
    return dataclasses.replace(service, extra_hosts=entries), notes


@dataclass(frozen=True, slots=True)
class _Told:
    """What a container's ROS is told: its environment, the same without the peers of its ROS 2, and
    these."""

    environment: ros.RosEnvironment
    lasting: ros.RosEnvironment
    peers: tuple[IPAddress, ...] = ()


def _told(
    service: Service,
    image: Image,
    known: Mapping[str, IPAddress],
    master: str | None,
    former: Mapping[IPAddress, tuple[str, IPAddress]],
    graph: ros.Graph,
) -> _Told:
    environment, lasting = (
        ros.environment(
            service,
            address=known[service.name],
            master_uri=master,
            image_environment=image.environment,
            former=former,
            graph=each,
        )
        for each in (graph, dataclasses.replace(graph, peers=()))
    )
    alike = (environment.variables, environment.files) == (lasting.variables, lasting.files)
    others = tuple(peer for peer in graph.peers if peer != known[service.name])
    return _Told(environment, lasting, () if alike else others)


def _planned(
    stack: Stack,
    service: Service,
    place: tuple[Reservation, Reservation | None] | None,
    told: _Told,
    hosts: tuple[tuple[str, str], ...],
    image: Image,
) -> Planned:
    """`place` is what the service holds of IPv4 and IPv6; None for one that is not on the LAN."""
    attachment = None
    if place is not None:
        four, six = place
        mac, address6 = service.mac or four.mac, six.address if six else None
        attachment = Attachment(stack.network, four.address, mac, address6)
    return Planned(
        service,
        pool=place[0].pool if place else "",
        attachment=attachment,
        environment=told.environment.variables,
        hosts=hosts,
        config_hash=_config_hash(service, attachment, told.lasting, hosts, image.id),
        files=told.environment.files,
        pool6=place[1].pool if place and place[1] else "",
        peers=told.peers,
    )


def _is_off_lan(service: Service, site: landing.Site) -> bool:
    return service.former_address is not None and service.former_address not in site.subnet


def _unused(service: Service, site: landing.Site) -> str:
    return (
        f"{service.name}: ipv4_address {service.former_address} is not on the LAN {site.subnet}"
        " and is not used"
    )


def _elsewhere(
    stack: Stack, site: landing.Site, known: Mapping[str, IPAddress]
) -> tuple[tuple[str, str], ...]:
    """Names of containers on other hosts. Those on this one are known to Docker's own DNS, and
    a name more in the hosts file would mean a new container whenever the stack grows."""
    entries: dict[str, str] = {}
    for service in stack.services.values():
        if placement.is_here(service, site.host) or service.name not in known:
            continue
        for name in (service.name, service.container_name, service.hostname):
            if name:
                entries[name] = str(known[service.name])
    return tuple(entries.items())


def _config_hash(
    service: Service,
    attachment: Attachment | None,
    environment: ros.RosEnvironment,
    hosts: Sequence[tuple[str, str]],
    image_id: str,
) -> str:
    what = dataclasses.asdict(service)
    for key in _NOT_THE_CONTAINER:
        del what[key]
    for key in ("off_lan", "host_config", "missing"):
        if not what[key]:
            del what[key]  # as it was before there was such a key
    place = dataclasses.asdict(attachment) if attachment else {}
    what |= {
        "environment": dict(environment.variables),
        "attachment": {key: value for key, value in place.items() if value is not None},
        "hosts": list(hosts),
        "image_id": image_id,
    }
    if environment.files:
        what["files"] = dict(environment.files)
    text = json.dumps(what, sort_keys=True, default=str)
    # Imported here, for it brings OpenSSL along, and few commands need it.
    from hashlib import sha256

    return sha256(text.encode()).hexdigest()
