"""An owner's address in use on a host that died: one other host at a time takes it over."""

from __future__ import annotations

from dataclasses import replace

from netaddr import IPAddress

from macvlan_ros.models.pools import Record
from macvlan_ros.stores.memory import MemoryStore
from macvlan_ros.uses import Use, Uses

DEAD = Use("lab", IPAddress("192.168.50.195"), "02:00:00:00:00:01", "dead", 1000.0)


def test_a_dead_hosts_use_is_succeeded_by_one_host() -> None:
    store = MemoryStore()
    Uses(store, host="dead").keep(DEAD)
    one, two = (replace(DEAD, host=host, since=2000.0) for host in ("one", "two"))
    assert Uses(store, host="one").succeed(DEAD, one)
    assert not Uses(store, host="two").succeed(DEAD, two)
    assert Uses(store, host="two").find("lab", DEAD.address) == one
    assert store.recall("succession") == ()


def test_while_one_host_is_at_it_the_others_wait() -> None:
    store = MemoryStore()
    Uses(store, host="dead").keep(DEAD)
    store.remember(Record("succession", f"lab/{DEAD.address}", "one", "dead"))
    two = replace(DEAD, host="two", since=2000.0)
    assert not Uses(store, host="two").succeed(DEAD, two)
    # who was interrupted at it may begin again
    assert Uses(store, host="one").succeed(DEAD, replace(DEAD, host="one", since=2000.0))
