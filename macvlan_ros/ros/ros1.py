"""ROS 1: the variables that make a container a node of the LAN.

Pure. What ROS 1 makes of them: `ROS_HOSTNAME`, where it is set, beats `ROS_IP`; every node tells
the others the one or the other, and they connect to it (wiki.ros.org, "ROS/EnvironmentVariables").
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from netaddr import AddrFormatError, IPAddress

from macvlan_ros.models.stacks import Stack
from macvlan_ros.ros.draft import Draft, bracketed
from macvlan_ros.ros.places import address_of

#: Where roscore listens unless told otherwise.
MASTER_PORT = 11311


def prepare(
    draft: Draft,
    *,
    address: IPAddress,
    master: str | None,
    former: Mapping[IPAddress, tuple[str, IPAddress]],
) -> None:
    """Set a service up for ROS 1; see `environment`."""
    _set_address(draft, address)
    _set_master(draft, master, former)


def _set_address(draft: Draft, address: IPAddress) -> None:
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
    draft: Draft, master: str | None, former: Mapping[IPAddress, tuple[str, IPAddress]]
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
    draft: Draft, said: str, former: Mapping[IPAddress, tuple[str, IPAddress]]
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
    place = f"{user}{bracketed(new)}" + (f":{port}" if port is not None else "")
    uri = parts._replace(netloc=place).geturl()
    draft.variables["ROS_MASTER_URI"] = uri
    draft.note(f"ROS_MASTER_URI={said} becomes {uri}: that is where {name!r} is on the LAN")


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
    found = address_of(stack, stack.master, "the master", addresses=addresses, hosts=host_addresses)
    return f"http://{bracketed(found)}:{MASTER_PORT}"


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
