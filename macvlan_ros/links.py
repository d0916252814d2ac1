"""Links: the host's interfaces, as the kernel has them. The only module that speaks netlink.

pyroute2 is imported when first used. Its socket belongs to the thread that opened it (another
thread would silently get, and leak, one of its own), so each `Links` keeps one thread that owns
the socket and does all the calls; any number of threads may share a `Links`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from netaddr import IPAddress, IPNetwork

from macvlan_ros.errors import Forbidden, KernelRefused, MacvlanRosError, NotFound, Unavailable
from macvlan_ros.models import Link
from macvlan_ros.parents import Facts, find_parent, survey

T = TypeVar("T")

#: Seconds after which a call gives up on the kernel.
TIMEOUT = 10.0

_IFF_UP = 0x1
_IFF_LOOPBACK = 0x8
_IFF_POINTOPOINT = 0x10
_ARPHRD_ETHER = 1
_MAIN_TABLE = 254
_UNICAST = 1
_NLM_F_DUMP_INTR = 0x10
_DUMP_TRIES = 20
_CLONE_NEWNET = 0x40000000


class Links:
    """The interfaces of one network namespace. Usable once made; `close` gives the socket back.

    `namespace` is a file such as /proc/PID/ns/net or /run/docker/netns/ID; None is the caller's
    own. `sys_root` is where sysfs is mounted. Every method may raise `KernelRefused`, `Forbidden`,
    `NotFound` when the namespace is gone, or `Unavailable` when the kernel does not answer within
    `TIMEOUT` seconds.
    """

    def __init__(self, *, namespace: Path | None = None, sys_root: Path = Path("/sys")) -> None:
        self._sys_root = sys_root
        self._worker = _Worker(namespace)

    def __enter__(self) -> Links:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the socket and its thread back. Closing twice is fine."""
        self._worker.close()

    def links(self) -> tuple[Link, ...]:
        """All interfaces worth showing, by index, each with whether it can be a parent.

        The host's ends of containers' veth pairs, ports of a bridge all of them, are left out.
        """
        facts = self._facts()
        shown = {one.index for one in facts if not (one.kind == "veth" and one.master)}
        return tuple(link for link in survey(facts) if link.index in shown)

    def parent(self, wanted: str = "") -> Link:
        """The interface that `wanted` means: a name, a MAC address or a subnet; "" the chosen one.

        Raises `ParentNotFound`, `BadParent`, `BadSubnet`; see `parents.find_parent`.
        """
        return find_parent(self._facts(), wanted)

    def _facts(self) -> tuple[Facts, ...]:
        raw = self._worker.run("list the interfaces", _read_all)
        return _assemble(raw, self._sys_root)


@dataclass(frozen=True, slots=True)
class _Raw:
    """One reading of the kernel's tables, messages as pyroute2 decodes them."""

    links: tuple[Any, ...]
    addresses: tuple[Any, ...]
    routes: tuple[Any, ...]


class _Worker:
    """One thread with one netlink socket, made at the first call."""

    def __init__(self, namespace: Path | None) -> None:
        self._namespace = namespace
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._closed = False
        self._socket: Any = None

    def run(self, action: str, call: Callable[[Any], T]) -> T:
        """Call `call(socket)` in the thread; `action` completes "the kernel refused to …"."""
        with self._lock:
            if self._closed:
                raise Unavailable(f"cannot {action}: the netlink socket is closed")
            if self._pool is None:
                self._pool = ThreadPoolExecutor(1, thread_name_prefix="links")
            future = self._pool.submit(self._call, action, call)
        return _result(future, action)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            pool, self._pool = self._pool, None
        if pool is not None:
            _result(pool.submit(self._hang_up), "close the netlink socket")
            pool.shutdown(wait=False)

    def _call(self, action: str, call: Callable[[Any], T]) -> T:
        with _translated(action):
            if self._socket is None:
                self._socket = self._open()
            return call(self._socket)

    def _open(self) -> Any:
        from pyroute2 import IPRoute

        # pyroute2's own way into a namespace forks a process, which costs 11 ms; a thread that
        # does nothing else may just move there.
        if self._namespace is not None:
            _enter(self._namespace)
        return IPRoute()

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _enter(namespace: Path) -> None:
    """Move the calling thread, and no other, into a network namespace (setns(2))."""
    try:
        handle = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise NotFound(
            f"no network namespace {namespace}; the container it belongs to has ended"
        ) from error
    try:
        # os.setns came with Python 3.12 only
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(handle, _CLONE_NEWNET) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(namespace))
    finally:
        os.close(handle)


