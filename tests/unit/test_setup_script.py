"""scripts/setup: what it says when it cannot install, and that it leaves nothing behind."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = (
    *("sh", "cat", "chmod", "cp", "dirname", "find", "grep", "head"),
    *("mkdir", "mktemp", "mv", "rm", "sleep", "tail", "touch"),
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what setup needs, and a folder of programs that is its whole PATH."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "setup", tmp_path / "scripts")
    # the machine's own programs are to be out of sight
    replace(tmp_path, "PATH=$PATH:/usr/sbin:/sbin\n", "")
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


def replace(tree: Path, what: str, by: str) -> None:
    """Another path in the copy of the script; it must be in there."""
    script = tree / "scripts" / "setup"
    assert what in script.read_text()
    script.write_text(script.read_text().replace(what, by))


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
    program(tree, "id", "echo 1000")
    done = setup(tree, "lab")
    assert done.returncode == 1
    assert "these packages are missing: docker.io iproute2" in done.stderr
    assert "sudo make" in done.stderr


def test_without_apt_the_packages_are_named(tree: Path) -> None:
    program(tree, "python3", "exit 0")
    program(tree, "id", "echo 0")
    done = setup(tree, "test")
    assert done.returncode == 1
    assert "no apt-get to install them: docker.io iproute2" in done.stderr
    assert "tshark" in done.stderr


def test_services_that_came_with_packages_do_not_start_at_the_next_boot(tree: Path) -> None:
    program(tree, "python3", "exit 0")
    for name in ("ip", "iptables", "nsenter", "mount", "docker", "busybox"):
        program(tree, name, "exit 0")
    program(tree, "id", "echo 0")
    program(tree, "apt-get", 'case "$*" in *" install "*) echo docker.service on >>enabled ;; esac')
    program(
        tree,
        "systemctl",
        'case "$1" in list-unit-files) cat enabled ;; *) echo "$*" >>did ;; esac',
    )
    (tree / "enabled").write_text("cron.service enabled enabled\n")
    (tree / "systemd").mkdir()
    replace(tree, "/run/systemd/system", str(tree / "systemd"))
    replace(tree, "/usr/sbin/policy-rc.d", str(tree / "policy-rc.d"))
    setup(tree, "lab")
    assert (tree / "did").read_text() == "disable docker.service\n"
    assert not (tree / "policy-rc.d").exists()


def test_a_busybox_with_shared_libraries_is_not_replaced(tree: Path) -> None:
    program(tree, "python3", "exit 0")
    for name in ("dockerd", "ip", "iptables", "nsenter", "mount", "docker"):
        program(tree, name, "exit 0")
    program(tree, "busybox", "# /lib64/ld-linux-x86-64.so.2")
    program(
        tree, "apt-get", 'case "$*" in *download*) touch busybox-static.deb ;; *) exit 9 ;; esac'
    )
    program(tree, "id", "echo 1000")
    unpack = 'mkdir -p "$3/bin"; echo static >"$3/bin/busybox"; chmod 755 "$3/bin/busybox"'
    program(tree, "dpkg-deb", unpack)
    setup(tree, "lab")
    assert (tree / ".lab" / "busybox").read_text() == "static\n"
    assert "unpacking" not in setup(tree, "lab").stdout


def test_what_apt_says_is_shown_when_it_fails_and_nothing_is_left_behind(tree: Path) -> None:
    program(tree, "python3", "exit 0")
    program(tree, "id", "echo 0")
    program(tree, "apt-get", "echo E: no such place; exit 100")
    policy = tree / "policy-rc.d"
    replace(tree, "/usr/sbin/policy-rc.d", str(policy))
    policy.write_text("somebody's own\n")
    done = setup(tree, "lab")
    assert done.returncode == 1
    assert "E: no such place\nsetup: 'apt-get -qq …' failed" in done.stderr
    assert policy.read_text() == "somebody's own\n"
    assert sorted(path.name for path in tree.iterdir() if "policy" in path.name) == ["policy-rc.d"]
