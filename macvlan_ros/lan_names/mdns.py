"""mDNS: the containers that run here answer to NAME.local, for the whole LAN (RFC 6762).

Each LAN has a voice of its own, for a name has another address on each. It speaks out of the parent
and out of the shim, if there is one: this host's containers do not hear the parent, nor it them.
The packets are IPv4's, the addresses in them of both families.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from netaddr import IPAddress

from macvlan_ros.closing import Closing
from macvlan_ros.errors import MacvlanRosError, Unavailable
from macvlan_ros.interrupts import deaf
from macvlan_ros.lan_names.mdns_voice import Voice
from macvlan_ros.links import Links
from macvlan_ros.news import News
from macvlan_ros.reaching.shim import show_shim

__all__ = ["Containers", "Publisher", "names_of"]

#: Addresses by the container's name.
Containers: TypeAlias = Mapping[str, Sequence[IPAddress]]

#: Bytes of a DNS label (RFC 1035, section 2.3.4).
_LONGEST = 63


def names_of(containers: Containers) -> dict[str, tuple[IPAddress, ...]]:
    """What to publish: each name, and with '-' in the place of '_' where nobody has that name, for
    many resolvers refuse underscores. DNS tells no capitals; names over 63 bytes are left out."""
    found: dict[str, tuple[IPAddress, ...]] = {}
    for name in sorted(containers):
        if len(name.encode()) <= _LONGEST:
            found.setdefault(name.lower(), tuple(containers[name]))
    for name in tuple(found):
        found.setdefault(name.replace("_", "-"), found[name])
    return found


class Publisher(Closing):
    """Follows the containers of this host. `containers` gives those of each parent's LAN."""

    def __init__(
        self,
        containers: Callable[[], Mapping[str, Containers]],
        *,
        links: Links,
        say: Callable[[str], None],
        note: Callable[[str], None],
        namespace: Path | None = None,
    ) -> None:
        self._containers = containers
        self._links = links
        self._say, self._note = say, note
        self._namespace = namespace
        self._voices: dict[str, Voice] = {}
        self._news = News()

    def run(self, interval: float) -> None:
        """Look every `interval` seconds, for ever."""
        while True:
            self.look()
            time.sleep(interval)

    def look(self) -> None:
        """Publish what runs now. What the kernel has against it is noted; without Docker or the
        store what was published stays so."""
        try:
            lans = self._containers()
        except MacvlanRosError as error:
            self._trouble("", error)
            return
        self._news.over("")
        for parent in self._voices.keys() - lans.keys():
            self._silence(parent)
        for parent, containers in lans.items():
            try:
                self._voice(parent).publish(names_of(containers))
            except MacvlanRosError as error:
                self._silence(parent)
                self._trouble(parent, error)
            else:
                self._news.over(parent)

    def close(self) -> None:
        """Say goodbye on all LANs. Closing twice is fine."""
        with deaf():
            while self._voices:
                self._voices.popitem()[1].close()

    def _voice(self, parent: str) -> Voice:
        """The parent's voice; another one when the parent or its shim has another address."""
        own = self._interfaces(parent)
        voice = self._voices.get(parent)
        if voice is not None and voice.interfaces == own:
            return voice
        self._silence(parent)
        self._voices[parent] = Voice(own, say=self._say, note=self._note, namespace=self._namespace)
        return self._voices[parent]

    def _silence(self, parent: str) -> None:
        voice = self._voices.pop(parent, None)
        if voice is not None:
            voice.close()

    def _interfaces(self, parent: str) -> tuple[IPAddress, ...]:
        shim = show_shim(self._links, parent=parent)
        on_parent = [one.ip for one in self._links.addresses(parent)]
        found = [
            next((one for one in addresses if one.version == 4), None)
            for addresses in (on_parent, shim.addresses if shim and shim.up else ())
        ]
        if not any(found):
            raise Unavailable(f"{parent} has no IPv4 address, which mDNS is sent from")
        return tuple(one for one in found if one is not None)

    def _trouble(self, about: str, error: MacvlanRosError) -> None:
        if self._news.is_new(str(error), about=about):
            self._note(f"{error}; trying again")
