"""A prefix of etcd that is ours: where each thing stands in it, and which version wrote it.

    version               the schema's version
    pools                 empty; written whenever a pool is added or removed
    reservations          empty; written whenever something is reserved or released
    pool/NAME             a pool
    address/ADDRESS       a reservation, by its address
    owner/POOL/OWNER      the same one, by its owner
    mac/MAC               the same one, if it is static, by its MAC
    record/KIND/KEY       a record

Every transaction that writes compares the version, so that a client never writes into a prefix that
a later release has brought up to date meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from netaddr import IPAddress

from macvlan_ros.errors import StoreDown
from macvlan_ros.models.pools import STATIC, Reservation
from macvlan_ros.stores import etcd_errors as errors
from macvlan_ros.stores import etcd_kv as kv
from macvlan_ros.stores.codec import encode_address
from macvlan_ros.stores.damage import Undecodable
from macvlan_ros.stores.etcd_client import EtcdClient
from macvlan_ros.stores.etcd_kv import Answer, Comparison, Entry, Operation
from macvlan_ros.stores.etcd_seen import Seen, seen_by_reading, seen_by_writing

VERSION = 1
_TXN = "/v3/kv/txn"


class EtcdSpace:
    """Reads and changes one prefix. `observe` hears what each answer tells about its keys."""

    def __init__(
        self,
        client: EtcdClient,
        *,
        version: int = VERSION,
        observe: Callable[[Seen], None] = lambda _: None,
    ) -> None:
        self.client = client
        self._version = version
        self._observe = observe
        self.address = client.address
        self.prefix = client.address.prefix
        self._version_key = f"{self.prefix}version"
        self.pools_key = f"{self.prefix}pools"
        self.reservations_key = f"{self.prefix}reservations"

    def close(self) -> None:
        """Give the connections back. Closing twice is fine."""
        self.client.close()

    # -- keys -----------------------------------------------------------------------------------

    def pool_key(self, name: str = "") -> str:
        return f"{self.prefix}pool/{name}"

    def address_key(self, address: IPAddress | None = None) -> str:
        return f"{self.prefix}address/{'' if address is None else encode_address(address)}"

    def owner_key(self, pool: str, owner: str = "") -> str:
        return f"{self.prefix}owner/{pool}/{owner}"

    def mac_key(self, mac: str) -> str:
        return f"{self.prefix}mac/{mac}"

    def record_key(self, kind: str, key: str = "") -> str:
        return f"{self.prefix}record/{kind}/{key}"

    @property
    def all_of_it(self) -> tuple[str, ...]:
        """The prefixes under which everything stands once."""
        return (self.pool_key(), self.address_key(), f"{self.prefix}record/")

    def keys_of(self, held: Reservation) -> tuple[str, ...]:
        """Every key that a reservation stands under."""
        keys = (self.address_key(held.address), self.owner_key(held.pool, held.owner))
        return (*keys, self.mac_key(held.mac)) if held.kind == STATIC else keys

    # -- transactions ---------------------------------------------------------------------------

    def read(self, operations: Sequence[Operation], *, deadline: float) -> Answer:
        """What the gets find, all at one revision. Raises StoreDown, Forbidden."""
        gets = [kv.get(self._version_key), *operations]
        answer = self._checked(self._send((), gets, (), deadline))
        self._observe(seen_by_reading(operations, answer))
        return answer

    def change(
        self,
        compare: Sequence[Comparison],
        success: Sequence[Operation],
        failure: Sequence[Operation] = (),
        *,
        deadline: float,
    ) -> Answer:
        """Do `success` if all of `compare` holds, else the gets of `failure`.

        An empty prefix is made ours first. Raises StoreDown, Forbidden.
        """
        ours = kv.has_value(self._version_key, str(self._version))
        gets = [kv.get(self._version_key), *failure]
        while time.monotonic() < deadline:
            answer = self._send([ours, *compare], success, gets, deadline)
            if answer.succeeded:
                self._observe(seen_by_writing(success, answer))
                return answer
            if answer.one(0):
                answer = self._checked(answer)
                self._observe(seen_by_reading(failure, answer))
                return answer
            self._begin(deadline)
        raise errors.busy(self.address)

    def _begin(self, deadline: float) -> None:
        """Write the version into a prefix that has no key at all."""
        first = kv.put(self._version_key, str(self._version))
        again = kv.get(self._version_key)
        answer = self._send([kv.is_empty(self.prefix)], [first], [again], deadline)
        if not answer.succeeded and not answer.one(0):
            raise errors.foreign(self.address)

    def _send(
        self,
        compare: Sequence[Comparison],
        success: Sequence[Operation],
        failure: Sequence[Operation],
        deadline: float,
    ) -> Answer:
        body = kv.transaction(compare, success, failure)
        reply = self.client.post(_TXN, body, deadline=deadline)
        try:
            return kv.read_answer(reply.answer, resent=reply.resent)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise errors.damaged(self.address, f"an answer of etcd's: {error}") from error

    def _checked(self, answer: Answer) -> Answer:
        """Without the version, which has to be ours, or not there yet."""
        found = answer.one(0)
        if found and found.value != str(self._version):
            raise self._other_version(found)
        return replace(answer, found=answer.found[1:], counts=answer.counts[1:])

    def _other_version(self, found: Entry) -> StoreDown:
        return errors.newer(self.address, found=found.value, known=self._version)

    @contextmanager
    def decoding(self) -> Iterator[None]:
        """Raises StoreDown where the block cannot read what it finds."""
        try:
            yield
        except Undecodable as error:
            raise errors.damaged(self.address, str(error)) from error
