"""Told: which interface and which peers a container's variables and files name to its ROS 2.

Sources: Fast DDS, "XML profiles" and "Environment variables"; Cyclone DDS, "Configuration guide".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from macvlan_ros.values import dataclass
from macvlan_ros.verify import container_files, culprits
from macvlan_ros.verify.names import as_address
from macvlan_ros.verify.place import Place

#: The first until Fast DDS 2, the second from 3 on.
_OF_FAST = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
_OF_CYCLONE = "CYCLONEDDS_URI"
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_FLAGS = re.DOTALL | re.IGNORECASE
#: Where a configuration says which interfaces are used: Fast DDS's, Cyclone DDS's new and old.
_LISTS = (
    re.compile(r"<interfaceWhiteList>(.*?)</interfaceWhiteList>", _FLAGS),
    re.compile(r"(<NetworkInterface\b[^>]*>)", _FLAGS),
    re.compile(r"<NetworkInterfaceAddress>(.*?)</NetworkInterfaceAddress>", _FLAGS),
)
#: An interface in one of these: its address, or its name.
_INTERFACE = re.compile(
    r"""<address>\s*([^<\s]+)|\b(?:address|name)\s*=\s*["']([^"']+)|^\s*([^<>\s]+)\s*$""",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Told:
    """What a container was told.

    `text` is all that may name its peers, `broken` what is wrong with it, a clause each.
    `is_known` is False where it cannot be looked at.
    """

    text: str = ""
    broken: tuple[str, ...] = ()
    is_known: bool = True

    def names(self, place: Place, version: int) -> bool:
        """Whether that place is named as a peer, by its address of that version or by a name."""
        return any(
            mentions(self.text, str(one)) for one in (place.at(version), *place.names) if one
        )


def of(place: Place) -> Told:
    """What the first process of a container was told, its own environment and files say."""
    variables = culprits.environment(place.pid)
    if not variables:
        return Told(is_known=False)
    texts, broken = [variables.get("ROS_STATIC_PEERS", "")], list[str]()
    for where, text in _configurations(variables, Path(f"/proc/{place.pid}/root")):
        if text is None:
            broken.append(f"its {where} is not there")
            continue
        plain = _COMMENT.sub("", text)
        texts.append(plain)
        if wrong := _wrong_interface(plain, place):
            own = place.address or place.address6
            broken.append(f"its {where} takes the interface {wrong}, and it has {own}")
    return Told(" ".join(texts), tuple(broken))


def mentions(text: str, word: str) -> bool:
    """Whether that very address or name is in the text of a configuration."""
    return re.search(rf"(?<![\w.:-]){re.escape(word)}(?![\w.:-])", text) is not None


def _configurations(variables: Mapping[str, str], root: Path) -> Iterator[tuple[str, str | None]]:
    """Where each configuration is that the middleware reads, and its text; None for a file that is
    not there. A relative path is left out: who reads it may be in any folder."""
    middleware = variables.get("RMW_IMPLEMENTATION", "")
    files: dict[str, str] = {}
    if "cyclone" not in middleware:
        files = {variables.get(name, ""): name for name in _OF_FAST}
    if "fastrtps" not in middleware:
        said = variables.get(_OF_CYCLONE, "").strip()
        if said.startswith("<"):
            yield _OF_CYCLONE, said
        else:
            files |= {one.strip().removeprefix("file://"): _OF_CYCLONE for one in said.split(",")}
    for path, name in files.items():
        if path.startswith("/"):
            yield f"{name} {path}", container_files.read(root, path)


def _wrong_interface(text: str, place: Place) -> str:
    """The interfaces that a configuration takes, where they are addresses, and none of them is the
    container's on the LAN."""
    said = [
        "".join(found)
        for listed in _LISTS
        for part in listed.findall(text)
        for found in _INTERFACE.findall(part)
    ]
    meant = [as_address(one) for one in said]
    if None in meant or {place.address, place.address6} & set(meant):
        return ""
    return ", ".join(said)
