"""ROS: the environment that makes a container a ROS node of the LAN.

Pure. What ROS 1 makes of the variables: `ROS_HOSTNAME`, where it is set, beats `ROS_IP`; every
node tells the others the one or the other, and they connect to it (wiki.ros.org,
"ROS/EnvironmentVariables").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from netaddr import AddrFormatError

from macvlan_ros.errors import StackFileError
from macvlan_ros.models import IPAddress, Service, Stack

#: Where roscore listens unless told otherwise.
MASTER_PORT = 11311


@dataclass(frozen=True, slots=True)
class RosEnvironment:
    """A container's variables; None as a value removes one that the image sets. `notes` are what
    was changed and why, one sentence each."""

    variables: Mapping[str, str | None]
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Draft:
    """A service's environment while it is being changed."""

    service: str
    variables: dict[str, str | None]
    image: Mapping[str, str]
    notes: list[str] = field(default_factory=list)

    def note(self, sentence: str) -> None:
        self.notes.append(f"service {self.service!r}: {sentence}")

    def remove(self, name: str) -> None:
        """Take a variable away, the image's own too."""
        self.variables.pop(name, None)
        if name in self.image:
            self.variables[name] = None


def environment(
    service: Service,
    *,
    address: IPAddress,
    master_uri: str | None,
    image_environment: Mapping[str, str],
    former: Mapping[IPAddress, tuple[str, IPAddress]],
) -> RosEnvironment:
    """The service's variables with ROS set up for `address`.

    `master_uri` is the stack's master (None: the file's own variable counts); `former` maps an
    address that a service of the stack had on a replaced network to that service's name and its
    address now. A service with `ros: none` keeps its variables as they are.
    """
    draft = _Draft(service.name, dict(service.environment), image_environment)
    if service.ros != "none":
        _set_address(draft, address)
        _set_master(draft, master_uri, former)
    return RosEnvironment(draft.variables, tuple(draft.notes))


def _set_address(draft: _Draft, address: IPAddress) -> None:
    name = draft.variables.get("ROS_HOSTNAME", draft.image.get("ROS_HOSTNAME"))
    if name is not None:
        source = "" if "ROS_HOSTNAME" in draft.variables else "of the image "
        draft.note(
            f"ROS_HOSTNAME={name} {source}is removed, because it beats ROS_IP "
            f"(and ROS_IP is {address})"
        )
        draft.remove("ROS_HOSTNAME")
    old = draft.variables.get("ROS_IP")
    if old and old != str(address):
        draft.note(f"ROS_IP={old} is replaced by the container's own address {address}")
    draft.variables["ROS_IP"] = str(address)
    if address.version == 6:
        draft.variables["ROS_IPV6"] = "on"


def _set_master(
    draft: _Draft, master: str | None, former: Mapping[IPAddress, tuple[str, IPAddress]]
) -> None:
    said = draft.variables.get("ROS_MASTER_URI")
    if master is not None:
        if said and said != master:
            draft.note(f"ROS_MASTER_URI={said} is replaced by the stack's master {master}")
        draft.variables["ROS_MASTER_URI"] = master
    elif said == "":
        del draft.variables["ROS_MASTER_URI"]
        draft.note("ROS_MASTER_URI is empty, so it is left as the image has it")
    elif said:
        _move_master(draft, said, former)


def _move_master(
    draft: _Draft, said: str, former: Mapping[IPAddress, tuple[str, IPAddress]]
) -> None:
    """Follow a service of the stack from its former address to the new one."""
    try:
        parts = urlsplit(said)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return  # nothing that can be followed; ROS itself will complain
    if host in ("localhost", "::1") or host.startswith("127."):
        # on the host's network all containers shared it; now each has its own
        draft.note(
            f"ROS_MASTER_URI={said} is this very container, not the host; if roscore runs "
            "elsewhere, name it at x-macvlan-ros.master"
        )
    try:
        old = IPAddress(host)
    except (AddrFormatError, ValueError):
        return  # a name, which resolves
    if old not in former:
        return
    name, new = former[old]
    if new == old:
        return
    user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    place = f"{user}{_bracketed(new)}" + (f":{port}" if port is not None else "")
    uri = parts._replace(netloc=place).geturl()
    draft.variables["ROS_MASTER_URI"] = uri
    draft.note(f"ROS_MASTER_URI={said} becomes {uri}: that is where {name!r} is on the LAN")


def _bracketed(address: IPAddress) -> str:
    return f"[{address}]" if address.version == 6 else str(address)


def master_uri(
    stack: Stack, addresses: Mapping[str, IPAddress], host_addresses: Mapping[str, IPAddress]
) -> str | None:
    """The URI of the stack's master; None when the stack names none.

    `addresses` are the services' by service name, `host_addresses` the PCs' own. Raises
    StackFileError when the master's address is not known.
    """
    if not stack.master:
        return None
    if "://" in stack.master:
        return stack.master
    host = stack.master.removeprefix("host:")
    if host != stack.master:
        entry = stack.hosts.get(host)
        known = host_addresses.get(host) or (entry.address if entry else None)
        if known is None:
            raise StackFileError(
                f"{stack.files[0]}: the master is the host {host!r}, whose address is not known; "
                f"write it at x-macvlan-ros.hosts.{host}.address"
            )
        return f"http://{_bracketed(known)}:{MASTER_PORT}"
    if stack.master not in addresses:
        raise StackFileError(
            f"{stack.files[0]}: the master is the service {stack.master!r}, which has no address "
            "yet; launch it first or with the others"
        )
    return f"http://{_bracketed(addresses[stack.master])}:{MASTER_PORT}"


def former_addresses(
    stack: Stack, addresses: Mapping[str, IPAddress]
) -> dict[IPAddress, tuple[str, IPAddress]]:
    """For `environment`: where services went that had an address elsewhere than on the LAN.

    A fixed address on a bridge counts too, for other hosts cannot reach it.
    """
    found: dict[IPAddress, tuple[str, IPAddress]] = {}
    for service in stack.services.values():
        new = addresses.get(service.name)
        olds = [service.former_address, *(bridge.address for bridge in service.bridges)]
        for old in olds:
            if old is not None and new is not None and old != new:
                found.setdefault(old, (service.name, new))
    return found
