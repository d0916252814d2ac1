"""Changes that wait to be made in etcd, written down."""

from __future__ import annotations

import json

from macvlan_ros.models.pools import Record, Reservation
from macvlan_ros.stores.codec import decode_reservation, encode_reservation
from macvlan_ros.stores.damage import Undecodable
from macvlan_ros.values import dataclass


@dataclass(frozen=True, slots=True)
class Released:
    """A reservation that was given up."""

    held: Reservation

    @property
    def subject(self) -> str:
        return f"owner/{self.held.pool}/{self.held.owner}/{self.held.address}"


@dataclass(frozen=True, slots=True)
class Exchanged:
    """A reservation that was given up, and its address given to somebody else: `new`."""

    held: Reservation
    new: Reservation

    @property
    def subject(self) -> str:
        return f"exchange/{self.new.pool}/{self.new.owner}/{self.new.address}"


@dataclass(frozen=True, slots=True)
class Remembered:
    """A record that was written."""

    record: Record

    @property
    def subject(self) -> str:
        return f"record/{self.record.kind}/{self.record.key}"


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A record that was removed."""

    kind: str
    key: str

    @property
    def subject(self) -> str:
        return f"record/{self.kind}/{self.key}"


Change = Released | Exchanged | Remembered | Forgotten


@dataclass(frozen=True, slots=True)
class Waiting:
    """One entry of the journal. `begun`: it may have been made already."""

    number: int
    begun: bool
    change: Change


def encode_change(change: Change) -> str:
    """A change as one line of JSON."""
    if isinstance(change, Released):
        fields: object = {"released": encode_reservation(change.held)}
    elif isinstance(change, Exchanged):
        fields = {"exchanged": [encode_reservation(each) for each in (change.held, change.new)]}
    elif isinstance(change, Remembered):
        record = change.record
        fields = {"remembered": [record.kind, record.key, record.host, record.value]}
    else:
        fields = {"forgotten": [change.kind, change.key]}
    return json.dumps(fields)


def decode_change(text: str) -> Change:
    """The inverse of `encode_change`. Raises Undecodable."""
    try:
        ((what, fields),) = json.loads(text).items()
        if what == "released":
            return Released(decode_reservation(fields))
        if what == "exchanged":
            return Exchanged(*map(decode_reservation, fields))
        if what == "remembered":
            return Remembered(Record(*map(str, fields)))
        if what == "forgotten":
            return Forgotten(*map(str, fields))
    except (ValueError, TypeError, AttributeError) as error:
        raise Undecodable(f"a change does not decode ({error!r})") from error
    raise Undecodable(f"there is no change {what!r}")
