"""Names: the containers of this host know those of the others, also ones that came later.

On one engine Docker's own DNS does that. For the rest each container's hosts file has a block of
ours. The file is mounted into the container by itself, so it is written in its place: another file
under its name would not be seen there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from netaddr import IPAddress

from macvlan_ros.docker_api.hosts_files import HostsFile
from macvlan_ros.engine import Engine
from macvlan_ros.errors import Forbidden
from macvlan_ros.models.pools import STATIC, Record
from macvlan_ros.stores.base import Store
from macvlan_ros.whole_file import cannot_write

__all__ = ["Names", "with_block", "write_in_place"]

_KIND = "names"
_BEGIN = "# macvlan-ros: containers of other PCs"
_END = "# macvlan-ros: end"


class Names:
    """Keeps the blocks current. `host` is this host's name."""

    def __init__(self, store: Store, *, engine: Engine, host: str) -> None:
        self._store = store
        self._engine = engine
        self._host = host
        self._told = ""

    def refresh(self) -> tuple[str, ...]:
        """Write the names that other hosts' containers have by the store into the hosts files of
        all containers here that are on a pool's LAN; the containers whose files have changed.

        Raises what store and engine raise, and Forbidden.
        """
        if self._engine.endpoint.scheme != "unix":
            return ()
        files = self._engine.hosts_files()
        self._tell(files)
        subnets = {pool.name: pool.subnet for pool in self._store.pools()}
        others = [
            held
            for held in self._store.reservations()
            if held.kind == STATIC and held.host not in ("", self._host)
        ]
        aliases = self._aliases(files)
        changed = []
        for container in files:
            on = {
                name
                for name, subnet in subnets.items()
                if any(own in subnet for own in container.addresses)
            }
            known = [held for held in others if held.pool in on]
            names = {held.owner: held.address for held in known}
            for held in known:
                for alias in aliases.get((held.host, held.owner), ()):
                    names.setdefault(alias, held.address)
            names.pop(container.name, None)
            if on and self._update(Path(container.path), names):
                changed.append(container.name)
        return tuple(changed)

    def _update(self, file: Path, names: Mapping[str, IPAddress]) -> bool:
        try:
            return self._change(file, names)
        except FileNotFoundError:
            return False  # the container has gone meanwhile
        except PermissionError as error:
            raise Forbidden(
                f"no right to write {file}, a container's hosts file; run it as root"
            ) from error
        except OSError as error:
            raise cannot_write(file, error) from error

    def _change(self, file: Path, names: Mapping[str, IPAddress]) -> bool:
        return write_in_place(file, lambda text: with_block(text, names))

    def _tell(self, files: Sequence[HostsFile]) -> None:
        """Write down what this host's containers go by, for the other hosts."""
        value = json.dumps({one.name: one.aliases for one in files if one.aliases}, sort_keys=True)
        if value != self._told and self._store.age() is None:
            record = Record(_KIND, self._host, self._host, value)
            if value != "{}" or self._store.recall(_KIND, self._host):
                self._store.remember(record, replace=True)
            self._told = value

    def _aliases(self, files: Sequence[HostsFile]) -> dict[tuple[str, str], list[str]]:
        """What the other hosts' containers go by, by host and name; but for what means one of this
        host's own, which Docker's DNS would be asked for in vain."""
        own = {name for one in files for name in (one.name, *one.aliases)}
        found = {}
        for record in self._store.recall(_KIND):
            for name, aliases in _decode(record.value).items():
                found[record.key, name] = [alias for alias in aliases if alias not in own]
        return found


def _decode(value: str) -> dict[str, list[str]]:
    try:
        return {str(name): [str(one) for one in more] for name, more in json.loads(value).items()}
    except (ValueError, TypeError, AttributeError):
        return {}  # of another version


def with_block(text: str, names: Mapping[str, IPAddress]) -> str:
    """A hosts file with our block as it should be; what others wrote stays, and wins."""
    kept = list(_without_block(text.splitlines()))
    known = {word for line in kept for word in line.partition("#")[0].split()[1:]}
    lines = [f"{names[name]}\t{name}" for name in sorted(names) if name not in known]
    block = [_BEGIN, *lines, _END] if lines else []
    return "\n".join([*kept, *block]) + "\n"


def write_in_place(file: Path, change: Callable[[str], str]) -> bool:
    """Change a file without making another of it; False when there is nothing to change.

    What is longer is written first and what is over cut off afterwards, so that whoever reads
    meanwhile finds every line that stays.
    """
    with file.open("r+b") as opened:
        before = opened.read()
        after = change(before.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        if after == before:
            return False
        os.pwrite(opened.fileno(), after, 0)
        opened.truncate(len(after))
    return True


def _without_block(lines: Iterable[str]) -> Iterable[str]:
    inside = False
    for line in lines:
        if line == _BEGIN:
            inside = True
        elif line == _END and inside:
            inside = False
        elif not inside:
            yield line
