"""Rewriting: a `docker run` line as people have it -> the same on the LAN. Pure.

What contradicts an address of the container's own is taken out, each with a sentence about it; all
the rest stays as it was written, in its order.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from netaddr import IPAddress

from macvlan_ros import ros
from macvlan_ros.docker_cli.parsing import Option, RunLine, option, without
from macvlan_ros.errors import InvalidRequest
from macvlan_ros.lan_names import host_gateway
from macvlan_ros.models.containers import Attachment, Service
from macvlan_ros.values import dataclass

#: The variables that tell a ROS node where it is and where the master is.
ROS_VARIABLES = (
    "ROS_IP",
    "ROS_HOSTNAME",
    "ROS_IPV6",
    "ROS_MASTER_URI",
    "ROS_LOCALHOST_ONLY",
    "ZENOH_CONFIG_OVERRIDE",
    "ZENOH_ROUTER_CHECK_ATTEMPTS",
)
#: Those that tell which ROS it is, and with whom it speaks; they stay as the line has them.
_TELLING = (
    "ROS_DISTRO",
    "ROS_VERSION",
    "ROS_DOMAIN_ID",
    "ROS_AUTOMATIC_DISCOVERY_RANGE",
    "RMW_IMPLEMENTATION",
)
#: What notes about a stack say, and what of a line.
_WORDS = {
    "name it at x-macvlan-ros.master": "add: --master host, or --master NAME",
    "the stack's master": "--master",
    "as the stack file has it": "as the line has it",
}
_PORTS = "ports are not published: on macvlan every port is open on the container's own address"
_FIELDS = ("name", "alias", "ip", "ip6", "mac-address")
_ADVANCED = re.compile(r"(?:^|,)\s*name=")


@dataclass(frozen=True, slots=True)
class Joining:
    """What a line says of its main network. `name` is "" when it names none; `more` are the fields
    of the long form that we have no business with."""

    name: str = ""
    aliases: tuple[str, ...] = ()
    address: str = ""
    mac: str = ""
    address6: str = ""
    more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The new line; `unset` are variables that Docker's command line must not find in its own
    environment; `notes` say what was changed and why."""

    line: RunLine
    unset: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def joining(line: RunLine) -> Joining:
    """What a line asks of the network. Raises InvalidRequest for another container's network."""
    main = next(iter(line.values("network")), "")
    address = line.value("ip") or ""
    address6 = line.value("ip6") or ""
    mac = line.value("mac-address") or ""
    if main.startswith("container:"):
        raise InvalidRequest(
            f"--network {main} shares the network of another container, and so its address; run it"
            " with: docker run"
        )
    if not _ADVANCED.search(main):
        return Joining(main, (), address, mac, address6)
    words = next(csv.reader([main]), [])
    fields = [word.partition("=") for word in words]
    said = {key.strip().lower(): value for key, _, value in fields}
    aliases = tuple(value for key, _, value in fields if key.strip().lower() == "alias")
    more = tuple(word for word in words if word.partition("=")[0].strip().lower() not in _FIELDS)
    return Joining(
        said["name"],
        aliases,
        said.get("ip", address),
        said.get("mac-address", mac),
        said.get("ip6", address6),
        more,
    )


def network_name(text: str) -> str:
    """The network that a value of --network names, in its short or its long form."""
    return joining(RunLine((option("network", text),), "", ())).name


def lan_first(line: RunLine, names: Collection[str]) -> RunLine:
    """The line with the first --network that is one of `names` before the others: what is said of
    an address beside them is meant for the first."""
    said = [one for one in line.options if one.name == "network"]
    ours = next((one for one in said if network_name(one.value or "") in names), None)
    if ours is None or ours is said[0]:
        return line
    rest = [one for one in line.options if one is not ours]
    at = next(number for number, one in enumerate(rest) if one.name == "network")
    return replace(line, options=(*rest[:at], ours, *rest[at:]))


def on_lan(
    line: RunLine,
    *,
    name: str,
    place: Attachment,
    labels: Mapping[str, str],
    beside: Sequence[str] = (),
    host: IPAddress | None = None,
) -> Rewritten:
    """The line with its container at `place`, under `name`, and on the networks `beside`, which
    are values of --network. `host` is the PC's own address on the LAN, if it has one."""
    notes = []
    said = joining(line)
    ports = [one for one in line.options if one.name in ("publish", "publish-all")]
    if ports:
        written = " ".join(word for one in ports for word in one.words)
        notes.append(f"{written}: {_PORTS}")
    if said.address6 and place.address6 is None:
        notes.append(f"--ip6 {said.address6} is not used: the network has IPv4 alone")
    kept, _ = without(
        line.options,
        lambda one: one.name in ("publish", "publish-all", "network", "ip", "ip6", "mac-address"),
    )
    kept = tuple(_reaching(one, host, notes) for one in kept)
    more = [option("name", name)] if line.value("name") is None else []
    more += [option("network-alias", alias) for alias in said.aliases]
    more += [
        option("network", _long_form(place.network, said.more)),
        option("ip", str(place.address)),
        *((option("ip6", str(place.address6)),) if place.address6 else ()),
        option("mac-address", place.mac),
        *(option("network", text) for text in beside),
    ]
    more += [option("label", f"{key}={value}") for key, value in labels.items()]
    return Rewritten(replace(line, options=(*kept, *more)), (), tuple(notes))


