"""Links: interfaces, addresses and routes, as the kernel has them. The only module with pyroute2.

pyroute2 is imported when first used: its messages for what is read, its IPRoute for some of what
is changed. That one's socket belongs to the thread that opened it (another thread would silently
get, and leak, one of its own), so each `Links` has one thread that owns the socket and does these
calls; any number of threads may share a `Links`.
"""

from __future__ import annotations

import errno
import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from netaddr import IPAddress, IPNetwork

from macvlan_ros.closing import Closing
from macvlan_ros.errors import Forbidden, KernelRefused, MacvlanRosError
from macvlan_ros.kernel import devconf, filters, netlink, rtnetlink, rtroutes
from macvlan_ros.kernel.linkfacts import (
    address_of,
    arp_settings_of,
    assemble,
    lower_of,
    macvlan_of,
    neighbour_of,
    route_of,
)
from macvlan_ros.kernel.namespaces import inside
from macvlan_ros.kernel.netlink import Reader
from macvlan_ros.kernel.parents import Facts, find_parent, survey
from macvlan_ros.kernel.worker import Worker
from macvlan_ros.lean import without_init
from macvlan_ros.models.links import ArpSettings, Link, MacvlanLink, NetworkMode, Route

T = TypeVar("T")

#: Seconds after which a call gives up on the kernel.
TIMEOUT = 10.0

_UNICAST = 1
_PROTO_KERNEL = 2
_IFA_F_NODAD = 0x02


