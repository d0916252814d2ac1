"""The environment of a PC's own terminal: what ROS outside of containers must know of the stack."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping

from netaddr import IPAddress

from macvlan_ros import ros
from macvlan_ros.errors import StackFileError
from macvlan_ros.launching import landing
from macvlan_ros.models.containers import Service
from macvlan_ros.models.pools import Reservation
from macvlan_ros.models.stacks import Stack
from macvlan_ros.values import dataclass

SHELLS = ("sh", "fish")


@dataclass(frozen=True, slots=True)
class HostEnvironment:
    """What ROS on this PC needs. None as a variable's value: it must not be set."""

    host: str
    address: str
    ros: str
    variables: Mapping[str, str | None]
    notes: tuple[str, ...] = ()


def known_addresses(
    stack: Stack, site: landing.Site, reservations: Iterable[Reservation]
) -> dict[str, IPAddress]:
    """The services' addresses by service name, of the family that ROS speaks: those that the file
    fixes, and those reserved."""
    six = stack.ros_over == "ipv6"
    subnet = (site.subnet6 if six else site.subnet) or site.subnet
    held = {one.owner: one.address for one in reservations if one.address in subnet}
    reserved = {one.name: held[one.owner] for one in stack.services.values() if one.owner in held}
    fixed = landing.wanted_addresses6(stack) if six else landing.wanted_addresses(stack, site)
    return {**fixed, **reserved}


def of_host(
    stack: Stack,
    *,
    site: landing.Site,
    known: Mapping[str, IPAddress],
    wanted: str,
    environ: Mapping[str, str],
) -> HostEnvironment:
    """The variables for this PC. `wanted` is the version of ROS ("1", "2"; "" what the terminal
    has); `environ` the terminal's own variables.

    Raises StackFileError when the master's address is not known, or nothing is to be set.
    """
    hosts = landing.host_addresses(stack, site)
    if site.host not in hosts:
        raise StackFileError(
            f"{stack.files[0]}: {site.parent.name} has no address on the stack's LAN, which ROS on"
            f" {site.host} could be reached at; name its parent under x-macvlan-ros.hosts, or say"
            " with --host which host this is"
        )
    address = hosts[site.host]
    terminal = Service(name=site.host, image="", container_name="", ros=wanted, read_only=True)
    version = ros.version(terminal, environ)
    found = ros.environment(
        terminal,
        address=address,
        master_uri=ros.master_uri(stack, known, hosts),
        image_environment=environ,
        former={},
        graph=ros.graph(stack, known, hosts),
    )
    variables = dict(found.variables)
    if version == "1":
        # not even an empty one: it beats ROS_IP
        variables["ROS_HOSTNAME"] = None
    prefix = f"service {site.host!r}: "
    said = [note.removeprefix(prefix).replace(" of the image", "") for note in found.notes]
    notes = tuple(f"{site.host}: {note}" for note in said)
    return HostEnvironment(site.host, str(address), version, variables, notes)


def lines(environment: HostEnvironment, shell: str) -> list[str]:
    """What a shell evaluates, "sh" (bash, zsh …) or "fish"."""
    say = _fish if shell == "fish" else _sh
    return [say(name, value) for name, value in sorted(environment.variables.items())]


def shell_of(path: str) -> str:
    """The shell that a login has, from $SHELL."""
    return "fish" if path.rpartition("/")[2] == "fish" else "sh"


def _sh(name: str, value: str | None) -> str:
    return f"unset {name}" if value is None else f"export {name}={shlex.quote(value)}"


def _fish(name: str, value: str | None) -> str:
    if value is None:
        return f"set -e {name}"
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {name} '{quoted}'"
