"""Tables on narrow terminals."""

from __future__ import annotations

import pytest

from macvlan_ros.output.fitting import fitting, telling

ROWS = [
    ["CHECK", "ADDRESS", "WHAT", "REMEDY"],
    ["lan", "192.168.50.196", "another machine has this address too", "find it, and move it"],
    ["lan", "-", "02:00:00:00:00:01 answers", "-"],
]


def test_what_fits_is_as_wide_as_its_longest_cells() -> None:
    assert fitting(ROWS, 100) == [5, 14, 36, 20]
    assert fitting(ROWS, 75) == [5, 14, 36, 20]


def test_the_widest_gives_way_first_and_all_of_the_room_is_used() -> None:
    assert fitting(ROWS, 70) == [5, 14, 31, 20]
    assert fitting(ROWS, 59) == [5, 14, 20, 20]


def test_words_stay_whole_as_long_as_that_is_enough() -> None:
    assert fitting(ROWS, 44) == [5, 14, 17, 8]
    assert fitting([["A"], ["one extraordinarily long"]], 15) == [15]


def test_where_it_is_not_the_longest_words_are_broken() -> None:
    assert fitting([["A"], ["one extraordinarily long"]], 12) == [12]
    image = [["NAME", "IMAGE"], ["harmoni_hardware", "harmoniteam/lightweight:harmoni"]]
    assert fitting(image, 36) == [16, 20]


@pytest.mark.parametrize("address", ["192.168.50.196/24", "02:00:00:00:00:01", "fd00::1,"])
def test_an_address_is_never_broken(address: str) -> None:
    assert fitting([["A", "NAME"], [address, "a_very_long_name"]], len(address) + 12) == [
        len(address),
        12,
    ]


def test_what_does_not_fit_at_all_keeps_its_words() -> None:
    assert fitting([["A", "NAME"], ["192.168.50.196", "a_very_long_name"]], 20) == [14, 16]


def test_a_column_that_says_nothing_is_known() -> None:
    assert telling(ROWS) == [0, 1, 2, 3]
    assert telling([["A", "B", "C"], ["-", "x", "-"], ["-", "-", "-"]]) == [1]
