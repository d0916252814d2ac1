"""An owner's address in use on a host that died: one other host at a time takes it over."""

from __future__ import annotations

from dataclasses import replace

from netaddr import IPAddress

from macvlan_ros.models.pools import Record
from macvlan_ros.state import State, Use
from macvlan_ros.stores.memory import MemoryStore

DEAD = Use("lab", IPAddress("192.168.50.195"), "02:00:00:00:00:01", "dead", 1000.0)


def test_a_dead_hosts_use_is_succeeded_by_one_host() -> None:
    store = MemoryStore()
    State(store, host="dead").keep_use(DEAD)
    one, two = (replace(DEAD, host=host, since=2000.0) for host in ("one", "two"))
    assert State(store, host="one").succeed_use(DEAD, one)
    assert not State(store, host="two").succeed_use(DEAD, two)
    assert State(store, host="two").use("lab", DEAD.address) == one
    assert store.recall("succession") == ()


def test_while_one_host_is_at_it_the_others_wait() -> None:
    store = MemoryStore()
    State(store, host="dead").keep_use(DEAD)
    store.remember(Record("succession", f"lab/{DEAD.address}", "one", "dead"))
    two = replace(DEAD, host="two", since=2000.0)
    assert not State(store, host="two").succeed_use(DEAD, two)
    # who was interrupted at it may begin again
    assert State(store, host="one").succeed_use(DEAD, replace(DEAD, host="one", since=2000.0))
