"""What verify shows of many checks."""

from __future__ import annotations

from macvlan_ros.verify.check import BAD, OK, Check
from macvlan_ros.verify.summary import summarize


def reaches(times: dict[str, float]) -> list[Check]:
    return [Check("reach", "talker", name, OK, milliseconds=ms) for name, ms in times.items()]


MANY = {f"node{number}": 0.25 + number for number in range(16)}


def test_few_checks_are_shown_as_they_are() -> None:
    few = reaches({"core": 0.25, "face": 0.5})
    assert summarize(few) == few


def test_of_many_those_that_hold_are_one_line_and_the_others_one_each() -> None:
    bad = Check("reach", "talker", "arm", BAD, "nobody answers")
    assert summarize([*reaches(MANY), bad]) == [
        Check("reach", "talker", "16 others", OK, "0.25 to 15.25 ms"),
        bad,
    ]


def test_what_takes_equally_long_everywhere_is_one_number() -> None:
    (shown,) = summarize(reaches(dict.fromkeys(MANY, 112.92)))
    assert shown.text == "112.92 ms"
