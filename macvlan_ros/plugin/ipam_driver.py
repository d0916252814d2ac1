"""The IPAM driver: Docker's requests for pools and addresses, answered from the reservations."""

from __future__ import annotations

import difflib
import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping

from netaddr import IPAddress, IPNetwork

from macvlan_ros.addresses import intervals
from macvlan_ros.errors import BadSubnet, Conflict, InvalidRequest, PoolNotFound, StoreDown
from macvlan_ros.ipam import Ipam
from macvlan_ros.models.pools import NETWORK, Pool
from macvlan_ros.notation import check_name, parse_subnet
from macvlan_ros.plugin import answers, wire
from macvlan_ros.plugin.gateways import Gateways
from macvlan_ros.plugin.pool_ids import PoolId, is_automatic, name_for
from macvlan_ros.reserving.grants import Grants, Wanted
from macvlan_ros.spans import subtract
from macvlan_ros.state import State
from macvlan_ros.stores.base import Store
from macvlan_ros.uses import Uses

__all__ = ["IpamDriver"]

_log = logging.getLogger(__name__)

_OPTIONS = ("owner", "pool", "pool6")
# Seconds within which nobody asks for the same pool twice, but a Docker that rejects it.
_LOOP = 0.5
_GATEWAY = "com.docker.network.gateway"


