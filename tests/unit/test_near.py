"""A name that is nearly right is answered with the one that was meant, wherever names are said."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import pytest
from netaddr import IPAddress, IPNetwork

from macvlan_ros import cli
from macvlan_ros.models.pools import Pool, Record, Reservation
from macvlan_ros.near import did_you_mean
from macvlan_ros.stores import open_store


def test_the_nearest_is_meant_or_nothing() -> None:
    assert did_you_mean("talkr", ["listener", "talker"]) == " (did you mean 'talker'?)"
    assert did_you_mean("camera", ["listener", "talker"]) == ""


@pytest.fixture
def store(tmp_path: Path) -> str:
    url = str(tmp_path / "state.db")
    with closing(open_store(url)) as opened:
        opened.add_pool(Pool("robots", IPNetwork("192.168.50.0/24")))
        held = Reservation("robots", IPAddress("192.168.50.10"), "talker", "02:00:00:00:00:01")
        opened.reserve([held])
        opened.remember(Record("host", "qtpc", "qtpc", "{}"))
    return url


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("release", "talkr"), "talker"),
        (("rename", "talkr", "speaker"), "talker"),
        (("move", "talkr", "192.168.50.20", "--no-probe"), "talker"),
        (("list", "--pool", "robts"), "robots"),
        (("export", "csv", "--pool", "robts"), "robots"),
        (("pool", "show", "robts"), "robots"),
        (("pool", "rm", "robts"), "robots"),
        (("allocate", "listener", "--pool", "robts"), "robots"),
        (("hosts", "rm", "qtcp"), "qtpc"),
        (("alocate", "talker"), "allocate"),
        (("interfaces", "--docker", "defalt", "--verbos"), "verbose"),
    ],
)
def test_commands_say_what_was_probably_meant(
    store: str, words: tuple[str, ...], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = cli.run(["--store", store, *words])
    said = " ".join(capsys.readouterr().err.split())
    assert re.search(f"[Dd]id you mean '?-*{meant}'?", said), said
    assert code in (0, 2, 3)


@pytest.mark.parametrize("words", [("logs", "talkr"), ("exec", "talkr", "ls"), ("verify", "talkr")])
def test_services_are_nearly_right_too(
    store: str,
    words: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "compose.yaml").write_text("services: {talker: {image: a}, ear: {image: b}}")
    monkeypatch.chdir(tmp_path)
    assert cli.run(["--store", store, *words]) == 3
    assert "did you mean 'talker'?" in capsys.readouterr().err
