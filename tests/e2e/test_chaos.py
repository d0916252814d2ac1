"""A short chaos (tests/chaos): what fails and what is done meanwhile is always the same here."""

from __future__ import annotations

from tests.chaos import faults
from tests.chaos.run import run


def test_nothing_is_lost_or_given_twice_while_a_pc_and_its_store_fail_in_turn() -> None:
    run(
        *("sqlite", 7),
        wanted=(
            (faults.disk_is_full, faults.power_fails),
            (faults.nothing, faults.store_is_damaged),
        ),
        busy=2,
    )


def test_nothing_is_lost_or_given_twice_while_etcd_clocks_and_services_fail_in_turn() -> None:
    run(
        *("etcd", 7),
        wanted=(
            (faults.member_is_lost, faults.service_is_killed),
            (faults.clock_jumps, faults.copy_is_damaged),
        ),
        busy=2,
    )
