"""Lean imports: a part of a package, and the whole of it for whoever asks."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from macvlan_ros.lean import without_init

ROOT = Path(__file__).parents[2]


def in_a_fresh_python(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package whose __init__ needs a module of its own, and says when it runs."""
    name = f"laden_{tmp_path.name.replace('-', '_')}"
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").write_text(
        f"import sys\nfrom {name} import inner\nsys.runs_of_init = getattr(sys, 'runs_of_init', 0)"
        " + 1\nouter = inner.value + 1\n"
    )
    (folder / "inner.py").write_text(f"from {name} import deep\nvalue = deep.value + 1\n")
    (folder / "deep.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "runs_of_init", 0, raising=False)
    return name


def runs() -> int:
    return int(sys.runs_of_init)  # type: ignore[attr-defined]  # set by the package


def test_a_module_is_imported_without_the_packages_init(package: str) -> None:
    with without_init(package):
        inner = __import__(f"{package}.inner", fromlist=["value"])
    assert (inner.value, runs()) == (2, 0)


def test_who_asks_for_what_only_the_init_has_gets_it(package: str) -> None:
    with without_init(package):
        __import__(f"{package}.inner")
    whole = __import__(package)
    assert (whole.outer, runs()) == (3, 1)
    assert not hasattr(whole, "nothing")
    assert runs() == 1


def test_a_package_that_is_there_already_stays_as_it_is(package: str) -> None:
    whole = __import__(package)
    with without_init(package):
        __import__(f"{package}.deep")
    assert sys.modules[package] is whole
    assert runs() == 1


def test_many_threads_make_it_whole_once(package: str) -> None:
    with without_init(package):
        __import__(f"{package}.inner")
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(__import__(package).outer)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (found, runs()) == ([3] * 8, 1)


def test_a_package_that_is_not_there_is_an_import_error() -> None:
    with (
        pytest.raises(ModuleNotFoundError, match="no_such_package"),
        without_init("no_such_package"),
    ):
        pass


def test_links_leave_most_of_pyroute2_out_and_others_in_the_process_have_all_of_it() -> None:
    script = (
        "import sys\n"
        "from macvlan_ros.links import Links\n"
        "with Links() as links:\n"
        "    print(links.exists('lo'), 'pyroute2.ndb.main' in sys.modules)\n"
        "import pyroute2\n"
        "print(pyroute2.NDB.__name__, 'pyroute2.ndb.main' in sys.modules)\n"
        "from pyroute2 import NFCTSocket, IPRoute\n"
        "with IPRoute() as kernel:\n"
        "    print(len(kernel.link_lookup(ifname='lo')))\n"
    )
    assert in_a_fresh_python(script).split() == ["True", "False", "NDB", "True", "1"]
