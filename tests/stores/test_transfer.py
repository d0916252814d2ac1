"""Stores that are moved, checked, backed up and restored, by the command line."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from netaddr import IPAddress

from macvlan_ros.models.pools import DYNAMIC, NETWORK, Record, Reservation
from macvlan_ros.notation import parse_pool
from macvlan_ros.stores import open_store
from macvlan_ros.stores.transfer import Content, read_content
from tests.stores.etcd_server import Etcd

ROOT = Path(__file__).resolve().parents[2]
LAB = parse_pool("lab", subnet="192.168.50.0/24", ranges=["192.168.50.10-192.168.50.250"])
SIX = parse_pool("six", subnet="fd00:50::/64", order="sequential")
TALKER = Reservation(
    "lab", IPAddress("192.168.50.20"), "talker", "02:00:00:00:00:20", "qtpc", "2026-11-02T10:00:00Z"
)
PASSING = replace(
    TALKER, owner="dynamic:x", address=IPAddress("192.168.50.21"), mac="02:1::", kind=DYNAMIC
)
ROUTER = replace(TALKER, owner="gateway:1", address=IPAddress("192.168.50.1"), mac="", kind=NETWORK)
WALKER = replace(TALKER, pool="six", address=IPAddress("fd00:50::7"), mac="02:00:00:00:00:07")
FULL = Content(
    pools=(LAB, SIX),
    reservations=(ROUTER, TALKER, PASSING, WALKER),
    records=(
        Record("network", "qtpc/abc", "qtpc", '{"wanted": "eth0"}'),
        Record("use", "lab/192.168.50.20", "qtpc", "1.000 02:00:00:00:00:20"),
    ),
)


def run(
    *words: str, environ: Mapping[str, str] | None = None, typed: str = ""
) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the program."""
    done = subprocess.run(
        [sys.executable, "-m", "macvlan_ros", *words],
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
        env={**os.environ, **(environ or {})},
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def fill(url: str, content: Content) -> str:
    with closing(open_store(url)) as store:
        for pool in content.pools:
            store.add_pool(pool)
        assert store.reserve(content.reservations) == content.reservations
        for record in content.records:
            store.remember(record)
    return url


def content_of(url: str) -> Content:
    with closing(open_store(url)) as store:
        return read_content(store)


@pytest.fixture(params=["sqlite", "etcd"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store of each kind that lasts."""
    if request.param == "sqlite":
        return f"{tmp_path}/state.db"
    found: str = request.getfixturevalue("etcd_url")
    return found


def test_a_store_moves_to_etcd_and_back(tmp_path: Path, etcd_url: str) -> None:
    old, new = fill(f"{tmp_path}/old.db", FULL), f"{tmp_path}/new.db"
    code, _, err = run("store", "copy", old, etcd_url)
    assert (code, err) == (0, "copied 2 pools, 4 reservations, 2 records\n")
    assert content_of(etcd_url) == FULL == content_of(old)
    assert run("store", "copy", "-q", etcd_url, new) == (0, "", "")
    assert content_of(new) == FULL


def test_copying_twice_changes_nothing(tmp_path: Path, etcd_url: str) -> None:
    old = fill(f"{tmp_path}/old.db", FULL)
    for _ in range(2):
        assert run("store", "copy", old, etcd_url)[0] == 0
    assert content_of(etcd_url) == FULL


def test_two_hosts_stores_become_one(tmp_path: Path, etcd_url: str) -> None:
    one = fill(f"{tmp_path}/one.db", FULL)
    listener = replace(
        TALKER, owner="listener", address=IPAddress("192.168.50.30"), mac="02::30", host="qtrp"
    )
    mine = Record("network", "qtrp/def", "qtrp", "{}")
    other = fill(f"{tmp_path}/other.db", Content((LAB,), (listener,), (mine,)))
    for each in (one, other):
        assert run("store", "copy", each, etcd_url)[0] == 0
    found = content_of(etcd_url)
    assert set(found.reservations) == {*FULL.reservations, listener}
    assert set(found.records) == {*FULL.records, mine}


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (
            Content((LAB,), (replace(TALKER, owner="other", mac="02::9"),)),
            "'talker' has 192.168.50.20",
        ),
        (
            Content((LAB,), (replace(TALKER, address=IPAddress("192.168.50.99")),)),
            "'talker' has 192.168.50.99",
        ),
        (
            Content((LAB,), (replace(TALKER, owner="x", address=IPAddress("192.168.50.98")),)),
            "with its MAC 02:00:00:00:00:20",
        ),
        (Content((replace(LAB, order="sequential"),)), "exists with another order"),
        (Content((replace(LAB, name="second"),)), "overlaps pool"),
    ],
)
def test_what_contradicts_is_named_and_nothing_is_copied(
    tmp_path: Path, url: str, other: Content, words: str
) -> None:
    fill(url, other)
    old = fill(f"{tmp_path}/full.db", FULL)
    code, out, err = run("store", "copy", old, url)
    assert (code, out) == (4, "")
    assert words in err
    assert content_of(url) == other


def test_a_store_is_not_copied_onto_itself(tmp_path: Path) -> None:
    code, _, err = run("store", "copy", f"{tmp_path}/a.db", f"{tmp_path}/a.db")
    assert code == 2
    assert "the same store" in err


def test_a_backup_is_restored_as_it_was(tmp_path: Path, url: str) -> None:
    fill(url, FULL)
    file = tmp_path / "backup.json"
    code, _, err = run("--store", url, "store", "backup", str(file))
    assert code == 0
    assert "wrote 2 pools, 4 reservations, 2 records" in err
    assert file.stat().st_mode & 0o777 == 0o600
    assert run("--store", f"{tmp_path}/new.db", "store", "restore", str(file))[0] == 0
    assert content_of(f"{tmp_path}/new.db") == FULL
    assert run("--store", url, "store", "restore", str(file))[0] == 0, "the same again is fine"


def test_a_backup_goes_through_a_pipe(tmp_path: Path) -> None:
    code, printed, err = run("--store", fill(f"{tmp_path}/a.db", FULL), "store", "backup", "-")
    assert (code, err) == (0, "wrote 2 pools, 4 reservations, 2 records into /dev/stdout\n")
    new = f"{tmp_path}/new.db"
    assert run("--store", new, "store", "restore", "-", typed=printed)[0] == 0
    assert content_of(new) == FULL


def test_restoring_replaces_a_filled_store_only_by_force(tmp_path: Path, url: str) -> None:
    file = tmp_path / "backup.json"
    source = fill(f"{tmp_path}/full.db", FULL)
    assert run("--store", source, "store", "backup", str(file))[0] == 0
    other = Content((replace(LAB, order="sequential"),), (replace(TALKER, owner="other"),))
    fill(url, other)
    code, _, err = run("--store", url, "store", "restore", str(file))
    assert code == 4
    assert "is not empty (1 pool, 1 reservation, 0 records)" in err
    assert content_of(url) == other
    assert run("--store", url, "store", "restore", "--force", str(file))[0] == 0
    assert content_of(url) == FULL


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (None, 3, "no backup"),
        ("{", 2, "not JSON"),
        ("[" * 100_000, 2, "not JSON"),
        ("[]", 2, "no whole backup"),
        ('{"macvlan-ros backup": 9}', 2, "of format 9"),
        ('{"macvlan-ros backup": 1, "pools": {}}', 2, "no whole backup"),
        ('{"macvlan-ros backup": 1, "pools": [], "reservations": []}', 2, "no whole backup"),
        (
            '{"macvlan-ros backup": 1, "pools": {}, "records": [], "reservations": [{"pool": 1}]}',
            2,
            "does not decode",
        ),
        ("\udcff", 2, "not JSON"),
    ],
)
def test_what_is_no_backup_is_said_and_nothing_is_changed(
    tmp_path: Path, text: str | None, code: int, words: str
) -> None:
    file, store = tmp_path / "backup.json", fill(f"{tmp_path}/full.db", FULL)
    if text is not None:
        file.write_text(text, errors="surrogateescape")
    status, out, err = run("--store", store, "store", "restore", "--force", str(file))
    assert (status, out) == (code, "")
    assert words in err
    assert content_of(store) == FULL


def test_a_backup_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    store = fill(f"{tmp_path}/full.db", FULL)
    code, _, err = run("--store", store, "store", "backup", f"{tmp_path}/no/where.json")
    assert code == 2
    assert "cannot be written" in err
    assert [each.name for each in tmp_path.iterdir() if "where" in each.name] == []


def test_a_sound_store_passes_the_check(url: str) -> None:
    fill(url, FULL)
    code, out, err = run("--store", url, "store", "check")
    assert (code, out) == (0, "")
    assert "contradicts itself nowhere" in err
    assert run("--store", url, "--json", "store", "check")[1] == "[]\n"


def test_the_check_finds_what_an_sqlite_file_should_not_hold(tmp_path: Path) -> None:
    path = fill(f"{tmp_path}/full.db", FULL)
    with closing(sqlite3.connect(path)) as db:
        db.execute(
            "UPDATE reservations SET address = '4c0a83305' WHERE owner = 'talker' AND pool = 'lab'"
        )
        db.execute("UPDATE reservations SET pool = 'gone' WHERE pool = 'six'")
        db.execute("DROP INDEX static_macs")
        db.execute(
            "INSERT INTO reservations SELECT pool, 'twin', '4c0a83222', mac, host, created, kind "
            "FROM reservations WHERE owner = 'talker' AND pool = 'lab'"
        )
        db.commit()
    code, out, _ = run("--store", path, "--json", "store", "check")
    assert code == 1
    found = {(each["where"], each["text"]) for each in json.loads(out)}
    words = " ".join(f"{where}: {text}" for where, text in found)
    for expected in (
        "lab/talker: holds 192.168.51.5, which",
        "gone/talker: holds fd00:50::7 in a pool that is not there",
        "MAC 02:00:00:00:00:20: is held twice",
        "a row of reservations has no pools",
    ):
        assert expected in words


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda etcd, p: etcd.ctl("del", f"{p}/owner/lab/talker"), "stands without"),
        (lambda etcd, p: etcd.ctl("del", f"{p}/mac/{TALKER.mac}"), "stands without"),
        (lambda etcd, p: etcd.ctl("put", f"{p}/other", "x"), "writes no such key"),
    ],
)
def test_the_check_finds_what_etcd_should_not_hold(
    etcd: Etcd, etcd_url: str, spoil: Callable[[Etcd, str], object], words: str
) -> None:
    fill(etcd_url, FULL)
    spoil(etcd, "/" + etcd_url.rpartition("/")[2])
    code, out, _ = run("--store", etcd_url, "store", "check")
    assert code == 1
    assert words in out


def test_the_command_line_works_on_etcd(etcd_url: str) -> None:
    environ = {"MACVLAN_ROS_STORE": etcd_url}
    pool = ["pool", "add", "lab", "--subnet", "192.168.50.0/24"]
    assert run(*pool, environ=environ)[0] == 0
    code, out, _ = run("allocate", "-q", "--no-probe", "talker", "listener", environ=environ)
    assert code == 0
    assert len(out.split()) == 2
    assert run("allocate", "-q", "--no-probe", "talker", "listener", environ=environ)[1] == out
    listed = json.loads(run("list", "--json", environ=environ)[1])
    assert {each["owner"] for each in listed} == {"talker", "listener"}
    assert run("release", "-q", "talker", environ=environ)[0] == 0
    assert run("pool", "rm", "lab", environ=environ)[0] == 4


def test_an_etcd_that_is_away_ends_every_command_with_6(tmp_path: Path) -> None:
    environ = {"MACVLAN_ROS_STORE": "etcd://127.0.0.1:1/lab"}
    for words in (
        ["list"],
        ["allocate", "talker"],
        ["store", "check"],
        ["store", "backup", f"{tmp_path}/file"],
    ):
        code, out, err = run(*words, environ=environ)
        assert (code, out) == (6, "")
        assert "127.0.0.1:1: connection refused" in err
    assert list(tmp_path.iterdir()) == []
