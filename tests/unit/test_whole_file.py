"""Files that are written wholly or not at all, and what is said of a disk without room."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from macvlan_ros.compose import composer
from macvlan_ros.errors import Forbidden, InvalidRequest, MacvlanRosError, Unavailable
from macvlan_ros.whole_file import cannot_write, write_whole


def test_a_file_is_replaced_and_has_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "a.svg"
    file.write_text("old")
    write_whole(file, "new\n", mode=0o600)
    assert file.read_text() == "new\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_a_replaced_file_keeps_its_owner_and_a_link_leads_to_it(tmp_path: Path) -> None:
    file, link = tmp_path / "compose.yaml", tmp_path / "link.yaml"
    file.write_text("old")
    os.chown(file, 1000, 1000) if os.geteuid() == 0 else None
    owner = file.stat().st_uid
    link.symlink_to(file)
    write_whole(link, "new")
    assert (file.read_text(), file.stat().st_uid, link.is_symlink()) == ("new", owner, True)


def test_what_is_no_file_is_written_to_and_never_replaced(tmp_path: Path) -> None:
    """As root, replacing /dev/null would break the PC."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_whole(pipe, "<svg/>")
        assert os.read(reader, 100) == b"<svg/>"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    with pytest.raises(Unavailable, match="No space left"):
        write_whole(Path("/dev/full"), "<svg/>")
    assert Path("/dev/full").is_char_device()
    with pytest.raises(InvalidRequest, match="Is a directory"):
        write_whole(tmp_path, "<svg/>")


def test_a_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        with pytest.raises(InvalidRequest, match="name a file"):
            write_whole(path, "text")
        assert path.is_socket()


def test_a_new_file_does_not_replace_another(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    write_whole(file, "mine", new=True)
    with pytest.raises(FileExistsError):
        write_whole(file, "yours", new=True)
    assert file.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, Unavailable), (errno.EROFS, Forbidden), (errno.ENOTDIR, InvalidRequest)],
)
def test_the_system_s_reason_is_told(number: int, kind: type[MacvlanRosError]) -> None:
    error = cannot_write(Path("/a/b"), OSError(number, "the reason"))
    assert isinstance(error, kind)
    assert "/a/b cannot be written (the reason)" in str(error)


def test_compose_s_file_needs_room() -> None:
    with pytest.raises(Unavailable, match=r"No space left on device.*TMPDIR"):
        composer._write(Path("/dev/full"), "services: {}")