def _result(future: Future[T], action: str) -> T:
    try:
        return future.result(timeout=TIMEOUT)
    except FutureTimeout as error:
        future.cancel()
        raise Unavailable(
            f"cannot {action}: the kernel did not answer within {TIMEOUT:g} s"
        ) from error


@contextmanager
def _translated(action: str) -> Iterator[None]:
    """Turn the errors of netlink and of its socket into ours."""
    from pyroute2.netlink.exceptions import NetlinkError

    try:
        yield
    except NetlinkError as error:
        raise _refusal(action, error.code) from error
    except OSError as error:
        raise _refusal(action, error.errno or 0) from error


def _refusal(action: str, code: int) -> MacvlanRosError:
    code = abs(code)
    if code in (errno.EPERM, errno.EACCES):
        return Forbidden(f"no right to {action}; run it as root, for example with sudo")
    return KernelRefused(f"the kernel refused to {action}: {os.strerror(code)}", code)


def _read_all(socket: Any) -> _Raw:
    return _Raw(
        links=_dump(socket.get_links),
        addresses=_dump(socket.get_addr),
        routes=_dump(lambda: socket.get_routes(family=2, table=_MAIN_TABLE)),
    )


def _dump(read: Callable[[], Iterable[Any]]) -> tuple[Any, ...]:
    """A whole table. The kernel marks one that changed during the reading; it is read again.

    pyroute2 0.9 has an exception for that but never raises it, so the mark is looked for here.
    """
    for _ in range(_DUMP_TRIES):
        messages = tuple(read())
        if not any(message["header"]["flags"] & _NLM_F_DUMP_INTR for message in messages):
            return messages
    raise Unavailable("the interfaces change faster than they can be read; try again")


def _assemble(raw: _Raw, sys_root: Path) -> tuple[Facts, ...]:
    names = {link["index"]: str(link.get_attr("IFLA_IFNAME")) for link in raw.links}
    kinds = {link["index"]: _kind(link) for link in raw.links}
    addresses = _addresses(raw.addresses)
    defaults = _defaults(raw.routes)
    children = _children(raw.links, names, kinds)
    return tuple(
        _facts_of(
            link,
            names=names,
            kinds=kinds,
            addresses=addresses.get(link["index"], ()),
            default=defaults.get(link["index"]),
            children=children.get(link["index"], ()),
            sys_root=sys_root,
        )
        for link in sorted(raw.links, key=lambda link: int(link["index"]))
    )


def _facts_of(
    link: Any,
    *,
    names: Mapping[int, str],
    kinds: Mapping[int, str],
    addresses: tuple[IPNetwork, ...],
    default: tuple[int, IPAddress | None] | None,
    children: tuple[int, ...],
    sys_root: Path,
) -> Facts:
    name = names[link["index"]]
    wireless = _is_wireless(name, sys_root)
    master = link.get_attr("IFLA_MASTER") or 0
    kind = kinds[link["index"]]
    return Facts(
        name=name,
        index=link["index"],
        kind="wireless" if wireless and kind == "ethernet" else kind,
        up=bool(link["flags"] & _IFF_UP),
        carrier=bool(link.get_attr("IFLA_CARRIER")) and bool(link["flags"] & _IFF_UP),
        mac=link.get_attr("IFLA_ADDRESS") or "",
        mtu=link.get_attr("IFLA_MTU") or 0,
        addresses=addresses,
        metric=default[0] if default else None,
        gateway=default[1] if default else None,
        wireless=wireless,
        ethernet=link["ifi_type"] == _ARPHRD_ETHER and not link["flags"] & _IFF_POINTOPOINT,
        lower=names.get(_lower(link), ""),
        macvlans=tuple(names[i] for i in children if kinds[i] in ("macvlan", "macvtap")),
        ipvlans=tuple(names[i] for i in children if kinds[i] in ("ipvlan", "ipvtap")),
        master=names.get(master, ""),
        master_kind=kinds.get(master, "") or _attribute(link, "IFLA_INFO_SLAVE_KIND"),
        altnames=_altnames(link),
    )


