"""The commands that a PC of a page has, as after an installation."""

from __future__ import annotations

import shlex
import sys

from tests.lab import Host
from tests.lab.host import ROOT

HOME = "/run/home"
BIN = f"{HOME}/bin"
#: The user is root already.
SUDO = 'while case $1 in -*) ;; *) false ;; esac; do shift; done; exec "$@"'


def install(host: Host) -> None:
    """macvlan-ros, docker, sudo and ping."""
    ours = f"export PYTHONPATH={shlex.quote(str(ROOT))}\nexec {shlex.quote(sys.executable)} -m"
    command(host, "macvlan-ros", f'{ours} macvlan_ros "$@"')
    command(host, "docker", 'exec /usr/bin/docker "$@"')
    command(host, "sudo", SUDO)
    command(host, "ping", 'exec busybox ping "$@"')


def command(host: Host, name: str, script: str) -> None:
    """A program of that name, which comes before all others."""
    text = f"#!/bin/sh\n{script}\n"
    put = f'mkdir -p {BIN} && cat > "$1" && chmod 755 "$1"'
    host.run("sh", "-euc", put, "put", f"{BIN}/{name}", input=text)
