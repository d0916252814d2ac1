"""A host asks another's LAN by way of the store, and that one's service says who is there."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import pytest
from netaddr import IPAddress

from macvlan_ros.errors import KernelRefused, Unavailable
from macvlan_ros.models.pools import Pool, Record
from macvlan_ros.notation import parse_pool
from macvlan_ros.stores.memory import MemoryStore
from macvlan_ros.wire.deputy import Deputy, ask

POOL = parse_pool("lab", subnet="192.168.50.0/24")
WANTED = [IPAddress(f"192.168.50.{last}") for last in (193, 194)]
LAPTOP = {IPAddress("192.168.50.193"): "02:00:00:00:00:66"}


def answering(pool: Pool, addresses: Sequence[IPAddress]) -> Mapping[IPAddress, str]:
    assert pool.subnet == POOL.subnet
    return {address: LAPTOP[address] for address in addresses if address in LAPTOP}


@contextmanager
def service(deputy: Deputy) -> Iterator[None]:
    """Looks again and again, as the service does."""
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.01):
            deputy.serve()

    thread = threading.Thread(target=look)
    thread.start()
    yield
    ended.set()
    thread.join(30)


def test_the_service_of_a_host_says_who_holds_an_address_on_its_lan() -> None:
    store = MemoryStore()
    other = Deputy(store, host="qtnx", ask=lambda *_: pytest.fail("it was not asked"))
    deputy = Deputy(store, host="qtrp", ask=answering)
    with service(deputy), service(other):
        assert ask(store, "qtrp", POOL, WANTED, own="laptop") == LAPTOP
        assert ask(store, "qtrp", POOL, WANTED[1:], own="laptop") == {}
    deputy.serve()
    assert store.kinds() == ()


def test_a_host_that_cannot_ask_says_why() -> None:
    def refuse(*_: object) -> Mapping[IPAddress, str]:
        raise KernelRefused("open a socket on eth0", 1)

    store = MemoryStore()
    with (
        service(Deputy(store, host="qtrp", ask=refuse)),
        pytest.raises(Unavailable, match=r"'qtrp' could not ask: .*socket on eth0"),
    ):
        ask(store, "qtrp", POOL, WANTED, own="laptop")


def test_a_service_that_does_not_answer_is_waited_for_so_long_and_nothing_is_left() -> None:
    store = MemoryStore()
    with pytest.raises(Unavailable, match=r"has not answered within 0.3 s; look there with"):
        ask(store, "qtrp", POOL, WANTED, own="laptop", patience=0.3)
    assert store.kinds() == ()


@pytest.mark.parametrize("question", ["", "[]", "{}", '{"pool": "lab", "subnet": "x"}'])
def test_a_question_that_makes_no_sense_is_answered_all_the_same(question: str) -> None:
    store = MemoryStore()
    store.remember(Record("question", "qtrp/1", "laptop", question))
    assert Deputy(store, host="qtrp", ask=answering).serve() == 1
    (answer,) = store.recall("answer", "qtrp/1")
    assert json.loads(answer.value)["error"]


def test_what_one_that_was_killed_has_asked_is_forgotten_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = MemoryStore()
    text = json.dumps({"pool": "lab", "subnet": "192.168.50.0/24", "addresses": []})
    store.remember(Record("question", "qtrp/1", "laptop", text))
    deputy = Deputy(store, host="qtrp", ask=answering)
    assert deputy.serve() == 1
    assert deputy.serve() == 0
    assert store.kinds() == ("answer", "question")
    monkeypatch.setattr("macvlan_ros.wire.deputy._STALE", -1.0)
    deputy.serve()
    assert store.kinds() == ()
