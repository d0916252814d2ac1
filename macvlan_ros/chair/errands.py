"""Errands on other hosts: what needs their kernels, in short-lived containers of our image.

Such a container needs no way to our store: it is given a small one of its own, with what it is to
know of ours.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import Any

from netaddr import IPAddress, IPNetwork, spanning_cidr

from macvlan_ros.chair.seats import Seat
from macvlan_ros.docker_api.errands import FOLDER
from macvlan_ros.errors import ImageNotFound, Unavailable
from macvlan_ros.kernel.link_codec import decode_link
from macvlan_ros.models.links import Link
from macvlan_ros.models.pools import Pool, Reservation

_LIMIT = 30.0
_STATE, _STACK = "state.db", "stack.yaml"


class Errands:
    """Runs our commands on other hosts in containers of `image`, where that is there."""

    def __init__(self, image: str) -> None:
        self.image = image
        self._has: dict[str, bool] = {}

    def can_run(self, seat: Seat) -> bool:
        """Whether the host's engine has our image. Raises what the engine raises."""
        if seat.name not in self._has:
            try:
                seat.engine.image(self.image)
            except ImageNotFound:
                self._has[seat.name] = False
            else:
                self._has[seat.name] = True
        return self._has[seat.name]

    def links(self, seat: Seat) -> tuple[Link, ...]:
        """The host's interfaces. Raises Unavailable."""
        return tuple(decode_link(each) for each in self._run(seat, "interfaces"))

    def shim_up(
        self, seat: Seat, network: str, *, pools: Sequence[Pool], held: Sequence[Reservation]
    ) -> None:
        """Make the host's shim, with the addresses that are reserved for it, and announce the
        containers of the network. Raises Unavailable."""
        self._run(seat, "shim", "up", "--announce", network, pools=pools, held=held)

    def shim_down(self, seat: Seat, network: str) -> None:
        """Remove the host's shim. Raises Unavailable."""
        self._run(seat, "shim", "down", network)

    def ask(
        self, seat: Seat, pool: Pool, addresses: Sequence[IPAddress]
    ) -> Mapping[IPAddress, str]:
        """Which of the addresses somebody on the host's LAN holds, with their MACs. Raises
        Unavailable."""
        first, last = min(addresses), max(addresses)
        part = spanning_cidr([first, last]) if first != last else IPNetwork(first)
        found = self._run(seat, "scan", pool.name, "--subnet", str(part), pools=[pool])
        heard = {IPAddress(each["address"]): str(each["mac"]) for each in found}
        return {address: heard[address] for address in addresses if address in heard}

    def verify(self, seat: Seat, stack: str, words: Sequence[str]) -> list[dict[str, Any]]:
        """What the host's own `verify` says of the stack, whose file's text that is; `words` are
        further ones of the command. Raises Unavailable."""
        command = ("verify", *words, "--file", f"{FOLDER}/{_STACK}")
        # 1 is that something does not hold
        found = self._run(seat, *command, files={_STACK: stack.encode()}, fine=(0, 1))
        if not isinstance(found, list):
            raise Unavailable(f"verify in a container of {self.image} there: no list of checks")
        return found

    def _run(
        self,
        seat: Seat,
        *command: str,
        pools: Sequence[Pool] = (),
        held: Sequence[Reservation] = (),
        files: Mapping[str, bytes] = MappingProxyType({}),
        fine: Collection[int] = (0,),
    ) -> Any:
        store = {_STATE: _small_store(pools, held)} if pools else {}
        done = seat.engine.run_errand(
            self.image,
            [*command, "--json"],
            environment={
                "MACVLAN_ROS_STORE": f"sqlite://{FOLDER}/{_STATE}",
                "MACVLAN_ROS_HOST": seat.name,
            },
            files={**store, **files},
            timeout=_LIMIT,
        )
        what = f"{' '.join(command[:2])} in a container of {self.image} there"
        if done.code not in fine:
            said = done.errors.strip().splitlines() or [f"exit code {done.code}"]
            raise Unavailable(f"{what}: {said[-1].removeprefix('error: ')}")
        try:
            return json.loads(done.output)
        except ValueError as error:
            raise Unavailable(f"{what}: it answered with no JSON; is the image too old?") from error


def _small_store(pools: Sequence[Pool], held: Sequence[Reservation]) -> bytes:
    """A SQLite store that holds just this."""
    from macvlan_ros.stores import open_store

    with tempfile.TemporaryDirectory(prefix="macvlan-ros-") as folder:
        file = Path(folder) / _STATE
        with closing(open_store(f"sqlite://{file}")) as store:
            for pool in pools:
                store.add_pool(pool)
            if held:
                store.reserve(held)
        return file.read_bytes()
