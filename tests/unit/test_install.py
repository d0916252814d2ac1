"""The service's units are put in place as a whole, or not at all."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from macvlan_ros import cli
from macvlan_ros.errors import InvalidRequest, Unavailable
from macvlan_ros.plugin import install


def systemctl(monkeypatch: pytest.MonkeyPatch, *, runs: Path, code: int) -> None:
    """What systemctl says where systemd does not run."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(words, code, "", "Failed to connect to bus\n")

    monkeypatch.setattr(install, "_run", run)
    monkeypatch.setattr(install, "_RUNS", runs)
    monkeypatch.setattr(shutil, "which", lambda _name: "/bin/systemctl")


def test_without_systemd_nothing_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = tmp_path / "units"
    units.mkdir()
    old = units / "macvlan-ros.service"
    old.write_text("what was there")
    systemctl(monkeypatch, runs=tmp_path / "none", code=1)
    with pytest.raises(
        Unavailable, match=r"systemd does not run here .*: macvlan-ros plugin serve"
    ):
        install.install(units)
    assert [path.name for path in units.iterdir()] == [old.name]
    assert old.read_text() == "what was there"


def test_without_systemd_the_units_can_be_removed_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    systemctl(monkeypatch, runs=tmp_path / "none", code=1)
    written = install.install(tmp_path, start=False)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in written}
    assert cli.run(["plugin", "uninstall", "--units", str(tmp_path)]) == 6
    remedy = capsys.readouterr().err.strip().rpartition(": ")[2]
    assert cli.run([*remedy.split()[1:], "--units", str(tmp_path)]) == 0
    assert not any(tmp_path.iterdir())


def test_the_status_is_quiet_when_it_shall_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--socket", str(tmp_path / "none.sock"), "--units", str(tmp_path)]
    assert cli.run(["plugin", "status", "--quiet", *options]) == 6
    assert capsys.readouterr() == ("", "")
    assert cli.run(["plugin", "status", *options]) == 6
    assert "macvlan-ros plugin install" in capsys.readouterr().err


def test_units_go_into_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidRequest, match="cannot be written"):
        install.install(tmp_path / "file", start=False)
