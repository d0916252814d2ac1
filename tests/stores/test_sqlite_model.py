"""The SQLite store beside a model: whatever is done to both, both give the same answers."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from netaddr import IPAddress

from macvlan_ros.errors import Conflict, PoolNotFound, PoolOverlap
from macvlan_ros.models.pools import DYNAMIC, STATIC, Pool, Reservation
from macvlan_ros.notation import parse_pool
from macvlan_ros.stores.sqlite import SqliteStore

POOLS = [
    parse_pool("low", subnet="10.0.0.0/24", ranges=["10.0.0.1-10.0.0.6"]),
    parse_pool("high", subnet="10.0.0.0/24", ranges=["10.0.0.7-10.0.0.12"], gateway="10.0.0.99"),
    parse_pool("both", subnet="10.0.0.0/24", ranges=["10.0.0.5-10.0.0.8"]),
    parse_pool("low", subnet="10.0.0.0/24", ranges=["10.0.0.2-10.0.0.6"]),
]
NAMES = st.sampled_from(["low", "high", "both"])
OWNERS = st.sampled_from(["a", "b", "c", "d"])

wishes = st.builds(
    Reservation,
    pool=NAMES,
    address=st.integers(1, 12).map(lambda last: IPAddress(f"10.0.0.{last}")),
    owner=OWNERS,
    mac=st.integers(1, 9).map(lambda last: f"02:00:00:00:00:0{last}"),
    kind=st.sampled_from([STATIC, STATIC, DYNAMIC]),
    created=st.sampled_from(["2026-11-02T10:00:00Z", "2026-11-02T10:00:01Z"]),
)


class SqliteBesideAModel(RuleBasedStateMachine):
    """The model is a list of reservations and a dictionary of pools, searched from end to end."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.store = SqliteStore(self.folder / "state.db")
        self.pools: dict[str, Pool] = {}
        self.held: list[Reservation] = []

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    @rule()
    def open_again(self) -> None:
        self.store.close()
        self.store = SqliteStore(self.folder / "state.db")

    @rule(pool=st.sampled_from(POOLS))
    def add_pool(self, pool: Pool) -> None:
        overlapping = {"low": {"both"}, "high": {"both"}, "both": {"low", "high"}}[pool.name]
        try:
            assert self.store.add_pool(pool) == pool
        except PoolOverlap:
            assert pool.name not in self.pools
            assert overlapping & set(self.pools)
        except Conflict:
            assert self.pools[pool.name] != pool
        else:
            assert self.pools.get(pool.name, pool) == pool
            assert not overlapping & set(self.pools)
            self.pools[pool.name] = pool

    @rule(name=NAMES)
    def remove_pool(self, name: str) -> None:
        try:
            assert self.store.remove_pool(name) == (name in self.pools)
        except Conflict:
            assert any(held.pool == name for held in self.held)
        else:
            assert not any(held.pool == name for held in self.held)
            self.pools.pop(name, None)

    @rule(wanted=st.lists(wishes, max_size=4))
    def reserve(self, wanted: list[Reservation]) -> None:
        held, expected = list(self.held), []
        for want in wanted:
            stands = (
                [each for each in held if (each.pool, each.owner) == (want.pool, want.owner)]
                or [each for each in held if each.address == want.address]
                or [
                    each
                    for each in held
                    if each.mac == want.mac and STATIC == want.kind == each.kind
                ]
            )
            if not stands:
                held.append(want)
            expected.append((stands or [want])[0])
        try:
            assert self.store.reserve(wanted) == tuple(expected)
        except PoolNotFound:
            assert any(want.pool not in self.pools for want in wanted)
            return
        assert all(want.pool in self.pools for want in wanted)
        if all(
            (want.pool, want.owner) == (each.pool, each.owner)
            for want, each in zip(wanted, expected, strict=True)
        ):
            self.held = held

    @rule(name=NAMES, owners=st.lists(OWNERS, max_size=3))
    def release(self, name: str, owners: list[str]) -> None:
        expected = [
            held
            for owner in dict.fromkeys(owners)
            for held in self.held
            if (held.pool, held.owner) == (name, owner)
        ]
        try:
            assert self.store.held(name, owners) == tuple(expected)
            assert self.store.release(name, owners) == tuple(expected)
        except PoolNotFound:
            assert name not in self.pools
        else:
            self.held = [held for held in self.held if held not in expected]

    @invariant()
    def both_show_the_same(self) -> None:
        assert self.store.pools() == tuple(self.pools[name] for name in sorted(self.pools))
        order = sorted(self.held, key=lambda held: (held.pool, held.address))
        assert self.store.reservations() == tuple(order)
        assert len({held.address for held in order}) == len(order)
        macs = [held.mac for held in order if held.kind == STATIC]
        assert len(set(macs)) == len(macs)


TestSqliteBesideAModel = SqliteBesideAModel.TestCase
TestSqliteBesideAModel.settings = settings(max_examples=60, stateful_step_count=30)
