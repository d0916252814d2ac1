"""Files that are written wholly or not at all, and what is said of a disk without room."""

from __future__ import annotations

import errno
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
