"""Silence: which of the addresses whose containers are down nobody on the LAN answers for.

An address is defended only while nobody uses it, and a container on a host with a store of its own
is known by nothing but its answers. So the LAN is asked before an address is defended, and again
and again after that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence

from netaddr import IPAddress

__all__ = ["Silence"]

#: Who answers for some addresses: address -> MAC. Raises when nobody can be asked.
Ask = Callable[[Sequence[IPAddress]], Mapping[IPAddress, str]]

# Asked anew before the guard forgets that it has heard the owner (60 s), and trusted until the next
# question can have been answered, with room to spare.
_EVERY = 40.0
_GOOD = 75.0
_AT_ONCE = 128


class Silence:
    """One thread renews; any number may look."""

    def __init__(self) -> None:
        self._silent: dict[IPAddress, float] = {}
        self._asked: dict[IPAddress, float] = {}

    def holds(self, address: IPAddress) -> bool:
        """Whether nobody answered for the address lately."""
        since = self._silent.get(address)
        return since is not None and time.monotonic() - since < _GOOD

    def keep(self, wanted: Collection[IPAddress]) -> None:
        """Forget all other addresses: when they are wanted again, they are asked for again."""
        self._silent = {one: at for one, at in self._silent.items() if one in wanted}
        self._asked = {one: at for one, at in self._asked.items() if one in wanted}

    def due(self, wanted: Collection[IPAddress]) -> list[IPAddress]:
        """Those of `wanted` that are to be asked for now: at most 128, who waits longest first."""
        now, asked = time.monotonic(), self._asked
        found = [one for one in wanted if now - asked.get(one, -_EVERY) >= _EVERY]
        found.sort(key=lambda one: asked.get(one, -_EVERY))
        return found[:_AT_ONCE]

    def renew(self, addresses: Sequence[IPAddress], ask: Ask) -> Mapping[IPAddress, str]:
        """Ask for these addresses; the MACs of those who answered. Raises what `ask` raises."""
        answers = ask(addresses)
        now = time.monotonic()
        self._asked.update(dict.fromkeys(addresses, now))
        for address in addresses:
            if address in answers:
                self._silent.pop(address, None)
            else:
                self._silent[address] = now
        return answers
