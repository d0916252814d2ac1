"""Deputies: a host's service asks its LAN for another host that is not on it.

The store that both share carries it: the question is a record, and so is the answer. Who asked
takes both away; what one that was killed has left behind, the service does.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from secrets import token_hex

from netaddr import IPAddress

from macvlan_ros.errors import MacvlanRosError, Unavailable
from macvlan_ros.models.pools import Pool, Record
from macvlan_ros.notation import parse_address, parse_pool
from macvlan_ros.reserving.around import Ask
from macvlan_ros.stores.base import Store

__all__ = ["Deputy", "ask"]

_QUESTION, _ANSWER = "question", "answer"
#: Seconds that a question waits: the service looks every two seconds, and asking takes one.
_PATIENCE = 8.0
_LOOK_EVERY = 0.2
#: Seconds after which nobody waits for an answer any more.
_STALE = 60.0


def ask(
    store: Store,
    host: str,
    pool: Pool,
    addresses: Sequence[IPAddress],
    *,
    own: str,
    patience: float = _PATIENCE,
) -> dict[IPAddress, str]:
    """Which of the addresses somebody on the LAN of `host` holds, with their MACs, as its service
    finds out; `own` is who asks. Raises Unavailable when it does not say."""
    if store.age() is not None:
        raise Unavailable(f"the store is away, by which the service of '{host}' is asked")
    key = f"{host}/{token_hex(8)}"
    wanted = {
        "pool": pool.name,
        "subnet": str(pool.subnet),
        "addresses": [str(address) for address in addresses],
    }
    deadline = time.monotonic() + patience
    try:
        store.remember(Record(_QUESTION, key, own, json.dumps(wanted)))
        while not (answers := store.recall(_ANSWER, key)):
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"the service of '{host}' has not answered within {patience:g} s; look there"
                    " with: systemctl status macvlan-ros-shim"
                )
            time.sleep(_LOOK_EVERY)
    finally:
        store.forget(_QUESTION, key)
        store.forget(_ANSWER, key)
    return _read(host, answers[0].value)


class Deputy:
    """Answers what other hosts ask this one."""

    def __init__(self, store: Store, *, host: str, ask: Ask) -> None:
        self._store = store
        self._host = host
        self._ask = ask
        self._answered: dict[str, float] = {}

    def serve(self) -> int:
        """Answer what has been asked since the last time; how many that were. Raises what the
        store raises."""
        if self._store.age() is not None:
            return 0
        mine = f"{self._host}/"
        asked = {one.key: one for one in self._store.recall(_QUESTION) if one.key.startswith(mine)}
        fresh = [one for key, one in asked.items() if key not in self._answered]
        for one in fresh:
            reply = Record(_ANSWER, one.key, self._host, json.dumps(self._answer(one.value)))
            self._store.remember(reply, replace=True)
            self._answered[one.key] = time.monotonic()
        self._tidy(asked)
        return len(fresh)

    def _answer(self, value: str) -> dict[str, object]:
        try:
            wanted = json.loads(value)
            pool = parse_pool(str(wanted["pool"]), subnet=str(wanted["subnet"]))
            addresses = [parse_address(each) for each in wanted["addresses"]]
            found = self._ask(pool, addresses)
        except (ValueError, KeyError, TypeError, MacvlanRosError) as error:
            return {"error": str(error)}
        return {"found": {str(address): mac for address, mac in found.items()}}

    def _tidy(self, asked: Mapping[str, Record]) -> None:
        """Forget what was answered and is asked no more, or long ago."""
        now = time.monotonic()
        for key, at in list(self._answered.items()):
            if key not in asked or now - at > _STALE:
                self._store.forget(_QUESTION, key)
                self._store.forget(_ANSWER, key)
                del self._answered[key]


def _read(host: str, value: str) -> dict[IPAddress, str]:
    try:
        answer = json.loads(value)
        if "error" not in answer:
            return {IPAddress(each): str(mac) for each, mac in answer["found"].items()}
        why = str(answer["error"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = f"its answer cannot be read: {error}"
    raise Unavailable(f"the service of '{host}' could not ask: {why}")
