"""What is released installs in a clean place, and works there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from macvlan_ros import __version__
from tests.lab.host import ROOT

NOT_RELEASED = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__", "_build")


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


def test_the_wheel_works_in_a_clean_environment(
    released: tuple[Path, Path], tmp_path: Path
) -> None:
    _, wheel = released
    run(sys.executable, "-m", "venv", "--without-pip", "clean", cwd=tmp_path)
    pip = (sys.executable, "-m", "pip", "--python", "clean/bin/python", "install")
    run(*pip, "--quiet", wheel, cwd=tmp_path)
    works([tmp_path / "clean/bin/macvlan-ros"], tmp_path)
    units = {path.name for path in (tmp_path / "clean/share/macvlan-ros").iterdir()}
    assert {"macvlan-ros.socket", "macvlan-ros.service"} <= units


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
