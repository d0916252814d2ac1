"""etcd's transactions as values: operations, comparisons, and what an answer holds. Pure.

The gateway's JSON has keys and values in base64, 64-bit integers as strings, and leaves out what is
zero, false or empty. etcd 3.4 and 3.5 answer in snake_case, later ones may in camelCase.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from macvlan_ros.values import dataclass

Operation: TypeAlias = dict[str, Any]
Comparison: TypeAlias = dict[str, Any]

# Operations in one inner transaction, and inner ones in one: together within etcd's limit, which
# is 128 for the longest list of each level, added up over the levels (etcdserver/api/v3rpc/key.go).
_INNER, _OUTER = 64, 60


@dataclass(frozen=True, slots=True)
class Entry:
    """One key with its value and the revision that wrote it last."""

    key: str
    value: str
    modified: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What a transaction did: its `found` has the entries of each get, in their order, and
    `counts` how many there are. `revision` is the store's, `resent` as the client says, `cluster`
    what etcd calls itself."""

    succeeded: bool
    found: tuple[tuple[Entry, ...], ...]
    counts: tuple[int, ...]
    revision: int
    resent: bool
    cluster: str = ""

    def one(self, index: int) -> Entry | None:
        """The entry of a get of one key."""
        return self.found[index][0] if self.found[index] else None

    def modified(self, index: int) -> int:
        """The revision that wrote the one key of a get; 0 when it is absent."""
        found = self.one(index)
        return found.modified if found else 0


def get(key: str) -> Operation:
    return {"request_range": {"key": _out(key)}}


def get_all(prefix: str, *, only: str = "") -> Operation:
    """All entries under a prefix that ends with a slash; `only` is "keys" or "count"."""
    more = {f"{only}_only": True} if only else {}
    return {"request_range": {**_under(prefix), **more}}


def get_span(first: str, last: str, *, limit: int = 0) -> Operation:
    """The keys from the first to the last, both included, without values; so many of them."""
    span = {"key": _out(first), "range_end": _out(last + "\0"), "keys_only": True}
    return {"request_range": {**span, "limit": str(limit)}}


def put(key: str, value: str) -> Operation:
    return {"request_put": {"key": _out(key), "value": _out(value)}}


def delete(key: str) -> Operation:
    return {"request_delete_range": {"key": _out(key)}}


def many(operations: Sequence[Operation]) -> list[Operation]:
    """The same operations within one transaction, however many (up to `_INNER` times `_OUTER`)."""
    if len(operations) <= 2 * _INNER:
        return list(operations)
    starts = range(0, len(operations), _INNER)
    return [{"request_txn": {"success": operations[at : at + _INNER]}} for at in starts]


def single(operations: Iterable[Operation]) -> Iterator[Operation]:
    """The operations one by one, those within inner transactions too."""
    for operation in operations:
        inner = operation.get("request_txn")
        if inner is None:
            yield operation
        else:
            yield from single(inner["success"])


def is_absent(key: str) -> Comparison:
    return {"key": _out(key), "target": "CREATE", "result": "EQUAL", "create_revision": "0"}


def is_there(key: str) -> Comparison:
    return {"key": _out(key), "target": "CREATE", "result": "GREATER", "create_revision": "0"}


def is_empty(prefix: str) -> Comparison:
    """No key under the prefix. A comparison over a range holds when it holds for each key."""
    return {**_under(prefix), "target": "CREATE", "result": "EQUAL", "create_revision": "0"}


def is_unchanged(key: str, modified: int) -> Comparison:
    """The key is as that revision wrote it; 0: it is absent."""
    return {"key": _out(key), "target": "MOD", "result": "EQUAL", "mod_revision": str(modified)}


def has_value(key: str, value: str) -> Comparison:
    return {"key": _out(key), "target": "VALUE", "result": "EQUAL", "value": _out(value)}


def transaction(
    compare: Iterable[Comparison], success: Iterable[Operation], failure: Iterable[Operation]
) -> dict[str, Any]:
    """The body of a request to /v3/kv/txn."""
    return {"compare": list(compare), "success": list(success), "failure": list(failure)}


def read_answer(answer: Mapping[str, Any], *, resent: bool) -> Answer:
    """Raises ValueError or KeyError for what is not a transaction's answer."""
    ranges = list(_ranges(answer))
    return Answer(
        succeeded=bool(answer.get("succeeded", False)),
        found=tuple(tuple(map(_entry, each.get("kvs") or ())) for each in ranges),
        counts=tuple(int(each.get("count", 0)) for each in ranges),
        revision=int(answer["header"]["revision"]),
        resent=resent,
        cluster=cluster_of(answer),
    )


def read_range(operation: Operation) -> tuple[str, bool, bool] | None:
    """Of a get: the key, or the prefix; whether it is a prefix; whether values are asked for.

    None for what is not a get, or not one of a key or of all that is under a prefix.
    """
    asked = operation.get("request_range")
    if asked is None or "limit" in asked:
        return None
    with_values = not any(word in asked for word in ("keys_only", "count_only"))
    return _in(asked["key"]), "range_end" in asked, with_values


def read_span(operation: Operation) -> tuple[str, str, int] | None:
    """Of what `get_span` makes: the first and the last key, and the limit (0: none)."""
    asked = operation.get("request_range")
    if asked is None or "limit" not in asked:
        return None
    return _in(asked["key"]), _in(asked["range_end"])[:-1], int(asked["limit"])


def writes(operations: Iterable[Operation]) -> Iterator[tuple[str, str | None]]:
    """The keys that the operations write, with their values; None: it is deleted."""
    for operation in single(operations):
        if "request_put" in operation:
            put = operation["request_put"]
            yield _in(put["key"]), _in(put["value"])
        elif "request_delete_range" in operation:
            yield _in(operation["request_delete_range"]["key"]), None


def read_events(message: Mapping[str, Any]) -> list[tuple[Entry, bool]]:
    """The entries that a watch tells of, and whether each stands: one that is gone has the revision
    that deleted it. Raises ValueError or KeyError for what is not a watch's message."""
    events = message.get("events") or ()
    return [(_entry(event["kv"]), event.get("type") != "DELETE") for event in events]


def cluster_of(message: Mapping[str, Any]) -> str:
    """What etcd calls itself."""
    return str(_field(message.get("header") or {}, "cluster_id") or "")


def watching(prefix: str, start: int) -> dict[str, Any]:
    """The body of a request to /v3/watch: what happens under the prefix from that revision on."""
    return {"create_request": {**_under(prefix), "start_revision": str(start)}}


def _ranges(answer: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What the gets have found, those of inner transactions too."""
    for response in answer.get("responses") or ():
        found, inner = _field(response, "response_range"), _field(response, "response_txn")
        if found is not None:
            yield found
        elif inner is not None:
            yield from _ranges(inner)


def _entry(found: Mapping[str, Any]) -> Entry:
    return Entry(
        key=_in(found["key"]),
        value=_in(found.get("value", "")),
        modified=int(_field(found, "mod_revision") or 0),
    )


def _field(of: Mapping[str, Any], name: str) -> Any:
    """A field by its name in snake_case, in whichever case it was written. None if it is not."""
    if name in of:
        return of[name]
    first, *others = name.split("_")
    return of.get(first + "".join(word.capitalize() for word in others))


def _under(prefix: str) -> dict[str, str]:
    # '0' comes right after '/'.
    return {"key": _out(prefix), "range_end": _out(prefix[:-1] + "0")}


def _out(text: str) -> str:
    return b64encode(text.encode()).decode()


def _in(text: str) -> str:
    return b64decode(text).decode()
