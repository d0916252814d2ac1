"""Tables of pages: folded as in a terminal, and read back as what was printed."""

from __future__ import annotations

import pytest

from tests.docs.pages import same
from tests.docs.tables import folded, told

VERIFY = """\
note: looked from here
CHECK  FROM  TO       LEVEL  MS    WHAT                                           REMEDY
reach  qtpc  talker   ok     0.06  -                                              -
...
node   qtpc  /talker  bad    -     registered http://qtpc:36099/: nobody answers  set ROS_IP

error: one is bad"""
INTERFACES = """\
   NAME     ADDRESSES             CHILDREN  PARENT?
   lo       127.0.0.1/8, ::1/128  -         no: loopback
*  eth0     192.168.50.11/24      -         yes"""


@pytest.mark.parametrize("room", [40, 60, 100, 200])
@pytest.mark.parametrize("text", [VERIFY, INTERFACES])
def test_a_folded_table_says_the_same(text: str, room: int) -> None:
    assert told(folded(text, room)) == told(text)
    assert same(folded(text, room), text)


def test_a_folded_table_fits_and_what_is_narrow_enough_stays_as_it_is() -> None:
    assert max(map(len, folded(VERIFY, 80).splitlines())) <= 80
    assert folded(INTERFACES, 80) == INTERFACES


def test_what_a_row_says_is_compared_column_by_column() -> None:
    assert told(INTERFACES).splitlines()[1] == "=* NAME=eth0 ADDRESSES=192.168.50.11/24 PARENT?=yes"
    assert not same(VERIFY, VERIFY.replace("ok ", "bad"))
    assert not same(INTERFACES, INTERFACES.replace("*", " "))
    assert not same(VERIFY.replace("...\n", ""), VERIFY)


def test_other_programs_columns_are_left_alone() -> None:
    text = "POOL      lab\nSUBNET    192.168.50.0/24\nDHCP      no"
    assert told(text) == text
