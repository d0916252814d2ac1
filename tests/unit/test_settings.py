"""Settings come from the file, then the environment."""

from pathlib import Path

import pytest

from macvlan_ros import settings
from macvlan_ros.errors import InvalidRequest


def test_nothing_set_means_the_documented_defaults(tmp_path: Path) -> None:
    found = settings.load({}, tmp_path / "absent")
    assert found.store == "sqlite:///var/lib/macvlan-ros/state.db"
    assert found.docker == found.parent == ""
    assert found.host_name


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "conf"
    file.write_text("[macvlan-ros]\nstore = /a\nparent = eth7\n")
    found = settings.load({"MACVLAN_ROS_STORE": "/b", "MACVLAN_ROS_HOST": "qtpc"}, file)
    assert (found.store, found.parent, found.host_name) == ("/b", "eth7", "qtpc")


def test_the_hostname_is_cut_at_its_first_dot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "qtrp.lan")
    assert settings.load({}, tmp_path / "absent").host_name == "qtrp"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[macvlan-ros]\nstor = /a\n", "did you mean: store?"),
        ("[other]\nstore = /a\n", "unknown section [other]"),
        ("no section\n", "is not a settings file"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path: Path, text: str, part: str) -> None:
    file = tmp_path / "conf"
    file.write_text(text)
    with pytest.raises(InvalidRequest) as caught:
        settings.load({}, file)
    assert part in str(caught.value)
    assert str(file) in str(caught.value)


def test_defence_is_yes_or_no(tmp_path: Path) -> None:
    assert settings.load({}, tmp_path / "absent").defend == "yes"
    assert settings.load({"MACVLAN_ROS_DEFEND": "no"}, tmp_path / "absent").defend == "no"
    with pytest.raises(InvalidRequest, match="the setting defend is 'off'"):
        settings.load({"MACVLAN_ROS_DEFEND": "off"}, tmp_path / "absent")
