"""A table that the kernel marks as changed during the reading (NLM_F_DUMP_INTR, netlink(7))."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from macvlan_ros.errors import Unavailable
from macvlan_ros.netlink import dump

CHANGED = 0x10


def message(name: str, *, flags: int = 0) -> dict[str, Any]:
    return {"header": {"flags": flags}, "name": name}


def test_it_is_read_until_the_kernel_has_no_mark_on_it() -> None:
    readings = iter(
        [
            [message("eth0"), message("old", flags=CHANGED)],
            [message("old", flags=CHANGED | 0x2)],
            [message("eth0", flags=0x2), message("new")],
        ]
    )
    assert [found["name"] for found in dump(lambda: next(readings))] == ["eth0", "new"]


def test_one_that_never_keeps_still_is_an_error_that_says_so() -> None:
    def read() -> Iterator[dict[str, Any]]:
        yield message("eth0", flags=CHANGED)

    with pytest.raises(Unavailable, match="faster than they can be read"):
        dump(read)
