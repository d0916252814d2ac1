"""The book of leases: what is written is read, and the times for the next step."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPAddress

from macvlan_ros.leasing.book import ASKED, HELD, RELEASED, Lease, LeaseBook
from macvlan_ros.models.pools import Reservation
from macvlan_ros.stores import open_store

TALKER = Reservation("lab", IPAddress("192.0.2.77"), "talker", "02:00:00:00:00:01", host="qtpc")
LEASE = Lease("lab", "talker", TALKER.address, TALKER.mac, "qtpc", HELD, since=0.0, due=0.0)


def held(seconds: float | None, *, age: float = 0.0) -> Lease:
    """A lease of so many seconds, renewed so many seconds ago."""
    now = time.time() - age
    if seconds is None:
        return replace(LEASE, since=now, due=now + 86400, until=None)
    return replace(
        LEASE,
        since=now,
        due=now + seconds / 2,
        rebind=now + seconds * 0.875,
        until=now + seconds,
    )


seconds = st.floats(0, 4e9, allow_nan=False)


@given(
    state=st.sampled_from([ASKED, HELD, RELEASED]),
    since=seconds,
    due=seconds,
    rebind=seconds,
    until=st.none() | seconds,
    server=st.none() | st.just(IPAddress("192.0.2.1")),
    trouble=st.text(max_size=40),
)
def test_what_is_written_is_read(**fields: object) -> None:
    store = open_store("memory:")
    book = LeaseBook(store, host="qtpc")
    lease = replace(LEASE, **fields)  # type: ignore[arg-type]
    book.write(lease)
    assert book.find("lab", "talker") == lease
    assert book.mine() == book.everybodys() == (lease,)
    assert LeaseBook(store, host="qtrp").mine() == ()
    book.strike(lease)
    assert book.find("lab", "talker") is None


def test_a_pools_name_may_be_the_beginning_of_anothers() -> None:
    book = LeaseBook(open_store("memory:"), host="qtpc")
    book.ask(TALKER)
    book.ask(replace(TALKER, pool="lab-2"))
    assert [lease.pool for lease in book.mine()] == ["lab", "lab-2"]


def test_a_lease_is_for_one_reservation_only() -> None:
    assert LEASE.is_for(TALKER)
    for other in ({"pool": "x"}, {"owner": "x"}, {"mac": "x"}, {"address": IPAddress("192.0.2.1")}):
        assert not LEASE.is_for(replace(TALKER, **other))


@pytest.mark.parametrize("length", [10, 120, 3600, 86400 * 30])
def test_attempts_come_closer_but_not_too_close_and_never_after_the_end(length: int) -> None:
    """RFC 2131, section 4.4.5: half of what is left."""
    for share in (0.5, 0.8, 0.88, 0.95):
        lease = held(length, age=length * share)
        assert lease.until is not None
        wait = lease.failed("away").due - time.time()
        end = lease.rebind if share < 0.875 else lease.until
        least = min(60.0, length / 8)
        assert wait == pytest.approx(max((end - time.time()) / 2, least), abs=0.1)


def test_a_lease_that_is_over_is_asked_for_every_minute() -> None:
    late = held(120, age=500).failed("away")
    assert late.due - time.time() == pytest.approx(60, abs=0.1)
    assert late.is_over(time.time())


def test_a_lease_without_an_end_is_looked_after_every_day() -> None:
    lease = LEASE.held_for(None, renew=0, rebind=0)
    assert not lease.is_over(time.time() + 1e9)
    assert lease.due - time.time() == pytest.approx(86400, abs=1)


def test_a_clock_that_was_set_back_does_not_keep_a_lease_from_renewal() -> None:
    """A small board without a battery wakes up in 1970."""
    lease = held(3600)
    assert not lease.is_due(time.time())
    assert lease.is_due(1000.0)