def _kind(link: Any) -> str:
    """What `ip -d link` calls it, or what hardware without such a name is."""
    if link["flags"] & _IFF_LOOPBACK:
        return "loopback"
    if named := _attribute(link, "IFLA_INFO_KIND"):
        return named
    if link["ifi_type"] == _ARPHRD_ETHER:
        return "ethernet"
    return "point-to-point" if link["flags"] & _IFF_POINTOPOINT else "other"


def _attribute(link: Any, name: str) -> str:
    """An attribute of the link's own kind ("" for hardware, which has none)."""
    info = link.get_attr("IFLA_LINKINFO")
    return str(info.get_attr(name) or "") if info else ""


def _lower(link: Any) -> int:
    """The index of what it hangs off, 0 when that is nothing or in another namespace."""
    if link.get_attr("IFLA_LINK_NETNSID") is not None:
        return 0
    return int(link.get_attr("IFLA_LINK") or 0)


def _altnames(link: Any) -> tuple[str, ...]:
    properties = link.get_attr("IFLA_PROP_LIST")
    return tuple(map(str, properties.get_attrs("IFLA_ALT_IFNAME"))) if properties else ()


def _children(
    links: tuple[Any, ...], names: Mapping[int, str], kinds: Mapping[int, str]
) -> dict[int, tuple[int, ...]]:
    """Lower link's index -> the indices of the macvlan and ipvlan links over it, by name."""
    found: dict[int, tuple[int, ...]] = {}
    for link in sorted(links, key=lambda link: names[link["index"]]):
        if kinds[link["index"]] in ("macvlan", "macvtap", "ipvlan", "ipvtap") and _lower(link):
            found[_lower(link)] = (*found.get(_lower(link), ()), link["index"])
    return found


def _addresses(messages: tuple[Any, ...]) -> dict[int, tuple[IPNetwork, ...]]:
    """Index -> addresses with their prefix length, IPv4 first, else in the kernel's order."""
    found: dict[int, tuple[IPNetwork, ...]] = {}
    for message in sorted(messages, key=lambda message: int(message["family"])):
        # on a point-to-point link IFA_ADDRESS is the other end's, IFA_LOCAL this one's
        own = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
        if own:
            network = IPNetwork(f"{own}/{message['prefixlen']}")
            found[message["index"]] = (*found.get(message["index"], ()), network)
    return found


def _defaults(messages: tuple[Any, ...]) -> dict[int, tuple[int, IPAddress | None]]:
    """Index -> metric and next hop of its best IPv4 default route."""
    found: dict[int, tuple[int, IPAddress | None]] = {}
    for message in messages:
        if message["dst_len"] or message["type"] != _UNICAST:
            continue
        metric = message.get_attr("RTA_PRIORITY") or 0
        for index, gateway in _hops(message):
            if index not in found or metric < found[index][0]:
                found[index] = (metric, IPAddress(gateway) if gateway else None)
    return found


def _hops(message: Any) -> Iterator[tuple[int, str | None]]:
    several = message.get_attr("RTA_MULTIPATH")
    if several:
        for hop in several:
            yield hop["oif"], hop.get_attr("RTA_GATEWAY")
    elif message.get_attr("RTA_OIF"):
        yield message.get_attr("RTA_OIF"), message.get_attr("RTA_GATEWAY")


def _is_wireless(name: str, sys_root: Path) -> bool:
    link = sys_root / "class" / "net" / name
    return (link / "wireless").exists() or (link / "phy80211").exists()
