"""Which names are published by mDNS, and what is said without the library."""

from __future__ import annotations

import sys

import pytest
from netaddr import IPAddress

from macvlan_ros.cli import main
from macvlan_ros.lan_names.mdns import names_of

A, B = (IPAddress("192.168.50.195"),), (IPAddress("192.168.50.196"), IPAddress("fd00:50::196"))


def test_a_name_with_underscores_is_published_with_dashes_too() -> None:
    assert names_of({"harmoni_core": A, "face": B}) == {
        "harmoni_core": A,
        "harmoni-core": A,
        "face": B,
    }


def test_a_containers_own_name_wins_over_another_spelling_of_anothers() -> None:
    assert names_of({"a_b": A, "a-b": B}) == {"a_b": A, "a-b": B}


def test_names_are_published_in_small_letters_and_no_longer_than_dns_takes() -> None:
    assert names_of({"Camera": A, "x" * 64: B}) == {"camera": A}


def test_without_the_library_one_sentence_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "zeroconf", None)
    with pytest.raises(SystemExit) as end:
        main(["names", "--mdns"])
    assert end.value.code == 6
    assert "pip install 'macvlan-ros[mdns]'" in capsys.readouterr().err
