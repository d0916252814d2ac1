"""Loading: files -> one tree of nodes -> a Stack."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from macvlan_ros.errors import StackFileError
from macvlan_ros.models.containers import Service, Volume
from macvlan_ros.models.links import NETWORK_MODES
from macvlan_ros.models.stacks import Stack
from macvlan_ros.near import did_you_mean
from macvlan_ros.stack import section as own
from macvlan_ros.stack.context import Context
from macvlan_ros.stack.discovery import discovery
from macvlan_ros.stack.files import name_project, read_variables
from macvlan_ros.stack.forgiving import forgiving
from macvlan_ros.stack.interpolation import interpolate
from macvlan_ros.stack.keys import REFUSED_TOP, TOP_KEYS
from macvlan_ros.stack.merging import merge, strip
from macvlan_ros.stack.mounts import named_volumes
from macvlan_ros.stack.networks import DeclaredNetwork, declared
from macvlan_ros.stack.nodes import Node, child, take, with_entries
from macvlan_ros.stack.secrets import declared_secrets
from macvlan_ros.stack.selection import circle, clash, enabled
from macvlan_ros.stack.services import Declared, check_name, container_name, service
from macvlan_ros.stack.sources import Source, complete
from macvlan_ros.stack.yamlfile import read
from macvlan_ros.values import dataclass


def load(
    paths: Sequence[Path],
    *,
    environ: Mapping[str, str] | None = None,
    profiles: Sequence[str] = (),
    project_name: str | None = None,
    env_files: Sequence[Path] = (),
    forgive: bool = False,
) -> Stack:
    """Read a stack from its files, later ones laid over earlier ones by Compose's rules.

    `environ` is the caller's environment (None: this process's); over the .env file in the first
    file's folder, or over `env_files`, it gives the variables. Relative paths start at that folder.
    `profiles` are active beside those of COMPOSE_PROFILES. With `forgive`, keys that are not
    supported are passed over, for whoever hands the files to Compose itself. Raises
    StackFileError, one sentence that names file, line, service and key.
    """
    read_ = _read_all(
        paths,
        environ=environ,
        profiles=profiles,
        project_name=project_name,
        env_files=env_files,
    )
    tree = forgiving(read_.tree, read_.context) if forgive else read_.tree
    entries = _top_level(tree, read_.context)
    context = replace(read_.context, network=own.network_name(entries.get(own.SECTION)))
    originals = take(read_.tree.mapping(), "services", Node.mapping, {}) if forgive else {}
    stack = _stack(tree, entries, context, active=read_.profiles, originals=originals)
    return replace(stack, files=tuple(str(path) for path in paths))


def resolve(
    paths: Sequence[Path],
    *,
    environ: Mapping[str, str] | None = None,
    project_name: str | None = None,
) -> Node:
    """The tree of a stack's files, merged, with variables, extended services and included files;
    its name stands in it. Raises StackFileError."""
    found = _read_all(paths, environ=environ, project_name=project_name)
    entries = {key: node for key, node in found.tree.mapping().items() if key != "name"}
    name = child(found.tree, "name", found.context.project)
    return with_entries(found.tree, {"name": name, **entries})


@dataclass(frozen=True, slots=True)
class _Read:
    tree: Node
    context: Context
    profiles: tuple[str, ...]


def _read_all(
    paths: Sequence[Path],
    *,
    environ: Mapping[str, str] | None,
    profiles: Sequence[str] = (),
    project_name: str | None,
    env_files: Sequence[Path] = (),
) -> _Read:
    if not paths:
        raise StackFileError("no stack file was named; name one with -f FILE")
    try:
        folder = Path(paths[0]).absolute().parent
    except OSError as error:
        raise StackFileError(f"the current folder is gone ({error}); change to another") from None
    environ = os.environ if environ is None else environ
    context = Context(project="", folder=folder, variables={}, network="")
    variables = read_variables(
        folder, environ, env_files, lambda name: context.unset(name, str(folder / ".env"))
    )
    trees = [read(Path(path)) for path in paths]
    project = _project(trees, project_name, variables, context)
    context = replace(
        context, project=project, variables={**variables, "COMPOSE_PROJECT_NAME": project}
    )
    tree = trees[0]
    for index, (raw, path) in enumerate(zip(trees, paths, strict=True)):
        source = Source(context, context.variables, (Path(path).absolute(),))
        done = complete(raw, source)
        tree = merge(tree, done) if index else done
    tree = strip(tree)
    active = (*profiles, *_words(variables.get("COMPOSE_PROFILES", "")))
    return _Read(tree, context, tuple(dict.fromkeys(active)))


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _project(
    trees: Sequence[Node], wanted: str | None, variables: Mapping[str, str], context: Context
) -> str:
    """The name that the last file gives counts. It may hold variables, but not itself."""
    named = [tree.mapping()["name"] for tree in trees if "name" in tree.mapping()]
    node = named[-1] if named else None
    if node is not None:
        node = interpolate(
            node,
            variables.get,
            unset=lambda name, at: context.unset(name, f"{at.file}:{at.line}"),
        )
    return name_project(wanted, variables, node, context.folder)


def _top_level(tree: Node, context: Context) -> dict[str, Node]:
    entries = {}
    for key, node in tree.mapping().items():
        if key in REFUSED_TOP and not node.absent:
            raise node.error(f"is not supported; {REFUSED_TOP[key]}")
        if key not in (*TOP_KEYS, *REFUSED_TOP):
            near = did_you_mean(key, TOP_KEYS)
            if key.startswith("x-"):
                if near.endswith(f"{own.SECTION!r}?)"):
                    context.note(f"the section {key!r} is ignored{near}")
                continue
            raise node.error(f"is not a key of a stack{near}")
        if not node.absent:
            entries[key] = node
    if "services" not in entries or not entries["services"].mapping():
        raise StackFileError(f"{tree.file}:{tree.line}: has no services; add some under 'services'")
    return entries


def _stack(
    tree: Node,
    entries: Mapping[str, Node],
    context: Context,
    *,
    active: tuple[str, ...],
    originals: Mapping[str, Node],
) -> Stack:
    """`originals` are the services to which `tree` was kind, as their file has them."""
    section = own.section(entries.get(own.SECTION))
    networks = declared(entries.get("networks"), context)
    section = _with_network(section, networks, context)
    volumes = named_volumes(entries.get("volumes"), context)
    secrets = declared_secrets(entries.get("secrets"), context)
    nodes = entries["services"].mapping()
    for name, node in nodes.items():
        check_name(name, node)
        node.mapping()
    containers = {name: container_name(name, node, context.project) for name, node in nodes.items()}
    around = Declared(section, networks, volumes, containers, secrets)
    services = {name: service(name, node, around, context) for name, node in nodes.items()}
    whole = _readable(originals, around, context)
    services |= whole
    stack = Stack(
        name=context.project,
        files=(tree.file,),
        network=section.network,
        pool=section.pool,
        subnet=section.subnet,
        gateway=section.gateway,
        ranges=section.ranges,
        exclude=section.exclude,
        ipv6=section.ipv6,
        pool6=section.pool6,
        subnet6=section.subnet6,
        gateway6=section.gateway6,
        ranges6=section.ranges6,
        ros_over=section.ros_over,
        parent=section.parent,
        mode=section.mode,
        master=own.master(section.master, nodes, section.hosts),
        domain=section.domain,
        discovery=discovery(section.discovery, nodes, section.hosts),
        hosts=section.hosts,
        services=services,
        volumes=_used(volumes, services.values()),
        profiles=active,
        notes=tuple(context.notes),
        forgiven=frozenset(originals.keys() - whole.keys()),
    )
    _check_together(stack, nodes)
    meeting = ((section.master, stack.master), (section.discovery, stack.discovery.place))
    for where, name in meeting:
        if where is not None and name in services and services[name].off_lan:
            raise where.error(f"names {name!r}, which is not on the LAN: it has 'lan: false'")
    return stack


def _readable(nodes: Mapping[str, Node], around: Declared, context: Context) -> dict[str, Service]:
    """Those of the services in which there is nothing to forgive, as `launch` reads them: what
    Compose makes of one is then what `launch` would make."""
    silent = replace(context, notes={}, warned=set())
    found = {}
    for name, node in nodes.items():
        with contextlib.suppress(StackFileError):
            found[name] = service(name, node, around, silent)
    return found


def _with_network(
    section: own.Section, networks: Mapping[str, DeclaredNetwork], context: Context
) -> own.Section:
    """What the file's own macvlan network says about the LAN, where the section says nothing."""
    lan = [network for network in networks.values() if network.describes_lan]
    chosen = next((net for net in lan if context.network in (net.key, net.name)), None)
    chosen = chosen or (lan[0] if lan else None)
    if chosen is None:
        return section
    options = chosen.driver_options
    said = section.given
    subnet = chosen.subnets[0] if chosen.subnets else None
    # its subnet, gateway and range belong together: one of them in the section voids all three
    whole = not said & {"subnet", "gateway", "range"}
    context.note(
        f"network {chosen.key!r} ({chosen.driver}) is made by macvlan-ros, as {context.network!r}"
    )
    return replace(
        section,
        parent=section.parent if "parent" in said else options.get("parent", ""),
        mode=section.mode if "mode" in said else _mode(options.get("macvlan_mode", "bridge")),
        subnet=subnet if whole else section.subnet,
        gateway=chosen.gateway if whole else section.gateway,
        ranges=chosen.ranges if whole else section.ranges,
    )


def _mode(text: str) -> str:
    return text if text in NETWORK_MODES else "bridge"


def _used(volumes: Mapping[str, Volume], services: Iterable[Service]) -> dict[str, Volume]:
    """Docker's volumes that some service mounts."""
    wanted = {mount.source for one in services for mount in one.mounts if mount.kind == "volume"}
    return {one.name: one for one in volumes.values() if one.name in wanted}


def _check_together(stack: Stack, nodes: Mapping[str, Node]) -> None:
    waiting = circle(stack.services)
    if waiting:
        entries = nodes[waiting[0]].mapping()
        place = entries.get("depends_on") or nodes[waiting[0]]
        raise place.error(f"goes in a circle: {' -> '.join(waiting)}; take one of them out")
    found = clash(enabled(stack))
    if found is not None:
        entries = nodes[found.service].mapping()
        place = entries.get(found.key) or entries.get(own.SECTION) or nodes[found.service]
        raise place.error(found.problem)
