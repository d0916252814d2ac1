"""A stand-in for the image that the Dockerfile is based on, with the packages to install in it.

No image can be pulled into the lab, and nothing fetched from inside of it: Python is Debian's, and
what pip would fetch lies in a folder that pip looks into.
"""

from __future__ import annotations

import configparser
import subprocess
import sys
from pathlib import Path

from . import debian
from .errors import LabError
from .host import ROOT, Host

NAME = "python:lab"
SUITE = "trixie"
PACKAGES = ("base-files", "coreutils", "dash", "libc-bin", "python3", "python3-pip")
#: What those depend on and have no use for here.
WITHOUT = ("debconf", "dpkg", "openssl", "perl-base", "tzdata")
#: pip reads it at its start, though it shall fetch nothing.
FINISH = "cat /usr/share/ca-certificates/mozilla/*.crt >/etc/ssl/certs/ca-certificates.crt"
#: Seconds for pip.
FETCH = 150.0

PIP = """[global]
break-system-packages = true
find-links = /wheels
no-index = true
root-user-action = ignore
"""
DOCKERFILE = """FROM python:lab-bare
COPY pip.conf /etc/pip.conf
COPY wheels /wheels
"""


def give(host: Host, folder: Path) -> None:
    """Makes the image in the host's engine; `folder` is one to work in, which the host sees too.

    Raises LabError when a package cannot be had.
    """
    tree = debian.tree(SUITE, PACKAGES, without=WITHOUT, finish=FINISH)
    host.import_image("python:lab-bare", cmd=["python3"], tree=tree)
    fetch_wheels(folder / "wheels", python=(tree / "usr/bin/python3").readlink().name[6:])
    (folder / "pip.conf").write_text(PIP)
    (folder / "Dockerfile").write_text(DOCKERFILE)
    host.docker("build", "-q", "-t", NAME, str(folder))


def fetch_wheels(folder: Path, *, python: str) -> None:
    """What macvlan-ros needs to be built and to run under that Python, as files."""
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    wanted = settings["options"]["install_requires"].split()
    wanted += settings["options.extras_require"]["metrics"].split()
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "-d", str(folder)]
    pip += ["--python-version", python, "--only-binary", ":all:", "setuptools", *wanted]
    done = subprocess.run(pip, capture_output=True, text=True, timeout=FETCH, check=False)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise LabError(f"the packages of macvlan-ros cannot be fetched: {said[-1]}")
