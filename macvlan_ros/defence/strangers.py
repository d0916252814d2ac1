"""Strangers: addresses of a pool that somebody else on the LAN was heard to hold.

For ten minutes nobody asks for them again: a dynamic allocation passes them over. They are in the
store, so that the command line and the plugin, and hosts that share it, hear of one another's.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from netaddr import IPAddress

from macvlan_ros.models.pools import Pool, Record
from macvlan_ros.stores.base import Store

__all__ = ["MARKED_FOR", "Strangers"]

_KIND = "stranger"

#: Seconds for which a mark holds.
MARKED_FOR = 600.0

# The clocks of hosts that share a store differ a little.
_SLACK = 60.0


class Strangers:
    """The marks of all pools in a store. `host` is who makes them. Raises what the store raises."""

    def __init__(self, store: Store, *, host: str) -> None:
        self._store = store
        self._host = host

    def marked(self, pool: str) -> dict[IPAddress, str]:
        """The marked addresses of a pool with the strangers' MACs; marks that are over are removed.

        The dict is the caller's.
        """
        found: dict[IPAddress, str] = {}
        now = time.time()
        for record in self._store.recall(_KIND):
            of, _, address = record.key.partition("/")
            until, _, mac = record.value.partition(" ")
            # a mark from the far future was made before the clock was set back
            if not 0 < float(until) - now < MARKED_FOR + _SLACK:
                self._store.forget(_KIND, record.key)
            elif of == pool:
                found[IPAddress(address)] = mac
        return found

    def hear(
        self, pool: Pool, asked: Sequence[IPAddress], answers: Mapping[IPAddress, str]
    ) -> None:
        """Take in what the LAN said about the `asked` addresses: mark those that `answers` has, and
        clear the marks of the others."""
        until = time.time() + MARKED_FOR
        known = {record.key for record in self._store.recall(_KIND)}
        for address in asked:
            key, mac = f"{pool.name}/{address}", answers.get(address)
            if mac is not None:
                record = Record(_KIND, key, self._host, f"{until:.3f} {mac}")
                self._store.remember(record, replace=True)
            elif key in known:
                self._store.forget(_KIND, key)
