"""The names of our links: what is told by them, and that they fit."""

from __future__ import annotations

import time

import pytest

from macvlan_ros.kernel.link_names import endpoint_link, is_fresh, question_link, shim_name


@pytest.mark.parametrize("parent", ["eth0", "enp0s31f6", "wlx0123456789ab", "enx0123456789ab"])
def test_a_shims_name_fits_an_interface_and_stays_the_same(parent: str) -> None:
    assert shim_name(parent).startswith("mvr-")
    assert len(shim_name(parent)) <= 15
    assert shim_name(parent) == shim_name(parent)


def test_parents_with_long_names_have_shims_of_different_names() -> None:
    assert shim_name("enx0123456789ab") != shim_name("enx0123456789ac")


def test_a_short_parents_name_is_in_the_shims() -> None:
    assert shim_name("eth0") == "mvr-eth0"


def test_an_endpoints_link_fits_an_interface() -> None:
    assert endpoint_link("0123456789abcdef" * 4) == "mvr0123456789ab"


def test_a_link_of_a_question_fits_an_interface_and_is_another_each_time() -> None:
    names = {question_link() for _ in range(20)}
    assert len(names) > 1  # all alike once in 65536 ** 19
    assert {len(name) for name in names} == {15}


def test_a_link_of_a_question_is_fresh_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    made, now = question_link(), time.time()
    assert is_fresh(made)
    for later, fresh in ((10, True), (60, False), (86400, False)):
        monkeypatch.setattr(time, "time", lambda later=later: now + later)
        assert is_fresh(made) is fresh


@pytest.mark.parametrize("name", ["mvr0123456789ab", "mvr-eth0", "mvrask-zzzzzzzz", "mvrask-1"])
def test_no_other_link_is_fresh(name: str) -> None:
    assert not is_fresh(name)
