"""The keys of etcd as the local copy has them: what reads etcd reads the copy in the same way."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from macvlan_ros.errors import StoreAway
from macvlan_ros.stores import etcd_kv as kv
from macvlan_ros.stores.codec import decode_reservation
from macvlan_ros.stores.copy_file import CopyFile
from macvlan_ros.stores.damage import Undecodable
from macvlan_ros.stores.etcd_client import EtcdClient
from macvlan_ros.stores.etcd_kv import Answer, Comparison, Entry, Operation
from macvlan_ros.stores.etcd_space import EtcdSpace

__all__ = ["CopySpace", "kin_in"]

_RESERVED = ("address/", "owner/", "mac/")


class CopySpace(EtcdSpace):
    """Reads from the copy; a change raises StoreAway. Raises what the file raises, too."""

    def __init__(self, client: EtcdClient, file: CopyFile) -> None:
        super().__init__(client)
        self._file = file

    def read(self, operations: Sequence[Operation], *, deadline: float) -> Answer:  # noqa: ARG002
        found = tuple(self._find(operation) for operation in kv.single(operations))
        return Answer(True, found, tuple(map(len, found)), 0, resent=False)

    def change(
        self,
        compare: Sequence[Comparison],  # noqa: ARG002
        success: Sequence[Operation],  # noqa: ARG002
        failure: Sequence[Operation] = (),  # noqa: ARG002
        *,
        deadline: float,  # noqa: ARG002
    ) -> Answer:
        raise StoreAway(f"store {self.address.url}: etcd is away, and the local copy is read only")

    def _find(self, operation: Operation) -> tuple[Entry, ...]:
        span = kv.read_span(operation)
        if span is not None:
            return self._file.between(*span)
        asked = kv.read_range(operation)
        if asked is None:
            return ()
        key, is_prefix, _ = asked
        if is_prefix:
            return self._file.under(key)
        found = self._file.get(key)
        return (found,) if found else ()


def kin_in(space: EtcdSpace) -> Callable[[str, str], Sequence[str]]:
    """Tells which keys of the space say the same as the given one, with its value."""

    def kin(key: str, value: str) -> Sequence[str]:
        if not key.removeprefix(space.prefix).startswith(_RESERVED):
            return (key,)
        try:
            keys = space.keys_of(decode_reservation(json.loads(value)))
        except (Undecodable, ValueError):
            return (key,)
        return keys if key in keys else (key,)

    return kin
