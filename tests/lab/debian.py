"""Another Debian's files as a folder: its packages fetched by apt and unpacked, not installed.

Nothing of it runs at its making, so that a tree with a Docker Engine stands in six seconds where an
installation takes fifty; and nothing of this machine's own packages changes.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from .errors import LabError

#: Where trees are kept; `make clean` removes them.
KEPT = Path(__file__).resolve().parents[2] / ".lab"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
MIRROR = "http://deb.debian.org/debian"
#: Seconds for one command of apt's.
FETCH = 150.0

#: Seconds after which a tree that nobody has wanted may go.
UNUSED = 86400.0

#: What a Docker Engine needs, with its own command line and a few programs to look around.
ENGINE = ("docker.io", "docker-cli", "docker-compose", "iptables", "busybox-static")
#: Debian's releases whose engines are not this machine's: 26 and 28, or what they have by now.
NEWER = ("trixie", "sid")


#: What dpkg would note of a package, newer than any, of whatever architecture asks for it.
INSTALLED = """Package: {package}
Status: install ok installed
Architecture: all
Multi-Arch: allowed
Version: 99:1

"""


def engine_tree(suite: str) -> Path:
    """The files of that release's Docker Engine. Raises LabError when they cannot be had."""
    return tree(suite, ENGINE)


def tree(
    suite: str,
    packages: Sequence[str],
    *,
    without: Sequence[str] = (),
    files: Mapping[str, str] | None = None,
    finish: str = "",
) -> Path:
    """A folder with these packages of a Debian release, and what they depend on.

    `without` are packages that some depend on and we do not need, nor what they depend on;
    `files` are more (executable) files by their path; `finish` is a shell script that runs in the
    tree at last, with its own programs.

    Made at the first call and kept; made anew when this file or the list of packages changes.
    Not for writing in: mount an overlay on it, or copy it. Raises LabError, with the reason in one
    sentence, when the release or a package of it cannot be had.
    """
    files = files or {}
    made = place(suite, packages, without=without, files=files, finish=finish)
    KEPT.mkdir(exist_ok=True)
    with one_at_a_time(made):
        if not made.exists():
            work = made.with_suffix(".work")
            shutil.rmtree(work, ignore_errors=True)
            try:
                _fetch(work, suite, packages, without=without)
                _unpack(work)
                _add(work / "root", files)
                if finish:
                    command = ["chroot", str(work / "root"), "/bin/sh", "-euc", finish]
                    _run(command, f"the files of {suite} cannot be finished")
                (work / "root").rename(made)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    return made


def place(
    suite: str,
    packages: Sequence[str],
    *,
    without: Sequence[str] = (),
    files: Mapping[str, str] | None = None,
    finish: str = "",
) -> Path:
    """Where `tree` puts the folder, or has put it."""
    wanted = (suite, sorted(packages), sorted(without), sorted((files or {}).items()), finish)
    recipe = repr((wanted, Path(__file__).read_bytes()))
    return KEPT / f"{suite}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"


@contextlib.contextmanager
def one_at_a_time(made: Path) -> Iterator[None]:
    """Several test processes want the same tree; the first one makes it. When it has been made,
    what nobody has wanted for a day is removed: by then its recipe is another one mostly."""
    there = made.exists()
    with made.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.utime(lock.fileno())
        yield
        if made.exists() and not there:
            _remove_unused(made.parent)


def _remove_unused(kept: Path) -> None:
    for path in kept.glob("*.lock"):
        with path.open() as lock, contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if time.time() - path.stat().st_mtime > UNUSED:
                shutil.rmtree(path.with_suffix(""), ignore_errors=True)
                path.unlink()


def _fetch(work: Path, suite: str, packages: Sequence[str], *, without: Sequence[str]) -> None:
    for folder in ("lists/partial", "archives/partial"):
        (work / folder).mkdir(parents=True)
    # an apt that believes in a machine with nothing but what is not wanted, and has one source
    (work / "status").write_text("".join(INSTALLED.format(package=name) for name in without))
    source = f"deb [signed-by={KEYRING}] {mirror()} {suite} main\n"
    (work / "sources.list").write_text(source)
    settings = {
        "Dir::State": work,
        "Dir::State::status": work / "status",
        "Dir::State::lists": work / "lists",
        "Dir::State::extended_states": work / "extended_states",
        "Dir::Cache": work,
        "Dir::Cache::archives": work / "archives",
        "Dir::Etc::sourcelist": work / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "APT::Sandbox::User": "root",  # the folder may be where nobody else may look
        "APT::Install-Recommends": "false",
        "APT::Update::Error-Mode": "any",
        # a mirror that is a snapshot is older than its releases allow
        "Acquire::Check-Valid-Until": "false",
        "Acquire::Languages": "none",
        "Acquire::Retries": "2",
    }
    apt = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in settings.items())]
    _run([*apt, "update"], f"Debian {suite} cannot be fetched from {mirror()}")
    command = [*apt, "install", "--yes", "--download-only", *packages]
    _run(command, f"the packages {' '.join(packages)} of Debian {suite} cannot be fetched")


def _unpack(work: Path) -> None:
    root = work / "root"
    for folder in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / folder).mkdir(parents=True)
        (root / folder).symlink_to(f"usr/{folder}")
    for package in sorted((work / "archives").glob("*.deb")):
        _run(["dpkg-deb", "--extract", str(package), str(root)], f"{package.name} is broken")
    for folder in ("dev", "proc", "sys", "run", "tmp", "root", "etc", "var/lib"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    if not (root / "var/run").exists():
        (root / "var/run").symlink_to("/run")
    # what an installation would have left to update-alternatives
    for name in ("iptables", "ip6tables"):
        if (root / "usr/sbin/xtables-nft-multi").exists():
            (root / "usr/sbin" / name).symlink_to("xtables-nft-multi")


def _add(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
        (root / name).chmod(0o755)


def mirror() -> str:
    """Where this machine's own apt has Debian from; Debian's own mirror if it has none."""
    asked = ["apt-get", "indextargets", "--format", "$(ORIGIN) $(LABEL) $(SITE)"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=FETCH, check=False)
    for line in done.stdout.splitlines():
        origin, label, site = [*line.split(" ", 2), "", ""][:3]
        if origin == label == "Debian" and site:
            return site.rstrip("/")
    return MIRROR


def _run(command: Sequence[str], failed: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=FETCH, env=environment, check=False
        )
    except FileNotFoundError:
        raise LabError(f"{failed}: there is no {command[0]} on this machine") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"{failed}: no end after {FETCH:g} s") from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise LabError(f"{failed}: {said[-1]}")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        sys.stdout.write(f"{engine_tree(name)}\n")
