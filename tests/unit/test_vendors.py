"""Vendors by MAC."""

from __future__ import annotations

import pytest

from macvlan_ros.wire.vendors import vendor


@pytest.mark.parametrize(
    ("mac", "expected"),
    [
        ("b8:27:eb:12:34:56", "Raspberry Pi Foundation"),
        ("02:42:c0:00:02:07", "locally administered"),
        ("00:zz:00:00:00:00", ""),
        ("no mac at all", ""),
        ("", ""),
    ],
)
def test_a_vendor_is_named_when_it_is_known(mac: str, expected: str) -> None:
    assert vendor(mac) == expected


def test_an_unregistered_mac_has_no_vendor() -> None:
    assert vendor("fc:ff:ff:00:00:01") == ""
