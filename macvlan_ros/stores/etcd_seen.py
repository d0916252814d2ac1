"""What an answer of etcd's tells about keys: which stand, which do not, and since when. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from macvlan_ros.stores import etcd_kv as kv
from macvlan_ros.stores.etcd_kv import Answer, Entry, Operation
from macvlan_ros.values import dataclass


@dataclass(frozen=True, slots=True)
class Seen:
    """At `revision` the `entries` stood, the keys in `gone` did not, and under the prefixes in
    `whole` nothing stood but the entries. `cluster` is what etcd calls itself."""

    cluster: str
    revision: int
    entries: tuple[Entry, ...] = ()
    gone: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()


def seen_by_reading(operations: Sequence[Operation], answer: Answer) -> Seen:
    """What the gets have found."""
    entries: list[Entry] = []
    gone: list[str] = []
    whole: list[str] = []
    for operation, found in zip(kv.single(operations), answer.found, strict=True):
        asked = kv.read_range(operation)
        if asked is None:
            continue
        key, is_prefix, with_values = asked
        if not with_values:
            continue
        entries += found
        if is_prefix:
            whole.append(key)
        elif not found:
            gone.append(key)
    return Seen(answer.cluster, answer.revision, tuple(entries), tuple(gone), tuple(whole))


def seen_by_writing(operations: Sequence[Operation], answer: Answer) -> Seen:
    """What stands after a transaction that has been done."""
    written = dict(kv.writes(operations))
    return Seen(
        answer.cluster,
        answer.revision,
        tuple(
            Entry(k, value, answer.revision) for k, value in written.items() if value is not None
        ),
        tuple(key for key, value in written.items() if value is None),
    )
