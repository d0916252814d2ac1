"""Services: one entry of `services`, every key of it read, noted or refused by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from macvlan_ros.models.containers import Dependency, DeviceRequest, Service, Volume
from macvlan_ros.near import did_you_mean
from macvlan_ros.stack.building import build_recipe
from macvlan_ros.stack.context import Context
from macvlan_ros.stack.deploy import deploy
from macvlan_ros.stack.environment import environment
from macvlan_ros.stack.host_config import HOST_CONFIG_KEYS
from macvlan_ros.stack.keys import IGNORED, REFUSED
from macvlan_ros.stack.mounts import device_requests, devices, mounts, tmpfs, vendor_devices
from macvlan_ros.stack.networks import Attached, DeclaredNetwork, attached, off_the_lan
from macvlan_ros.stack.nodes import Node, child, shorten, take
from macvlan_ros.stack.secrets import Secret
from macvlan_ros.stack.section import SECTION, Section, ServiceSection, service_section
from macvlan_ros.stack.security import security_options
from macvlan_ros.stack.values import (
    address,
    duration,
    healthcheck,
    size,
    text_pairs,
    texts,
    ulimits,
    words,
)
from macvlan_ros.values import dataclass

#: What honours all of Compose's keys.
_INSTEAD = "macvlan-ros compose up -d"
_NAME = re.compile(r"[a-zA-Z0-9._-]+", re.ASCII)
_CONTAINER = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}", re.ASCII)
_PROFILE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Declared:
    """What a service's reader needs of the rest of the stack. `containers` are all services'
    container names, which come first because services may refer to each other."""

    section: Section
    networks: Mapping[str, DeclaredNetwork]
    volumes: Mapping[str, Volume]
    containers: Mapping[str, str]
    secrets: Mapping[str, Secret]


def _dns(node: Node) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(address(item)) for item in node.one_or_many()))


def _profiles(node: Node) -> tuple[str, ...]:
    for item in node.items():
        if not _PROFILE.fullmatch(item.string()):
            raise item.error(f"is no profile's name: {shorten(item.text)}")
    return node.strings()


def _pull_policy(node: Node) -> str:
    policies = {"if_not_present": "missing", "build": "missing"}
    policy = policies.get(node.string(), node.string())
    if policy not in ("always", "never", "missing"):
        raise node.error(f"must be always, missing or never, is {shorten(policy)}")
    return policy


def _extra_hosts(node: Node) -> tuple[tuple[str, str], ...]:
    """Names with their addresses, `host-gateway` among them; a name may have several."""
    found: dict[tuple[str, str], None] = {}
    for name, entry in node.pairs("=:").items():
        for item in entry.one_or_many() or [entry]:
            text = "" if item.absent else item.string().strip()
            bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
            if not name or not bare:
                raise item.error("must be NAME=ADDRESS, for instance qtrp=192.168.50.12")
            if bare != "host-gateway":
                bare = str(address(child(node, name, bare)))
            found[name, bare] = None
    return tuple(found)


Reader: TypeAlias = Callable[[Node], Any]

#: Keys that are one field of Service, with how each is read.
_FIELDS: dict[str, tuple[str, Reader]] = {
    "image": ("image", Node.string),
    "command": ("command", words),
    "entrypoint": ("entrypoint", words),
    "hostname": ("hostname", Node.string),
    "domainname": ("domainname", Node.string),
    "labels": ("labels", text_pairs),
    "init": ("init", Node.boolean),
    "tty": ("tty", Node.boolean),
    "stdin_open": ("stdin_open", Node.boolean),
    "privileged": ("privileged", Node.boolean),
    "read_only": ("read_only", Node.boolean),
    "working_dir": ("working_dir", Node.string),
    "user": ("user", Node.string),
    "devices": ("devices", devices),
    "device_cgroup_rules": ("device_cgroup_rules", Node.strings),
    "tmpfs": ("tmpfs", tmpfs),
    "cap_add": ("cap_add", Node.strings),
    "cap_drop": ("cap_drop", Node.strings),
    "group_add": ("group_add", Node.strings),
    "shm_size": ("shm_size", size),
    "ulimits": ("ulimits", ulimits),
    "sysctls": ("sysctls", text_pairs),
    "extra_hosts": ("extra_hosts", _extra_hosts),
    "dns": ("dns", _dns),
    "dns_search": ("dns_search", texts),
    "dns_opt": ("dns_options", texts),
    "stop_signal": ("stop_signal", Node.string),
    "stop_grace_period": ("stop_grace_period", duration),
    "healthcheck": ("healthcheck", healthcheck),
    "runtime": ("runtime", Node.string),
    "profiles": ("profiles", _profiles),
    "platform": ("platform", Node.string),
    "pull_policy": ("pull_policy", _pull_policy),
}

#: Keys that are read with others, below or in deploy.py.
_TOGETHER = (
    "container_name build extends environment env_file volumes networks network_mode mac_address "
    "security_opt depends_on restart logging ipc pid gpus deploy mem_limit cpus scale " + SECTION
).split()

SERVICE_KEYS = frozenset((*_FIELDS, *_TOGETHER, *HOST_CONFIG_KEYS, *IGNORED))


def check_name(name: str, node: Node) -> None:
    """Raises StackFileError for a name that Compose does not allow either."""
    if not _NAME.fullmatch(name):
        raise node.error("is no service's name; use letters, digits, '.', '_' and '-'")


def container_name(name: str, node: Node, project: str) -> str:
    """The container's name: `container_name`, else the service's own name.

    Compose would say PROJECT-SERVICE-1. Here the container's name is what the address is reserved
    under and what other hosts see in `list`; it should be short, and the same from every folder.
    PROJECT-SERVICE stands in where Docker does not take the service's name, as with "a" or "_a".
    """
    given = node.mapping().get("container_name")
    if given is None or given.absent:
        wanted = name if _CONTAINER.fullmatch(name) else f"{project}-{name}"
    else:
        wanted = given.string()
    if not _CONTAINER.fullmatch(wanted):
        raise (given or node).error(
            f"gives the container the name {shorten(wanted)}, which Docker does not take: it must "
            "have 2 to 128 letters, digits, '_', '.' or '-', the first a letter or digit; "
            "choose another 'container_name'"
        )
    return wanted


def service(name: str, node: Node, declared: Declared, context: Context) -> Service:
    """One service, resolved. Raises StackFileError that names the file, the service and the key."""
    entries = _known(node)
    fields: dict[str, Any] = {}
    for key, (field, reader) in _FIELDS.items():
        if key in entries:
            fields[field] = reader(entries[key])
    for key, sentence in IGNORED.items():
        if key in entries:
            context.note(f"service {name!r}: {sentence}")
    _note_details(name, entries, context)
    own = service_section(entries.get(SECTION), declared.section)
    net = _attached(name, entries, declared, context, own=own)
    fields.update(_image(name, node, entries, context, declared.secrets))
    fields.update(deploy(name, entries, context))
    dependencies = _dependencies(entries, declared.containers)
    for key in ("ipc", "pid"):
        if key in entries:
            fields[key] = _namespace(entries[key], declared.containers, dependencies)
    fields["device_requests"] = (*_requests(entries), *fields.get("device_requests", ()))
    if "security_opt" in entries:
        fields["security_opt"] = security_options(entries["security_opt"], context)
    if "volumes" in entries:
        fields["mounts"] = mounts(entries["volumes"], context, declared.volumes)
    fields["environment"], fields["missing"] = environment(entries, context)
    return Service(
        **fields,
        name=name,
        container_name=declared.containers[name],
        compose_name="" if "container_name" in entries else f"{context.project}-{name}-1",
        host=own.host,
        address=own.address,
        address6=own.address6,
        former_address=net.former_address,
        mac=own.mac or net.mac,
        ros=own.ros,
        depends_on=tuple(dependencies.values()),
        aliases=net.aliases,
        bridges=net.bridges,
        default_route=net.default_route,
        off_lan=net.off_lan,
        host_network=net.host_network,
    )


def _requests(entries: Mapping[str, Node]) -> tuple[DeviceRequest, ...]:
    """What the engine is asked to find devices for; `deploy` has more of it."""
    gpus = take(entries, "gpus", device_requests, ())
    return (*gpus, *take(entries, "devices", vendor_devices, ()))


def _attached(
    name: str,
    entries: Mapping[str, Node],
    declared: Declared,
    context: Context,
    *,
    own: ServiceSection,
) -> Attached:
    if not own.lan:
        return off_the_lan(entries[SECTION], entries, declared.networks)
    found = attached(name, entries, declared.networks, context)
    if found.off_lan and (own.address or own.address6 or own.mac):
        raise entries["network_mode"].error(
            "goes with no address on the LAN; remove one of the two"
        )
    return found


def _known(node: Node) -> dict[str, Node]:
    """The keys that have a value. Raises StackFileError for those that nothing here reads."""
    entries = {k: v for k, v in node.mapping().items() if k == SECTION or k[:2] != "x-"}
    for key, value in entries.items():
        if key in REFUSED:
            raise value.error(f"is not supported; {REFUSED[key]}, or start it with: {_INSTEAD}")
        if key not in SERVICE_KEYS:
            hint = did_you_mean(key, SERVICE_KEYS)
            raise value.error(f"is not a key of a service{hint}")
    # an empty command is one: null leaves the image's, "" and [] do not
    return {key: value for key, value in entries.items() if not value.absent}


def _note_details(name: str, entries: Mapping[str, Node], context: Context) -> None:
    """What is understood inside a key that is otherwise read, and yet changes nothing."""
    if "start_interval" in take(entries, "healthcheck", Node.mapping, {}):
        context.note(f"service {name!r}: healthcheck.start_interval is ignored; interval counts")
    dependencies = take(entries, "depends_on", Node.named, {}).values()
    if any("restart" in one.mapping() for one in dependencies):
        context.note(f"service {name!r}: depends_on.restart is ignored; launch again instead")


def _image(
    name: str,
    node: Node,
    entries: Mapping[str, Node],
    context: Context,
    secrets: Mapping[str, Secret],
) -> dict[str, object]:
    """The image, and whether it is built; a built one without a name is called as Compose does."""
    build = "build" in entries
    image = take(entries, "image", Node.string, "").strip()
    if not image and not build:
        raise entries.get("image", node).error("has no image; add 'image: NAME'")
    return {
        "build": build,
        "recipe": build_recipe(entries["build"], context, secrets) if build else None,
        "image": image or f"{context.project}-{name}",
    }


_CONDITIONS = {
    "service_started": "started",
    "service_healthy": "healthy",
    "service_completed_successfully": "completed",
}


def _dependencies(
    entries: Mapping[str, Node], containers: Mapping[str, str]
) -> dict[str, Dependency]:
    node = entries.get("depends_on")
    if node is None:
        return {}
    found = {}
    for name, item in node.named().items():
        known = item.known(("condition", "restart", "required"), " of a dependency")
        required = take(known, "required", Node.boolean, True)
        if name not in containers:
            if not required:
                continue
            raise item.error(f"names {name!r}, which is no service{did_you_mean(name, containers)}")
        condition = take(known, "condition", Node.string, "service_started")
        if condition not in _CONDITIONS:
            raise known["condition"].error(
                f"must be one of {', '.join(_CONDITIONS)}, is {shorten(condition)}"
                f"{did_you_mean(condition, _CONDITIONS)}"
            )
        found[name] = Dependency(name, _CONDITIONS[condition], required)
    return found


def _namespace(
    node: Node, containers: Mapping[str, str], dependencies: dict[str, Dependency]
) -> str:
    """`ipc` or `pid`: "service:NAME" becomes that service's container, which must run first."""
    text = node.string()
    if not text.startswith("service:"):
        return text
    name = text.removeprefix("service:")
    if name not in containers:
        raise node.error(f"names {name!r}, which is no service{did_you_mean(name, containers)}")
    dependencies.setdefault(name, Dependency(name))
    return f"container:{containers[name]}"