class Links(Closing):
    """The interfaces of one network namespace. Usable once made; `close` gives the socket back.

    `namespace` is a file such as /proc/PID/ns/net or /run/docker/netns/ID; None is the caller's
    own. `sys_root` is where sysfs is mounted. Every method may raise `KernelRefused`, `Forbidden`,
    `NotFound` when the namespace or an interface is gone, or `Unavailable` when the kernel does
    not answer within `TIMEOUT` seconds.
    """

    def __init__(self, *, namespace: Path | None = None, sys_root: Path = Path("/sys")) -> None:
        self._sys_root = sys_root
        self._namespace = namespace
        self._worker = Worker(
            _open_socket, namespace=namespace, timeout=TIMEOUT, what="the kernel's netlink socket"
        )

    def close(self) -> None:
        """Give the socket and its thread back. Closing twice is fine."""
        self._worker.close()

    # Looking

    def links(self) -> tuple[Link, ...]:
        """All interfaces worth showing, by index, each with whether it can be a parent.

        The host's ends of containers' veth pairs, ports of a bridge all of them, are left out.
        """
        facts = self._facts()
        shown = {one.index for one in facts if not (one.kind == "veth" and one.master)}
        return tuple(link for link in survey(facts) if link.index in shown)

    def parent(self, wanted: str = "", *, bare: bool = False) -> Link:
        """The interface that `wanted` means: a name, a MAC address or a subnet; "" the chosen one.
        With `bare` it needs no address of its own.

        Raises `ParentNotFound`, `BadParent`, `BadSubnet`; see `parents.find_parent`.
        """
        return find_parent(self._facts(), wanted, bare=bare)

    def exists(self, name: str) -> bool:
        """Whether there is an interface of that name, of whatever kind."""
        return self._read(f"look for {name}", lambda kernel: kernel.get(name)) is not None

    def mac(self, name: str) -> str:
        """The MAC address of an interface."""
        message = self._read(f"look at {name}", lambda kernel: kernel.existing(name))
        return str(message.get_attr("IFLA_ADDRESS") or "")

    def macvlan(self, name: str) -> MacvlanLink | None:
        """The macvlan link of that name; None when there is none, or it is of another kind."""

        def read(kernel: Reader) -> MacvlanLink | None:
            message = kernel.get(name)
            return macvlan_of(message, netlink.lower_name(message)) if message else None

        return self._read(f"look at {name}", read)

    def macvlans(self) -> tuple[MacvlanLink, ...]:
        """All macvlan links of this namespace, by index."""
        messages = self._read("list the interfaces", Reader.links)
        names = {message["index"]: str(message.get_attr("IFLA_IFNAME")) for message in messages}
        found = (macvlan_of(one, names.get(lower_of(one), "")) for one in messages)
        return tuple(sorted((one for one in found if one), key=lambda one: one.index))

    def running_macs(self) -> frozenset[str]:
        """The MACs that this namespace's interfaces take frames for.

        That is their own, and those of the macvlan links over them that are up, in whichever
        namespace these are: the kernel keeps them in the lower interface's filter.
        """
        return self._ask("list the MACs of containers", filters.read_macs)

    def addresses(self, name: str) -> tuple[IPNetwork, ...]:
        """The interface's addresses with their prefix lengths, in the kernel's order."""

        found = self._read(
            f"list the addresses of {name}", lambda kernel: kernel.addresses(netlink.index(name))
        )
        return tuple(map(address_of, found))

    def routes(self, name: str) -> tuple[Route, ...]:
        """The unicast routes that lead out of the interface, without those the kernel made."""

        def read(kernel: Reader) -> tuple[Any, ...]:
            index = netlink.index(name)
            return tuple(
                message
                for family in netlink.FAMILIES.values()
                for message in kernel.routes(family, index)
            )

        messages = self._read(f"list the routes of {name}", read)
        return tuple(
            route_of(one, name)
            for one in messages
            if one["type"] == _UNICAST and one["proto"] != _PROTO_KERNEL
        )

    def neighbours(self, name: str) -> dict[IPAddress, str]:
        """Whom the kernel has met on the interface, IPv4 and IPv6: address to MAC."""

        found = self._read(
            f"list the neighbours of {name}", lambda kernel: kernel.neighbours(netlink.index(name))
        )
        known = map(neighbour_of, found)
        return dict(one for one in known if one is not None)

    def arp_settings(self, name: str) -> ArpSettings:
        """How the interface deals with ARP: its own settings, not those of "all"."""
        message = self._read(f"look at {name}", lambda kernel: kernel.existing(name))
        return arp_settings_of(message)

    # Changing

    def add_macvlan(
        self,
        parent: str,
        name: str,
        *,
        mac: str = "",
        mode: NetworkMode = "bridge",
        mtu: int | None = None,
    ) -> None:
        """Make a macvlan link over `parent`, down and without addresses.

        An empty `mac` leaves it to the kernel, None as `mtu` to the parent. Raises `KernelRefused`
        with errno EEXIST when the name is taken.
        """
        self._ask(
            f"add macvlan link {name} to {parent}",
            lambda: rtnetlink.add_macvlan(netlink.index(parent), name, mac=mac, mode=mode, mtu=mtu),
        )

    def add_vlan(self, parent: str, name: str, *, vlan: int) -> None:
        """Make the 802.1q sub-interface `vlan` (1 to 4094) of `parent`, down.

        Raises `KernelRefused` with errno EEXIST when the name is taken.
        """
        self._do(
            f"add vlan link {name} to {parent}",
            lambda kernel: kernel.link(
                "add", ifname=name, link=netlink.index(parent), kind="vlan", vlan_id=vlan
            ),
        )

    def delete_link(self, name: str) -> bool:
        """Delete an interface; False when there was none."""
        return self._ask(f"delete {name}", lambda: rtnetlink.delete_link(name))

    def set_up(self, name: str) -> None:
        """Bring an interface up. One that is up stays so."""
        self._set(name, "bring up {name}", state="up")

    def set_alias(self, name: str, alias: str) -> None:
        """Keep a text of at most 255 bytes with an interface, as long as that lives."""
        self._set(name, "set the alias of {name}", ifalias=alias)

    def set_arp(self, name: str, settings: ArpSettings) -> None:
        """Set how the interface deals with ARP."""
        values = {
            "arp_ignore": settings.ignore,
            "arp_announce": settings.announce,
            "rp_filter": settings.rp_filter,
        }
        self._ask(
            f"change how {name} answers ARP",
            lambda: devconf.set_ipv4(netlink.index(name), values),
        )

    def keep_ipv6_manual(self, name: str) -> bool:
        """Keep the kernel from giving the interface IPv6 addresses or routes of its own accord.

        False when routers may still do so, because /proc/sys is read-only here.
        """
        return self._ask(
            f"keep {name} free of automatic IPv6 addresses",
            lambda: devconf.refuse_automatic_ipv6(netlink.index(name), name),
        )

    def add_address(self, name: str, address: IPNetwork) -> bool:
        """Add an address with its prefix length; False when the interface has it."""
        # duplicate address detection would leave an IPv6 address unusable for a second, and who
        # adds an address here has asked the wire already
        flags = {"flags": _IFA_F_NODAD} if address.version == 6 else {}
        request = {**netlink.address_request(address), **flags}
        return _unless(
            errno.EEXIST,
            lambda: self._do(
                f"add the address {address} to {name}",
                lambda kernel: kernel.addr("add", index=netlink.index(name), **request),
            ),
        )

    def remove_address(self, name: str, address: IPNetwork) -> bool:
        """Remove an address; False when the interface does not have it."""
        request = netlink.address_request(address)
        return _unless(
            errno.EADDRNOTAVAIL,
            lambda: self._do(
                f"remove the address {address} from {name}",
                lambda kernel: kernel.addr("del", index=netlink.index(name), **request),
            ),
        )

    def replace_route(
        self,
        destination: IPNetwork,
        *,
        link: str = "",
        via: IPAddress | None = None,
        source: IPAddress | None = None,
        metric: int = 0,
    ) -> None:
        """Route `destination` over `link` or by way of `via`, in place of what routed it before
        with that metric (0: the kernel's own)."""

        self._ask(
            f"route {destination} by way of {via or link}",
            lambda: rtroutes.replace_route(
                destination, index=_index(link), via=via, source=source, metric=metric
            ),
        )

    def remove_route(
        self,
        destination: IPNetwork,
        *,
        link: str = "",
        via: IPAddress | None = None,
        metric: int = 0,
        foreign: bool = False,
    ) -> bool:
        """Remove a static route, of that metric (0: of any), with `foreign` one of any maker's;
        False when there was none."""
        return _unless(
            errno.ESRCH,
            lambda: self._ask(
                f"remove the route to {destination}",
                lambda: rtroutes.remove_route(
                    destination, index=_index(link), via=via, metric=metric, foreign=foreign
                ),
            ),
        )

    def forget_neighbour(self, address: IPAddress, *, link: str) -> bool:
        """Forget which MAC a neighbour has; False when nothing was known."""
        return _unless(
            errno.ENOENT,
            lambda: self._ask(
                f"forget the neighbour {address}",
                lambda: rtroutes.forget_neighbour(address, index=_index(link)),
            ),
        )

    def _facts(self) -> tuple[Facts, ...]:
        return assemble(self._read("list the interfaces", Reader.tables), self._sys_root)

    def _set(self, name: str, action: str, **options: Any) -> None:
        self._do(
            action.format(name=name),
            lambda kernel: kernel.link("set", index=netlink.index(name), **options),
        )

    def _do(self, action: str, call: Callable[[Any], T]) -> T:
        """`call(socket)` in the socket's thread; `action` completes "the kernel refused to …"."""
        with _translated(action):
            return self._worker.run(call)

    def _read(self, action: str, call: Callable[[Reader], T]) -> T:
        """What `call` reads, as `_ask` does it."""
        reader = _reader()
        return self._ask(action, lambda: call(reader))

    def _ask(self, action: str, call: Callable[[], T]) -> T:
        """`call()` in this thread, or in one of the namespace; for what takes no IPRoute."""
        try:
            return inside(self._namespace, call)
        except OSError as error:
            raise _refusal(action, error.errno or errno.EIO) from error


