"""Stores: where reservations live. `open_store` is the way in; backends load when asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from macvlan_ros.errors import InvalidRequest
from macvlan_ros.values import dataclass

if TYPE_CHECKING:
    from pathlib import Path

    from macvlan_ros.stores.access import EtcdAccess
    from macvlan_ros.stores.base import Store
    from macvlan_ros.stores.settling import Witness

__all__ = ["LocalCopy", "open_store", "sqlite_path"]


@dataclass(frozen=True, slots=True)
class LocalCopy:
    """Where the copy of a store on etcd is kept, and whose; see `CopiedStore`."""

    folder: Path
    host: str
    witness: Witness
    note: Callable[[str], None] = lambda _: None


def open_store(
    url: str, access: EtcdAccess | None = None, *, copy: LocalCopy | None = None
) -> Store:
    """The store that `url` names: `sqlite:///absolute/path`, a bare path, `memory:`, or
    `etcd://a:2379,b:2379/prefix` (`etcds://` with TLS), into which `access` lets us, and of which
    a `copy` is kept here.

    A bare path may begin with `~` and may be relative to the current folder. Nothing is opened,
    asked or made on disk before the first call. Raises InvalidRequest for anything else.
    """
    path = sqlite_path(url)
    if path is not None:
        from macvlan_ros.stores.sqlite import SqliteStore

        return SqliteStore(path)
    scheme, _, rest = url.partition(":")
    if scheme == "memory" and not rest:
        from macvlan_ros.stores.memory import MemoryStore

        return MemoryStore()
    if scheme in ("etcd", "etcds") and rest.startswith("//"):
        return _open_etcd(url, access, copy)
    raise InvalidRequest(
        f"store {_shown(url)}: unknown kind {scheme!r}; give a path, sqlite:///absolute/path, or "
        "etcd://192.168.50.10:2379/macvlan-ros"
    )


def sqlite_path(url: str) -> str | None:
    """The file that `url` names, as it names it; None when it is another kind of store.

    Raises InvalidRequest.
    """
    if not url.strip():
        raise InvalidRequest("the store's name is empty; give --store a path")
    scheme, colon, rest = url.partition(":")
    if not colon or "/" in scheme:
        return url
    if scheme != "sqlite":
        return None
    if not rest.startswith("///") or rest == "///":
        raise InvalidRequest(
            f"store {url}: write the whole path after three slashes, like "
            "sqlite:///var/lib/macvlan-ros/state.db"
        )
    return rest[2:]


def _shown(url: str) -> str:
    from macvlan_ros.stores.etcd_address import hide_password

    return hide_password(url)


def _open_etcd(url: str, access: EtcdAccess | None, copy: LocalCopy | None) -> Store:
    if copy is None:
        from macvlan_ros.stores.etcd import EtcdStore

        return EtcdStore(url, access)
    from urllib.parse import quote

    from macvlan_ros.stores.copied import CopiedStore
    from macvlan_ros.stores.etcd_address import parse_url

    name = quote(parse_url(url).prefix.strip("/"), safe="")
    return CopiedStore(
        url,
        access,
        copy=copy.folder / f"copy-{name}.db",
        host=copy.host,
        witness=copy.witness,
        note=copy.note,
    )
