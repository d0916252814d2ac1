"""Many processes at once, on each store that several may share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from macvlan_ros.addresses import candidates
from macvlan_ros.errors import PoolExhausted
from macvlan_ros.ipam import Ipam
from macvlan_ros.notation import parse_pool
from macvlan_ros.reserving.around import Surroundings
from tests.stores.conftest import KINDS, Opener
from tests.stores.processes import run_all

PROCESSES = 8


@pytest.fixture(params=["sqlite", "etcd"])
def shared(request: pytest.FixtureRequest) -> Opener:
    """Opens the store, once more at each call."""
    return KINDS[request.param](request)


@contextmanager
def opened(shared: Opener) -> Iterator[Ipam]:
    with closing(shared()) as store:
        yield Ipam(store, surroundings=lambda _: Surroundings(), host="qtpc")


@pytest.mark.parametrize("order", ["hashed", "sequential"])
def test_they_fill_a_pool_without_a_duplicate_or_a_loss(shared: Opener, order: str) -> None:
    pool = parse_pool("lab", subnet="10.0.0.0/25", gateway="10.0.0.1", order=order)

    def fill(number: int) -> Callable[[], list[tuple[str, str]]]:
        def work() -> list[tuple[str, str]]:
            made: list[tuple[str, str]] = []
            with opened(shared) as ipam:
                ipam.add_pool(pool)  # all of them at once, where nothing is yet
                while True:
                    owner = f"p{number}-{len(made)}"
                    try:
                        (allocation,) = ipam.allocate("lab", [owner])
                    except PoolExhausted:
                        return made
                    made.append((owner, str(allocation.reservation.address)))

        return work

    made = [pair for pairs in run_all([fill(n) for n in range(PROCESSES)]) for pair in pairs]
    addresses = [address for _, address in made]
    assert sorted(addresses) == sorted(str(address) for address in candidates(pool, ""))
    with closing(shared()) as store:
        assert store.inspect() == ()
        assert {(held.owner, str(held.address)) for held in store.reservations()} == set(made)


def test_when_they_ask_for_the_same_names_they_get_the_same_answer(shared: Opener) -> None:
    owners = [f"robot{n}" for n in range(60)]
    with opened(shared) as ipam:
        ipam.add_pool(parse_pool("lab", subnet="10.0.0.0/24", gateway="10.0.0.1"))

    def ask() -> tuple[list[str], int]:
        with opened(shared) as ipam:
            made = ipam.allocate("lab", owners)
        return [str(each.reservation.address) for each in made], sum(each.new for each in made)

    answers = run_all([ask] * PROCESSES)
    assert len({tuple(addresses) for addresses, _ in answers}) == 1
    assert sum(new for _, new in answers) == len(owners)
