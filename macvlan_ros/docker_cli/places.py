"""Where a container of `run` goes: its network, its name, and the addresses that it has there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from netaddr import IPAddress

from macvlan_ros import networks
from macvlan_ros.docker_cli.beside import Beside
from macvlan_ros.docker_cli.naming import Naming
from macvlan_ros.docker_cli.parsing import RunLine
from macvlan_ros.docker_cli.rewriting import joining
from macvlan_ros.errors import InvalidRequest, NotFound
from macvlan_ros.models.networks import Network
from macvlan_ros.models.pools import Pool, Reservation
from macvlan_ros.notation import parse_address, parse_mac
from macvlan_ros.undo import Undo
from macvlan_ros.values import dataclass

if TYPE_CHECKING:
    from macvlan_ros.app import App

__all__ = ["RunOptions", "RunPlace", "RunPlaces"]

DEFAULT_NETWORK = "ros_lan"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What is said beside Docker's own flags. `master` is an owner's name, "host" or a URI."""

    pool: str | None = None
    parent: str = ""
    master: str = ""


@dataclass(frozen=True, slots=True)
class RunPlace:
    """Where one container goes. `held` is what it has of IPv4, `six` of IPv6; `mac` is the one that
    it wears."""

    name: str
    network: Network
    held: Reservation
    six: Reservation | None
    mac: str


class RunPlaces:
    """Finds networks and addresses for single containers, and makes what is missing."""

    def __init__(self, app: App, beside: Beside) -> None:
        self._app = app
        self._beside = beside
        # a name is ours until we end: until then the container is made, or is not
        self._naming = Naming(app.engine.named)

    def find(
        self, line: RunLine, ours: Mapping[str, Network], options: RunOptions, undo: Undo
    ) -> RunPlace:
        """Where the container of the line goes; `ours` are the LAN's networks by name.

        What is made is taken back with `undo`. Raises what the parts raise.
        """
        network, pool = self._place(line, ours, options, undo)
        name = line.value("name") or self._choose_name(line.image, pool)
        held = self._reserve(pool, name, self._claim(line, network), undo)
        six = self._reserve6(network, name, line, undo)
        said = joining(line).mac
        mac = parse_mac(said, said="--mac-address") if said else held.mac
        if (worn := self._app.ipam.wear(held, mac)) is not held:
            undo.add(self._app.ipam.wear, worn, held.mac)
        return RunPlace(name, network, held, six, mac)

    def _place(
        self, line: RunLine, ours: Mapping[str, Network], options: RunOptions, undo: Undo
    ) -> tuple[Network, Pool]:
        """The network that the container joins, and the pool of its addresses."""
        wanted = joining(line).name
        if wanted not in ours:
            chosen = self._among(ours, options)
            if wanted:
                instead = chosen.name if chosen else DEFAULT_NETWORK
                self._app.note(self._beside.replaced(wanted, instead))
        else:
            chosen = ours[wanted]
        if chosen is None:
            return self._make(options, undo)
        return chosen, self._pool_of(chosen, options)

    def _among(self, ours: Mapping[str, Network], options: RunOptions) -> Network | None:
        fitting = {
            name: one
            for name, one in ours.items()
            if options.pool in (None, one.pool) and options.parent in ("", one.parent)
        }
        if len(fitting) > 1 and DEFAULT_NETWORK not in fitting:
            raise InvalidRequest(
                f"several networks to choose from; add --network, one of: {', '.join(fitting)}"
            )
        return fitting.get(DEFAULT_NETWORK) or next(iter(fitting.values()), None)

    def _pool_of(self, network: Network, options: RunOptions) -> Pool:
        if network.pool:
            return self._app.ipam.pool(network.pool)
        pool = self._app.ipam.choose_pool(options.pool, version=4)
        if pool is None or pool.subnet != network.subnet:
            raise NotFound(
                f"there is no pool for the network '{network.name}'; make one with: macvlan-ros"
                f" pool add NAME --subnet {network.subnet}"
            )
        return pool

    def _make(self, options: RunOptions, undo: Undo) -> tuple[Network, Pool]:
        app = self._app
        parent = app.engine_parent(options.parent)
        pool = app.ipam.choose_pool(options.pool, version=4)
        if pool is None:
            pool = app.make_default_pool(parent)
            undo.add(app.ipam.remove_pool, pool.name)
        network, created = app.engine.ensure_network(
            networks.describe(DEFAULT_NETWORK, pool, parent=parent),
            host_address=networks.address_on(parent, pool.subnet),
        )
        if created:
            undo.add(app.engine.remove_network, network.name)
            app.progress(f"network {network.name}: created over {network.parent}")
        return network, pool

    def _choose_name(self, image: str, pool: Pool) -> str:
        """A name for a container that nobody named."""

        def elsewhere(names: list[str]) -> set[str]:
            held = self._app.store.held(pool.name, names)
            return {one.owner for one in held if one.host != self._app.host}

        name = self._naming.choose(image, elsewhere=elsewhere)
        self._app.note(f"the container is called '{name}', for its address is kept by its name")
        return name

    def _claim(self, line: RunLine, network: Network) -> IPAddress | None:
        text = joining(line).address
        if not text:
            return None
        address = parse_address(text, said="--ip")
        if address in network.subnet:
            return address
        self._app.note(f"--ip {address} is not on the LAN {network.subnet} and is not used")
        return None

    def _reserve(self, pool: Pool, name: str, claim: IPAddress | None, undo: Undo) -> Reservation:
        own = self._app.host
        (done,) = self._app.ipam.allocate(
            pool.name, [name], addresses={name: claim} if claim else None, hosts={name: own}
        )
        held = done.reservation
        if done.new:
            undo.add(self._app.ipam.release, pool.name, [name])
        elif held.host not in ("", own):
            (held,) = self._app.takeover.take(pool, [(held, own)], undo=undo)
        return held

    def _reserve6(
        self, network: Network, name: str, line: RunLine, undo: Undo
    ) -> Reservation | None:
        """The IPv6 address beside the other, on a network that has IPv6 out of a pool of ours."""
        if network.six is None or not network.six.pool:
            return None
        wanted = joining(line).address6
        claim = parse_address(wanted, said="--ip6") if wanted else None
        return self._reserve(self._app.ipam.pool(network.six.pool), name, claim, undo)
