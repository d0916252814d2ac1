"""A voice on the LAN: publishes names by multicast DNS (RFC 6762), and hears who else has them.

The only module that imports the library zeroconf, which needs a thread of its own.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from netaddr import IPAddress

from macvlan_ros.errors import Unavailable
from macvlan_ros.kernel.namespaces import inside

if TYPE_CHECKING:
    from zeroconf import ServiceInfo, Zeroconf

__all__ = ["Voice", "require"]

T = TypeVar("T")

#: The library publishes addresses with a service alone. This one says which names are ours.
_SERVICE = "_macvlan-ros._tcp.local."
#: "discard": the service has no port of its own.
_PORT = 9
#: Milliseconds in which whoever has a name answers; probes take 750 (RFC 6762, section 8.1).
_PATIENCE = 1000
#: From ip(7); Python has no name for it.
_IP_MULTICAST_ALL = 49


def require() -> None:
    """Raises Unavailable without the library."""
    try:
        import zeroconf  # noqa: F401
    except ImportError as error:
        raise Unavailable(
            "--mdns needs the library zeroconf; install it with: pip install 'macvlan-ros[mdns]'"
        ) from error


class Voice:
    """Publishes names out of the interfaces with these IPv4 addresses, until it is closed.

    `say` hears what it publishes, `note` who else has a name. Raises Unavailable without the
    library, and when the port of mDNS cannot be opened.
    """

    def __init__(
        self,
        interfaces: Sequence[IPAddress],
        *,
        say: Callable[[str], None],
        note: Callable[[str], None],
        namespace: Path | None = None,
    ) -> None:
        self.interfaces = tuple(interfaces)
        self._say, self._note = say, note
        self._published: dict[str, tuple[IPAddress, ...]] = {}
        self._own: dict[str, set[IPAddress]] = {}
        self._noted: dict[str, frozenset[IPAddress]] = {}
        self._zeroconf = inside(namespace, self._open)
        with ExitStack() as undo:
            undo.callback(self.close)
            self._do(self._keep_to_own())
            undo.pop_all()

    def publish(self, wanted: Mapping[str, tuple[IPAddress, ...]]) -> None:
        """From now on these names and no others. Names of somebody else are left to them, and
        asked for again the next time. Raises Unavailable."""
        had = self._published
        gone = sorted(had.keys() - wanted.keys())
        moved = [name for name in wanted if name in had and had[name] != wanted[name]]
        fresh = [name for name in wanted if name not in had]
        stays = sorted(wanted.keys() & had.keys() - set(moved))
        for name, heard in self._do(self._heard(stays)).items():
            self._tell_strangers(name, heard - self._own[name], "too")
        answers = self._do(self._ask(fresh)) if fresh else {}
        for name, others in answers.items():
            strangers = others - set(wanted[name])
            self._tell_strangers(name, strangers, "; it is not published")
            if strangers:
                fresh.remove(name)
        self._do(self._change(wanted, gone=gone, moved=moved, fresh=fresh))
        for name in gone:
            del had[name], self._own[name]
            self._noted.pop(name, None)
            self._say(f"{name}.local: gone")
        for name in (*moved, *fresh):
            had[name] = wanted[name]
            # with former ones, for what we said ourselves is heard too, and for a while
            self._own.setdefault(name, set()).update(wanted[name])
            self._say(f"{name}.local: {', '.join(map(str, wanted[name]))}")

    def close(self) -> None:
        """Say goodbye for all names, and end. Closing twice is fine."""
        self._zeroconf.close()

    def _open(self) -> Zeroconf:
        require()
        from zeroconf import IPVersion, Zeroconf

        own = [str(address) for address in self.interfaces]
        try:
            return Zeroconf(interfaces=own, ip_version=IPVersion.V4Only)
        except OSError as error:
            raise Unavailable(
                f"cannot speak mDNS (UDP port 5353) from {', '.join(own)}: {error.strerror};"
                " see who has the port with: sudo ss -ulpn 'sport = 5353'"
            ) from error

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        """In the thread in which the library lives."""
        import zeroconf

        loop = self._zeroconf.loop
        assert loop is not None  # it has one from its making on
        try:
            return asyncio.run_coroutine_threadsafe(work, loop).result()
        except (zeroconf.Error, OSError) as error:
            raise Unavailable(f"mDNS: {error or type(error).__name__}") from error

    async def _keep_to_own(self) -> None:
        """Hear what comes in by our own interfaces: Linux gives a socket the groups that others on
        this host have joined, too, so it would answer on other LANs; and of sockets that share the
        port newer kernels (6.18 was tried) give a packet to one, whichever LAN that one is on."""
        await self._zeroconf.async_wait_for_start()
        for reader in self._zeroconf.engine.readers:
            handle = reader.transport.get_extra_info("socket")
            handle.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 0)

    async def _ask(self, names: Sequence[str]) -> dict[str, frozenset[IPAddress]]:
        """Which addresses others give for the names, all asked at once."""
        asked = [_resolver(name) for name in names]
        await asyncio.gather(*(one.async_request(self._zeroconf, _PATIENCE) for one in asked))
        return _answers(names, asked)

    async def _change(
        self,
        wanted: Mapping[str, tuple[IPAddress, ...]],
        *,
        gone: Collection[str],
        moved: Collection[str],
        fresh: Collection[str],
    ) -> None:
        ours = self._zeroconf
        said = [
            *[await ours.async_unregister_service(_service(n, self._published[n])) for n in gone],
            *[await ours.async_update_service(_service(n, wanted[n])) for n in moved],
            # it was asked already whether the names are free
            *[
                await ours.async_register_service(
                    _service(n, wanted[n]), cooperating_responders=True
                )
                for n in fresh
            ],
        ]
        await asyncio.gather(*said)

    async def _heard(self, names: Sequence[str]) -> dict[str, frozenset[IPAddress]]:
        """The addresses that anybody, we too, gave for the names of late."""
        known = [_resolver(name) for name in names]
        for one in known:
            one.load_from_cache(self._zeroconf)
        return _answers(names, known)

    def _tell_strangers(self, name: str, strangers: frozenset[IPAddress], what: str) -> None:
        """Once, until they have gone or are others."""
        if strangers and self._noted.get(name) != strangers:
            listed = ", ".join(str(one) for one in sorted(strangers))
            gap = "" if what.startswith(";") else " "
            self._note(f"somebody else answers for {name}.local ({listed}){gap}{what}")
        self._noted[name] = strangers


def _service(name: str, addresses: Sequence[IPAddress]) -> ServiceInfo:
    from zeroconf import ServiceInfo

    return ServiceInfo(
        _SERVICE,
        f"{name}.{_SERVICE}",
        port=_PORT,
        server=f"{name}.local.",
        parsed_addresses=[str(address) for address in addresses],
    )


def _resolver(name: str) -> ServiceInfo:
    # the library's examples import it from here, but it does not say that it exports it
    from zeroconf import AddressResolver  # type: ignore[attr-defined]

    made: ServiceInfo = AddressResolver(f"{name}.local.")
    return made


def _answers(
    names: Sequence[str], resolvers: Sequence[ServiceInfo]
) -> dict[str, frozenset[IPAddress]]:
    return {
        name: frozenset(IPAddress(text) for text in one.parsed_addresses())
        for name, one in zip(names, resolvers, strict=True)
    }
