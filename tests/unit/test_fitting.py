"""Tables on narrow terminals."""

from __future__ import annotations

from macvlan_ros.fitting import fitting

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


def test_words_are_broken_where_it_is_not_and_addresses_never() -> None:
    assert fitting([["A"], ["one extraordinarily long"]], 12) == [12]
    assert fitting([["A"], ["http://192.168.50.195:11311"]], 5) == [10]
    for address in ("192.168.50.196/24", "02:00:00:00:00:01", "fd00::1,"):
        assert fitting([["A"], [address]], 5) == [len(address)]
