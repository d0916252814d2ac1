"""Lookahead: addresses that nobody on the LAN has, so that nobody waits for it.

To ask the LAN for an address takes 0.6 s, however many are asked for at once, and starting a
container takes half of that. So a few free addresses of each pool in use have been asked for
before anybody wants them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from netaddr import IPAddress, IPRange

from macvlan_ros.errors import MacvlanRosError
from macvlan_ros.models.pools import Pool

__all__ = ["Lookahead"]

#: Chooses that many addresses of the pool that are free as far as the store knows.
Supply = Callable[[int], Sequence[IPAddress]]
#: Those of the addresses that nobody answers for.
Sift = Callable[[Pool, Sequence[IPAddress]], tuple[IPAddress, ...]]

# Enough for forty containers a second while more are asked for.
_STOCK = 64
# While they are taken as fast as they are found, twice as many are asked for each time.
_MOST = 256
_FAST = 5.0
# Seconds for which silence counts, and after which it is asked anew.
_GOOD = 300.0
_RENEW = 120.0
# Pools whose networks are gone drop out when nobody has asked for so long.
_FORGET = 86400.0


class _Stock:
    """What is known of one pool; guarded by the lookahead's lock."""

    def __init__(self) -> None:
        self.silent: dict[IPAddress, float] = {}
        self.asked = time.monotonic()
        self.supply: Supply = lambda _: ()
        self.looked = 0.0
        self.wanted = _STOCK
        # Half of what the last look found: a pool may have few addresses left.
        self.low = _STOCK // 2


class Lookahead:
    """Any number of threads may share it. `start` gives it a thread of its own; without one it asks
    when it is asked."""

    def __init__(self, sift: Sift) -> None:
        self._sift = sift
        self._lock = threading.Lock()
        self._stocks: dict[tuple[Pool, IPRange | None], _Stock] = {}
        self._low = threading.Event()
        self._stop = False

    def start(self) -> None:
        """Look ahead from now on."""
        threading.Thread(target=self._run, name="macvlan-ros lookahead", daemon=True).start()

    def stop(self) -> None:
        """Look no more; what is being asked is not waited for."""
        self._stop = True
        self._low.set()

    def proven(
        self, pool: Pool, supply: Supply, *, within: IPRange | None = None
    ) -> tuple[IPAddress, ...]:
        """Addresses that nobody answered for lately, maybe none; `within` has a stock of its own.
        `supply` is for later."""
        now = time.monotonic()
        with self._lock:
            stock = self._stocks.setdefault((pool, within), _Stock())
            stock.asked, stock.supply = now, supply
            good = tuple(each for each, at in stock.silent.items() if now - at < _GOOD)
        if len(good) <= stock.low:
            self._low.set()
        return good

    def sift(self, pool: Pool, addresses: Sequence[IPAddress]) -> tuple[IPAddress, ...]:
        """Those of the addresses that nobody answers for; takes as long as asking does."""
        return self._sift(pool, addresses)

    def take(self, pool: Pool, address: IPAddress) -> None:
        """The address is somebody's now."""
        with self._lock:
            for (other, _), stock in self._stocks.items():
                if other == pool:
                    stock.silent.pop(address, None)

    def _run(self) -> None:
        while not self._stop:
            self._low.wait(_RENEW / 2)
            self._low.clear()
            with self._lock:
                pools = list(self._stocks.items())
            for key, stock in pools:
                self._renew(key, stock)

    def _renew(self, key: tuple[Pool, IPRange | None], stock: _Stock) -> None:
        now = time.monotonic()
        with self._lock:
            if now - stock.asked > _FORGET:
                self._stocks.pop(key, None)
                return
            young = sum(now - at < _RENEW for at in stock.silent.values())
        if young > stock.low or self._stop:
            return
        fast = stock.looked and now - stock.looked < _FAST
        stock.wanted = min(2 * stock.wanted, _MOST) if fast else _STOCK
        try:
            silent = self._sift(key[0], list(stock.supply(stock.wanted)))
        except MacvlanRosError:
            # The store or the LAN is away: whoever asks for an address will hear of it.
            return
        stock.looked = time.monotonic()
        with self._lock:
            stock.silent = dict.fromkeys(silent, stock.looked)
            stock.low = len(silent) // 2