def _long_form(network: str, more: Sequence[str]) -> str:
    """The value of --network, with what else the line says of it."""
    if not more:
        return network
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([f"name={network}", *more])
    return text.getvalue()


def _reaching(one: Option, host: IPAddress | None, notes: list[str]) -> Option:
    """An --add-host whose name is the PC's, with an address that the container reaches."""
    if one.name != "add-host" or not one.value:
        return one
    value, note = host_gateway.option(one.value, host)
    if not note:
        return one
    notes.append(f"--add-host {note}")
    return option("add-host", value)


def with_ros(
    line: RunLine,
    *,
    name: str,
    address: IPAddress,
    master: str | None,
    image: Mapping[str, str] | None,
    environ: Mapping[str, str],
) -> Rewritten:
    """The line with ROS set up for `address`. `image` are the variables of the image, None when it
    is not there yet; `master` is a URI that goes before what the line says."""
    line = _unfold_files(line, environ)
    written = variables(line, environ)
    said = dict(written)
    notes = []
    if master is None and "ROS_MASTER_URI" not in said and environ.get("ROS_MASTER_URI"):
        notes += _inherit_master(said, environ["ROS_MASTER_URI"])
    found = ros.environment(
        Service(name=name, image=line.image, container_name=name, environment=said),
        address=address,
        master_uri=master,
        # what an image that is still to be pulled sets is not known: it is taken out all the same
        image_environment={"ROS_HOSTNAME": ""} if image is None else image,
        former={},
    )
    guessed = "" if image is not None or "ROS_HOSTNAME" in said else "ROS_HOSTNAME="
    about = [_about_run(note, name) for note in found.notes]
    notes += [note for note in about if not guessed or not note.startswith(guessed)]
    changed = {
        key
        for key in ROS_VARIABLES
        if (key in written, written.get(key)) != (key in found.variables, found.variables.get(key))
    }
    kept, _ = without(
        line.options, lambda one: one.name == "env" and _name(one.value or "") in changed
    )
    new = {key: found.variables[key] for key in ROS_VARIABLES if key in found.variables}
    # a name alone, when the command line's own environment lacks it, removes the image's variable
    unset = tuple(key for key, value in new.items() if value is None)
    more = [
        option("env", key if value is None else f"{key}={value}")
        for key, value in new.items()
        if key in changed
    ]
    return Rewritten(replace(line, options=(*kept, *more)), unset, tuple(notes))


def variables(line: RunLine, environ: Mapping[str, str]) -> dict[str, str]:
    """The ROS variables that a line sets, a bare name from the caller's environment."""
    found: dict[str, str] = {}
    for text in line.values("env"):
        name, sign, value = text.partition("=")
        if name in (*ROS_VARIABLES, *_TELLING):
            if sign:
                found[name] = value
            elif name in environ:
                found[name] = environ[name]
    return found


def _name(text: str) -> str:
    return text.partition("=")[0]


def _inherit_master(said: dict[str, str], uri: str) -> list[str]:
    """Over the host's network the container would have had the host's own master."""
    if any(f"//{name}" in uri for name in ("localhost", "127.", "[::1]")):
        return [
            f"ROS_MASTER_URI={uri} of this shell is this PC itself, and is not handed on; if"
            " roscore runs on this PC, add: --master host"
        ]
    said["ROS_MASTER_URI"] = uri
    return [f"ROS_MASTER_URI={uri} is taken from this shell"]


def _about_run(note: str, name: str) -> str:
    note = note.removeprefix(f"service {name!r}: ")
    for ours, here in _WORDS.items():
        note = note.replace(ours, here)
    return note


def _unfold_files(line: RunLine, environ: Mapping[str, str]) -> RunLine:
    """Files that set a ROS variable are written out: what a file sets, the engine does not let a
    bare `-e NAME` take away. Docker reads all files before all `-e`, and so does this."""
    unfolded: list[Option] = []
    kept: list[Option] = []
    for one in line.options:
        entries = _read_file(one.value or "", environ) if one.name == "env-file" else None
        names = {_name(text) for text in entries or ()}
        if entries is not None and not names.isdisjoint((*ROS_VARIABLES, *_TELLING)):
            unfolded += [option("env", text) for text in entries]
        else:
            kept.append(one)
    return replace(line, options=(*unfolded, *kept))


def _read_file(path: str, environ: Mapping[str, str]) -> list[str] | None:
    """NAME=VALUE as Docker reads them from a file (docker/cli, opts/file.go); None when it cannot
    be read: Docker will say so itself."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, ValueError):
        return None
    found = []
    for line in (raw.lstrip() for raw in text.splitlines()):
        if line and not line.startswith("#"):
            name, sign, _ = line.partition("=")
            if sign or name in environ:
                found.append(line if sign else f"{name}={environ[name]}")
    return found
