"""What is released installs in a clean place, and works there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from macvlan_ros import __version__
from tests.docs.pages import typed_by
from tests.lab.host import ROOT

NOT_RELEASED = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__", "_build")

CLEAN = """
mkdir "$1/over"
mount -t tmpfs none "$1/over"
for changed in opt usr/local/bin; do
    over="$1/over/$changed"
    mkdir -p "$over/upper" "$over/work"
    above="upperdir=$over/upper,workdir=$over/work"
    mount -t overlay -o "lowerdir=/$changed,$above" none "/$changed"
done
echo ready
exec cat
"""
#: What is said to apt-get is tried only: the machine's packages stay as they are.
SIMULATED = """
sudo() { "$@"; }
apt-get() { command apt-get --simulate "$@"; }
"""


def run(*words: object, cwd: Path, **environ: str) -> str:
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONPATH": "", **environ},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source tree by itself, for building leaves its traces in it."""
    folder = tmp_path_factory.mktemp("release") / "source"
    shutil.copytree(ROOT, folder, ignore=NOT_RELEASED)
    return folder


@pytest.fixture(scope="module")
def released(source: Path) -> tuple[Path, Path]:
    """The source distribution, and the wheel that is built from it."""
    # with the setuptools that is here; test_dockerfile.py builds where there is none
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", "out", ".", cwd=source)
    (sdist,) = source.glob("out/*.tar.gz")
    (wheel,) = source.glob("out/*.whl")
    return sdist, wheel


def works(program: list[object], folder: Path) -> None:
    """The command line does what it can without Docker."""
    store = f"--store={folder / 'state.db'}"
    assert run(*program, "--version", cwd=folder).split()[-1] == __version__
    add = ("pool", "add", "lab", "--subnet", "192.168.50.0/24", "--no-probe")
    run(*program, *add, store, cwd=folder)
    first = run(*program, "allocate", "-q", "--no-probe", "talker", store, cwd=folder)
    assert first.startswith("192.168.50.")
    assert run(*program, "list", "-q", store, cwd=folder) == "talker\n"
    assert "loopback" in run(*program, "interfaces", cwd=folder)


@pytest.fixture
def clean(tmp_path: Path) -> Iterator[list[object]]:
    """The words before a command that let it have /opt and /usr/local/bin for itself; the machine
    sees nothing of what it puts there."""
    command = ["unshare", "--mount", "sh", "-euc", CLEAN, "sh", str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "ready\n"
        yield ["nsenter", f"--target={holder.pid}", "--mount"]
        assert holder.stdin is not None
        holder.stdin.close()


def test_what_the_pages_say_installs_it_and_the_wheel_works_in_its_place(
    clean: list[object], source: Path, released: tuple[Path, Path], tmp_path: Path
) -> None:
    (install,) = typed_by("README.md", __file__)
    (tutorial,) = typed_by("docs/tutorial.md", __file__)
    assert re.fullmatch(r"sudo apt-get install .*\n" + re.escape(install), tutorial)
    program = "/usr/local/bin/macvlan-ros"

    script = f"{SIMULATED}cd {source}\n{tutorial}"
    run(*clean, "bash", "-euc", script, cwd=tmp_path, PIP_ROOT_USER_ACTION="ignore")
    works([*clean, program], tmp_path)
    python = "/opt/macvlan-ros/bin/python"
    pip = (python, "-m", "pip", "--quiet")
    run(*clean, *pip, "uninstall", "--yes", "macvlan-ros", cwd=tmp_path)
    run(*clean, *pip, "install", released[1], cwd=tmp_path)
    works([*clean, program], tmp_path)
    units = run(*clean, "ls", "/opt/macvlan-ros/share/macvlan-ros", cwd=tmp_path).split()
    assert {"macvlan-ros.socket", "macvlan-ros.service"} <= set(units)


def test_both_have_every_module_and_nothing_but_the_package(released: tuple[Path, Path]) -> None:
    sdist, wheel = released
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "macvlan_ros").rglob("*.py")}
    inside = set(zipfile.ZipFile(wheel).namelist())
    assert modules <= inside
    assert {name.split("/")[0].split("-")[0] for name in inside} == {"macvlan_ros"}
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert modules | {"README.md", "LICENSE", "setup.cfg"} <= names


def test_one_file_is_the_whole_command_line(source: Path, tmp_path: Path) -> None:
    run("bash", "scripts/zipapp", cwd=source, PYTHON=sys.executable)
    made = shutil.copy(source / "dist" / "macvlan-ros.pyz", tmp_path)
    assert not [name for name in zipfile.ZipFile(made).namelist() if name.endswith(".so")]
    works([sys.executable, "-I", made], tmp_path)
