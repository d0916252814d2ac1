"""A glance at a store in a file tells what the store itself would, or nothing."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from netaddr import IPAddress, IPNetwork

from macvlan_ros.errors import StoreDown
from macvlan_ros.models.pools import Pool, Reservation
from macvlan_ros.stores import glance
from macvlan_ros.stores.sqlite import SqliteStore

LAN = Pool("lan", IPNetwork("192.168.50.0/24"))


def held(owner: str, address: str, pool: str = "lan") -> Reservation:
    place = IPAddress(address)
    return Reservation(pool, place, owner, f"02:00:00:00:00:{place.words[-1] & 255:02x}", "qtpc")


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A store with one pool, and two names in it."""
    found = str(tmp_path / "state.db")
    store = SqliteStore(found)
    store.add_pool(LAN)
    store.reserve([held("talker", "192.168.50.201"), held("a_listener", "192.168.50.7")])
    store.close()
    return found


def test_the_owners_are_told_in_the_order_of_the_store(path: str) -> None:
    store = SqliteStore(path)
    store.add_pool(Pool("attic", IPNetwork("10.0.0.0/24")))
    store.reserve([held("moth", "10.0.0.9", "attic")])
    assert glance.owners(path) == tuple(one.owner for one in store.reservations())
    assert glance.owners(f"sqlite://{path}", "lan") == ("a_listener", "talker")
    store.close()


def test_the_addresses_of_known_owners_are_told_in_the_order_asked(path: str) -> None:
    wanted = ("192.168.50.201", "192.168.50.7", "192.168.50.201")
    assert glance.addresses(path, ["talker", "a_listener", "talker"]) == wanted
    assert glance.addresses(path, ["talker"], "lan") == wanted[:1]


@pytest.mark.parametrize(
    ("names", "pool"), [(["talker", "stranger"], None), (["talker"], "elsewhere")]
)
def test_a_glance_tells_nothing_of_what_is_not_there(
    names: list[str], pool: str | None, path: str
) -> None:
    assert glance.addresses(path, names, pool) is None
    assert glance.owners(path, "elsewhere") is None


def test_a_glance_tells_nothing_where_more_than_reading_is_to_be_done(path: str) -> None:
    store = SqliteStore(path)
    store.add_pool(Pool("six", IPNetwork("fd00::/64")))
    store.reserve([held("talker", "fd00::5", "six")])
    assert glance.addresses(path, ["talker"]) is None  # which pool?
    assert glance.addresses(path, ["talker"], "six") is None
    store.add_pool(replace(LAN, name="leased", subnet=IPNetwork("10.0.0.0/24"), dhcp=True))
    store.reserve([held("talker", "10.0.0.5", "leased")])
    assert glance.addresses(path, ["talker"], "leased") is None
    store.close()


def test_a_glance_tells_nothing_of_a_definition_or_an_address_that_does_not_decode(
    path: str,
) -> None:
    with sqlite3.connect(path) as db:
        db.execute("UPDATE reservations SET address = '4nonsense' WHERE owner = 'talker'")
    assert glance.addresses(path, ["talker"]) is None
    with sqlite3.connect(path) as db:
        db.execute("UPDATE pools SET definition = '{'")
    assert glance.addresses(path, ["a_listener"]) is None


@pytest.mark.parametrize("url", ["memory:", "etcd://127.0.0.1:1/x"])
def test_a_glance_tells_nothing_of_other_stores(url: str) -> None:
    assert glance.owners(url) is None
    assert glance.addresses(url, ["talker"]) is None


def test_a_glance_at_no_file_makes_none(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    assert glance.owners(str(path)) == ()
    assert glance.addresses(str(path), ["talker"]) is None
    assert not path.exists()


def test_a_glance_at_a_file_that_is_no_store_says_so(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_text("hello " * 1000)
    with pytest.raises(StoreDown, match="damaged"):
        glance.owners(str(path))
