"""Drafting: the first stack file of a robot, with a comment for what its reader may want to change.

Pure: values in, the file's text out. What is written loads again with `stack.load`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field

from netaddr import IPRange

from macvlan_ros.errors import InvalidRequest
from macvlan_ros.models.links import Link
from macvlan_ros.notation import check_name
from macvlan_ros.report import range_text
from macvlan_ros.values import dataclass

_PLAIN = re.compile(r"[a-zA-Z0-9][\w./:@-]*", re.ASCII)
# What YAML 1.1 takes for something else than a word.
_NO_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))


@dataclass(frozen=True, slots=True)
class DraftService:
    """A service to be: its name, its image, and the host that it belongs to ("": any)."""

    name: str
    image: str
    host: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a new stack file says. `hosts` maps each PC's name to its parent."""

    parent: Link
    ranges: IPRange
    services: Sequence[DraftService]
    master: str = ""
    hosts: Mapping[str, str] = field(default_factory=dict)
    network: str = "ros_lan"


def parse_service(text: str, *, here: str = "") -> DraftService:
    """NAME=IMAGE or NAME=IMAGE@HOST, where an image's own digest (@sha256:…) is no host.

    Raises InvalidRequest.
    """
    name, separator, image = (part.strip() for part in text.partition("="))
    if not (name and separator and image):
        raise InvalidRequest(
            f"--service {text}: write NAME=IMAGE or NAME=IMAGE@HOST, as in"
            " harmoni_core=harmoniteam/lightweight:harmoni@qtpc"
        )
    before, at, host = image.rpartition("@")
    if at and ":" not in host:
        image = before
    else:
        host = here
    check_service(name)
    if host:
        check_name(host, kind="host")
    if not image or any(letter.isspace() for letter in image):
        raise InvalidRequest(
            f"--service {text}: {image!r} cannot be an image's name; write one like ros:noetic"
        )
    return DraftService(name, image, host)


def check_service(name: str, taken: Collection[str] = ()) -> str:
    """`name` itself if one more service can have it. Raises InvalidRequest."""
    check_name(name, kind="service")
    if len(name) < 2:
        raise InvalidRequest(f"service {name!r} is too short for Docker; take two letters or more")
    if name in taken:
        raise InvalidRequest(f"there is a service {name!r} already; give this one another name")
    return name


def parse_services(texts: Iterable[str], *, here: str = "") -> list[DraftService]:
    """All of them, each under a name of its own. Raises InvalidRequest."""
    found: dict[str, DraftService] = {}
    for text in texts:
        one = parse_service(text, here=here)
        found[check_service(one.name, found)] = one
    return list(found.values())


def likely_master(names: Sequence[str]) -> str:
    """The service that by its name runs roscore; "" when none does."""
    for word in ("roscore", "master", "hardware"):
        for name in names:
            if word in name.lower():
                return name
    return ""


def render(draft: Draft) -> str:
    """The stack file's text."""
    lines = [
        "# A stack of macvlan-ros: a Compose file that docker compose reads too.",
        "# Launch it on each PC, in this folder:  macvlan-ros launch",
        "",
        "x-macvlan-ros:",
        *_aligned(_section(draft)),
    ]
    parts = _parts(draft)
    if draft.hosts:
        lines += _hosts(draft.hosts, parts)
    lines += ["", "services:"]
    for number, service in enumerate(draft.services):
        part = parts.get(service.host, draft.ranges)
        known = service.name == draft.master and len(draft.hosts) > 1
        lines += ["", *_service(service, f"address: {part[number % len(part)]}", known=known)]
    return "\n".join(lines) + "\n"


def _parts(draft: Draft) -> dict[str, IPRange]:
    """Each host's own part of the range, so that two that share no store never choose the same
    address; nothing where there is one host, or too little to part."""
    size, count = len(draft.ranges), len(draft.hosts)
    if count < 2 or size < count:
        return {}
    ends = [size * number // count for number in range(count + 1)]
    pairs = zip(draft.hosts, ends, ends[1:], strict=False)
    return {name: IPRange(draft.ranges[a], draft.ranges[b - 1]) for name, a, b in pairs}


def _hosts(parents: Mapping[str, str], parts: Mapping[str, IPRange]) -> list[str]:
    why = "the PCs by hostname, with their interfaces"
    lines = [f"  {'hosts:':<39} # {why}{' and parts of the range' if parts else ''}"]
    for name, parent in parents.items():
        part = f", range: {range_text(parts[name])}" if parts else ""
        lines.append(f"    {_word(name)}: {{parent: {_word(parent)}{part}}}")
    return lines


def _section(draft: Draft) -> list[tuple[str, str]]:
    subnet = next(a.cidr for a in draft.parent.addresses if a.version == draft.ranges.version)
    rows = [
        (f"network: {_word(draft.network)}", "the Docker network's name"),
        ("subnet: auto", f"read off {draft.parent.name}; now {subnet}"),
        (
            f"range: {range_text(draft.ranges)}",
            "what may be handed out; keep your router out of it",
        ),
    ]
    if draft.master:
        rows.append((f"master: {_word(draft.master)}", "where roscore runs"))
    else:
        rows.append(("# master: NAME", "where roscore runs (ROS 1): a service, host:PC, or a URI"))
    return rows


def _service(service: DraftService, chosen: str, *, known: bool) -> list[str]:
    """A service's lines; its `chosen` address is in them, or offered, where it need not be
    `known` to other PCs."""
    rows = [
        (f"  image: {_word(service.image)}", ""),
        (f"  container_name: {_word(service.name)}", "its address is kept under this name"),
        ("  # command: roslaunch PACKAGE FILE", "else what the image starts"),
        ("  # devices: [/dev/video0:/dev/video0]", "a camera, a sound card (/dev/snd) ..."),
        ("  restart: unless-stopped", "there again after a reboot"),
        ("  init: true", "stops at once when it is told to"),
    ]
    if service.host:
        host = f"host: {_word(service.host)}"
        if known:
            rows.append((f"  x-macvlan-ros: {{{host}, {chosen}}}", "all PCs must know the master"))
        else:
            rows.append((f"  x-macvlan-ros: {{{host}}}", f"or {{{host}, {chosen}}}"))
    else:
        rows.append((f"  # x-macvlan-ros: {{{chosen}}}", "an address that you choose"))
    return [f"  {_word(service.name)}:", *_aligned(rows)]


def _aligned(rows: Sequence[tuple[str, str]]) -> list[str]:
    return [f"  {text:<39} # {why}" if why else f"  {text}" for text, why in rows]


def _word(text: str) -> str:
    """A YAML scalar that is this very text; JSON's strings are YAML's too."""
    plain = _PLAIN.fullmatch(text) and not text[0].isdigit() and text.lower() not in _NO_WORDS
    return text if plain and not text.endswith(":") else json.dumps(text, ensure_ascii=False)