def _unless(code: int, call: Callable[[], object]) -> bool:
    """Call it; False when the kernel answers `code`, which says that nothing was to do."""
    try:
        call()
    except KernelRefused as error:
        if error.errno != code:
            raise
        return False
    return True


def _index(name: str) -> int:
    """0 for no interface in particular."""
    return netlink.index(name) if name else 0


@functools.cache
def _reader() -> Reader:
    with without_init("pyroute2"):
        from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
        from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
        from pyroute2.netlink.rtnl.ndmsg import ndmsg
        from pyroute2.netlink.rtnl.rtmsg import rtmsg

    return Reader(ifinfmsg, ifaddrmsg, rtmsg, ndmsg)


def _open_socket() -> Any:
    with without_init("pyroute2"):
        from pyroute2.iproute.linux import IPRoute

    return IPRoute()


@contextmanager
def _translated(action: str) -> Iterator[None]:
    """Turn the errors of netlink and of its socket into ours."""
    with without_init("pyroute2"):
        from pyroute2.netlink.exceptions import NetlinkError

    try:
        yield
    except NetlinkError as error:
        raise _refusal(action, abs(error.code)) from error
    except OSError as error:
        raise _refusal(action, error.errno or errno.EIO) from error


def _refusal(action: str, code: int) -> MacvlanRosError:
    if code in (errno.EPERM, errno.EACCES):
        return Forbidden(f"no right to {action}; run it as root, for example with sudo")
    return KernelRefused(f"the kernel refused to {action}: {os.strerror(code)}", code)
