"""The block of ours in a container's hosts file."""

from __future__ import annotations

from pathlib import Path

from netaddr import IPAddress

from macvlan_ros.lan_names.names import with_block, write_in_place

DOCKERS = "127.0.0.1\tlocalhost\n192.168.50.195\t3f2a core\n192.168.50.9 camera # by hand\n"
NAMES = {"speaker": IPAddress("192.168.50.197"), "face": IPAddress("192.168.50.196")}


def test_names_come_after_what_is_there() -> None:
    text = with_block(DOCKERS, NAMES)
    assert text.startswith(DOCKERS)
    assert "192.168.50.196\tface\n192.168.50.197\tspeaker\n" in text


def test_doing_it_again_changes_nothing_and_without_names_all_is_as_before() -> None:
    once = with_block(DOCKERS, NAMES)
    assert with_block(once, NAMES) == once
    assert with_block(once, {}) == DOCKERS


def test_what_somebody_else_wrote_wins() -> None:
    text = with_block(DOCKERS, {"camera": IPAddress("192.168.50.200")})
    assert text == DOCKERS


def test_a_name_that_moved_has_one_address() -> None:
    moved = with_block(with_block(DOCKERS, NAMES), {"face": IPAddress("192.168.50.222")})
    assert "192.168.50.222\tface" in moved
    assert "192.168.50.196" not in moved
    assert "speaker" not in moved


def test_lines_of_docker_after_the_block_stay() -> None:
    text = with_block(with_block(DOCKERS, NAMES) + "10.0.0.9\tlate\n", NAMES)
    assert text.count("late") == 1
    assert text.count("face") == 1


def test_the_file_stays_the_same_file(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text(with_block(DOCKERS, NAMES))
    before = file.stat().st_ino
    assert write_in_place(file, lambda text: with_block(text, {}))
    assert file.read_text() == DOCKERS
    assert file.stat().st_ino == before
    assert not write_in_place(file, lambda text: with_block(text, {}))