class IpamDriver:
    """One method for each call; any number of threads may be in it.

    `router` tells the LAN's own router in a subnet, if this host knows one. `given` hears of each
    address, with its prefix length, that a container with that MAC gets; it returns at once.
    """

    def __init__(
        self,
        store: Store,
        *,
        ipam: Ipam,
        grants: Grants,
        host: str,
        router: Callable[[IPNetwork], IPAddress | None],
        given: Callable[[IPNetwork, str], None] = lambda *_: None,
    ) -> None:
        self._store = store
        self._ipam = ipam
        self._grants = grants
        self._state = State(store, host=host)
        self._uses = Uses(store, host=host)
        self._host = host
        self._router = router
        self._given = given
        self._gateways = Gateways(store, grants, router=router)
        # Docker asks for pools side by side, and a count is read, changed and written.
        self._counting = threading.Lock()
        self._to_count_anew = False
        self._uncounted: Counter[str] = Counter()
        self._asked: tuple[wire.RequestPool, float] | None = None

    def get_capabilities(self, _: wire.Nothing) -> answers.IpamCapabilities:
        """Asked once by each dockerd that starts, before anything else; then it asks again for
        every pool that it has, so that they are counted anew.

        The store is left alone here. Were it away, or its disk full, Docker would take an error for
        a plugin without needs: it would name no MACs until it is started again, and no container
        would start.
        """
        self._to_count_anew = True
        return answers.IpamCapabilities()

    def get_default_address_spaces(self, _: wire.Nothing) -> answers.AddressSpaces:
        return answers.AddressSpaces("macvlan-ros-local", "macvlan-ros-global")

    def prepare(self) -> None:
        """Look ahead for addresses of the pools that Docker's networks hold already."""
        for text in self._state.pools_in_use():
            pool_id = PoolId.parse(text)
            self._grants.prepare(self._pool_of(pool_id), pool_id.within)

    # -- pools ------------------------------------------------------------------------------------

    def request_pool(self, request: wire.RequestPool) -> answers.PoolGiven:
        _check_options(request.options)
        if request.pool is None:
            self._check_loop(request)
        owner = request.options.get("owner", "")
        if owner:
            check_name(owner, kind="owner")
        with self._counting:
            pool, made_for = self._find_pool(request)
            _check_part(pool, request.sub_pool)
            pool_id = PoolId(pool.name, made_for, request.sub_pool, owner)
            self._count(str(pool_id), 1)
        self._grants.prepare(pool, pool_id.within)
        # With the gateway said here, Docker does not ask for one unless its user named another.
        gateway = pool.gateway
        data = {_GATEWAY: f"{gateway}/{pool.subnet.prefixlen}"} if gateway else {}
        return answers.PoolGiven(str(pool_id), pool.subnet, data)

    def _check_loop(self, request: wire.RequestPool) -> None:
        """Docker (up to 28 at least) rejects a pool that it did not name when this host has a route
        into it, as it has into its LAN, and asks again at once, for ever: that ends here."""
        now = time.monotonic()
        asked, self._asked = self._asked, (request, now)
        if asked is not None and asked[0] == request and now - asked[1] < _LOOP:
            pool, _ = self._find_pool(request)
            raise InvalidRequest(
                f"this Docker takes the LAN's subnet only when it is named: add --subnet "
                f"{pool.subnet} --ipam-opt pool={pool.name}"
            )

    def release_pool(self, request: wire.ReleasePool) -> answers.Done:
        pool_id = PoolId.parse(request.pool_id)
        with self._counting:
            self._count(str(pool_id), -1)
            if not self._state.networks_on(pool_id.pool):
                self._clear(pool_id.pool)
        return answers.Done()

    def _count(self, pool_id: str, by: int) -> None:
        """What cannot be written now, on a full disk say, is made up for with the next count. A
        dockerd that starts and is refused a pool has none for its network until it starts again."""
        self._uncounted[pool_id] += by
        try:
            if self._to_count_anew:  # for a dockerd that has ended since
                self._state.reset_pool_uses()
                self._to_count_anew = False
            for text, number in tuple(self._uncounted.items()):
                self._state.set_pool_uses(text, self._state.pool_uses(text) + number)
                del self._uncounted[text]
        except StoreDown as error:
            _log.warning("call=- outcome=NotCounted detail=%s", json.dumps(str(error)))

    def tidy(self, name: str) -> None:
        """Remove a pool that was made for Docker's networks, if none of them is left and nobody
        holds an address in it."""
        with self._counting:
            if not self._state.networks_on(name):
                self._clear(name)

    def undo_request_pool(self, _: wire.RequestPool, answer: answers.PoolGiven) -> None:
        """Docker was told that it failed, so it will not release the pool."""
        self.release_pool(wire.ReleasePool(answer.pool_id))

    def _clear(self, name: str) -> None:
        """No Docker network holds the pool any more: free what was kept for them."""
        try:
            pool, held = self._store.pool(name), self._store.reservations(name)
        except PoolNotFound:
            return
        kept = [each.owner for each in held if each.kind == NETWORK and each.host == self._host]
        self._store.release(name, kept)
        if is_automatic(pool) and len(kept) == len(held):
            try:
                self._store.remove_pool(name)
                self._uses.drop_formers(name)
            except Conflict:
                # Somebody reserved in it just now, so it stays.
                return

    def _find_pool(self, request: wire.RequestPool) -> tuple[Pool, IPNetwork | None]:
        """The pool that is meant, and its subnet if it was made for Docker's networks."""
        subnet = None if request.pool is None else parse_subnet(request.pool.cidr)
        name = request.options.get("pool6" if request.v6 else "pool")
        if name is None and subnet is not None:
            pool = self._pool_on(subnet, request.sub_pool)
        else:
            pool = self._named_pool(name, request)
        if subnet is not None and pool.subnet != subnet:
            raise InvalidRequest(
                f"pool {pool.name!r} has the subnet {pool.subnet}, not {subnet}; leave --subnet "
                "out, or name another pool"
            )
        return pool, pool.subnet if is_automatic(pool) else None

    def _named_pool(self, name: str | None, request: wire.RequestPool) -> Pool:
        option = "pool6" if request.v6 else "pool"
        remedy = f"give --subnet, or name one with --ipam-opt {option}=NAME"
        pool = None if request.v6 and name is None else self._ipam.choose_pool(name, version=4)
        if pool is None:
            if request.v6:
                raise InvalidRequest(f"no pool to take IPv6 from; {remedy}")
            raise InvalidRequest(
                f"no pool to take IPv4 from; {remedy}; Docker makes no network without IPv4, but"
                " from 27 on with --ipv4=false"
            )
        if (pool.subnet.version == 6) != request.v6:
            raise InvalidRequest(
                f"pool {pool.name!r} is IPv{pool.subnet.version}, and Docker asks for "
                f"IPv{6 if request.v6 else 4}; {remedy}"
            )
        return pool

    def _pool_on(self, subnet: IPNetwork, part: IPNetwork | None) -> Pool:
        """The pool that stands on this subnet, or one that is made now for the whole of it."""
        there = [pool for pool in self._ipam.pools() if pool.subnet == subnet]
        if len(there) > 1 and part is not None:
            there = [pool for pool in there if _shares(pool, part)]
        if len(there) > 1:
            names = ", ".join(pool.name for pool in there)
            raise InvalidRequest(
                f"several pools stand on {subnet}; say which with --ipam-opt pool=NAME, one of: "
                f"{names}"
            )
        if there:
            return there[0]
        return self._ipam.add_pool(self._automatic(subnet))

    def _automatic(self, subnet: IPNetwork) -> Pool:
        return Pool(name_for(subnet), subnet, gateway=self._router(subnet))

    # -- addresses --------------------------------------------------------------------------------

    def request_address(self, request: wire.RequestAddress) -> answers.AddressGiven:
        pool_id = PoolId.parse(request.pool_id)
        pool = self._pool_of(pool_id)
        if request.address is not None and request.address not in pool.subnet:
            raise BadSubnet(
                f"address {request.address} lies outside the subnet {pool.subnet} of pool "
                f"{pool.name!r}; choose one inside"
            )
        address = self._address(pool, pool_id, request)
        own = IPNetwork(f"{address}/{pool.subnet.prefixlen}")
        if request.mac and not request.gateway:
            self._given(own, request.mac)
        return answers.AddressGiven(own)

    def _address(self, pool: Pool, pool_id: PoolId, request: wire.RequestAddress) -> IPAddress:
        if request.gateway:
            return self._gateways.of(pool, request.address)
        if request.address is not None and not request.mac:
            # An auxiliary address, or one that Docker holds and replays: neither has a container.
            if request.address == pool.gateway:
                return request.address
            return self._grants.keep(pool, request.address, "auxiliary").address
        wanted = Wanted(
            address=request.address,
            mac=request.mac,
            name=request.endpoint_name,
            owner=pool_id.owner,
            within=pool_id.within,
        )
        return self._grants.grant(pool, wanted).address

    def release_address(self, request: wire.ReleaseAddress) -> answers.Done:
        pool_id = PoolId.parse(request.pool_id)
        try:
            pool = self._store.pool(pool_id.pool)
        except PoolNotFound:
            return answers.Done()
        held = self._store.holder(request.address)
        # Networks on one pool share its gateway: it stays as long as any of them.
        kept = held is not None and held.kind == NETWORK
        shared = kept and self._state.networks_on(pool.name) > 1
        if not shared:
            self._grants.give_back(pool, request.address)
        return answers.Done()

    def undo_request_address(
        self, request: wire.RequestAddress, answer: answers.AddressGiven
    ) -> None:
        """Docker was told that it failed, so it will not release the address."""
        if request.mac:
            self.release_address(wire.ReleaseAddress(request.pool_id, answer.address.ip))

    def _pool_of(self, pool_id: PoolId) -> Pool:
        try:
            return self._store.pool(pool_id.pool)
        except PoolNotFound:
            if pool_id.subnet is None:
                raise
            return self._ipam.add_pool(self._automatic(pool_id.subnet))


def _check_options(options: Mapping[str, str]) -> None:
    for name in options:
        if name not in _OPTIONS:
            close = difflib.get_close_matches(name, _OPTIONS, 1)
            hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(_OPTIONS)}"
            raise InvalidRequest(f"unknown --ipam-opt {name!r}; {hint}")


def _check_part(pool: Pool, part: IPNetwork | None) -> None:
    if part is None:
        return
    if part.version != pool.subnet.version or part not in pool.subnet:
        raise BadSubnet(
            f"--ip-range {part} lies outside the subnet {pool.subnet} of pool {pool.name!r}; "
            "choose one inside"
        )
    if not _shares(pool, part):
        raise BadSubnet(
            f"--ip-range {part} has no address that pool {pool.name!r} hands out; see what it "
            f"does with: macvlan-ros pool show {pool.name}"
        )


def _shares(pool: Pool, part: IPNetwork) -> bool:
    mine = intervals(pool)
    return subtract(mine, [(part.first, part.last)]) != mine
