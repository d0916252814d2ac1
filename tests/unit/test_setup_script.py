"""scripts/setup: what it says when it cannot install, and that it leaves nothing behind."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = (
    "sh",
    "dirname",
    "mktemp",
    "rm",
    "cat",
    "id",
    "head",
    "grep",
    "tail",
    "sleep",
    "chmod",
    "mv",
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what setup needs, and a folder of programs that is its whole PATH."""
    (tmp_path / "scripts").mkdir()
    # the machine's own programs are to be out of sight
    text = (ROOT / "scripts" / "setup").read_text()
    assert "PATH=$PATH:/usr/sbin:/sbin\n" in text
    (tmp_path / "scripts" / "setup").write_text(text.replace("PATH=$PATH:/usr/sbin:/sbin\n", ""))
    for name in ("setup.cfg", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or f"/no/{tool}")
    return tmp_path


def program(tree: Path, name: str, script: str) -> None:
    path = tree / "bin" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def setup(tree: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "scripts/setup", *words],
        cwd=tree,
        env={"PATH": str(tree / "bin"), **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )


OLD = 'case "$1" in -V) echo Python 3.9.2 ;; *) exit 1 ;; esac'


def test_a_python_that_is_too_old_is_named(tree: Path) -> None:
    program(tree, "oldpython", OLD)
    done = setup(tree, "python", PYTHON="oldpython")
    said = "setup: oldpython is Python 3.9.2; macvlan-ros needs Python 3.10 or later\n"
    assert (done.returncode, done.stderr) == (1, said)


def test_a_python_that_is_not_there_is_named(tree: Path) -> None:
    done = setup(tree, "python", PYTHON="python9")
    assert (done.returncode, done.stderr) == (1, "setup: there is no PYTHON 'python9'\n")


def test_without_any_python_it_says_how_to_name_one(tree: Path) -> None:
    program(tree, "python3", OLD)
    done = setup(tree, "python")
    assert done.returncode == 1
    assert "needs Python 3.10 or later, and Python 3.9.2 is here" in done.stderr
    assert "make PYTHON=python3.12" in done.stderr


def test_a_newer_python_beside_the_old_one_is_found(tree: Path) -> None:
    program(tree, "python3", OLD)
    program(
        tree, "python3.12", 'case "$*" in *version_info*) ;; *) echo no, said $1; exit 1 ;; esac'
    )
    done = setup(tree, "python")
    assert "needs Python 3.10" not in done.stderr


def test_missing_packages_are_named_to_somebody_who_is_not_root(tree: Path) -> None:
    program(tree, "python3", "exit 0")
    (tree / "bin" / "id").unlink()
    program(tree, "id", "echo 1000")
    done = setup(tree, "lab")
    assert done.returncode == 1
    assert "these packages are missing: docker.io iproute2" in done.stderr
    assert "sudo make" in done.stderr


def test_without_apt_the_packages_are_named(tree: Path) -> None:
    program(tree, "python3", "exit 0")
    (tree / "bin" / "id").unlink()
    program(tree, "id", "echo 0")
    done = setup(tree, "test")
    assert done.returncode == 1
    assert "no apt-get to install them: docker.io iproute2" in done.stderr
    assert "tshark" in done.stderr


def test_what_apt_says_is_shown_when_it_fails_and_nothing_is_left_behind(tree: Path) -> None:
    program(tree, "python3", "exit 0")
    (tree / "bin" / "id").unlink()
    program(tree, "id", "echo 0")
    program(tree, "apt-get", "echo E: no such place; exit 100")
    text = (tree / "scripts" / "setup").read_text()
    policy = tree / "policy-rc.d"
    (tree / "scripts" / "setup").write_text(text.replace("/usr/sbin/policy-rc.d", str(policy)))
    policy.write_text("somebody's own\n")
    done = setup(tree, "lab")
    assert done.returncode == 1
    assert "E: no such place\nsetup: 'apt-get -qq …' failed" in done.stderr
    assert policy.read_text() == "somebody's own\n"
    assert sorted(path.name for path in tree.iterdir() if "policy" in path.name) == ["policy-rc.d"]
