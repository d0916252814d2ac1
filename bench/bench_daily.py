"""Every day: short commands as whole processes, and a launch of twelve services beside Compose.

Run as root: `python -m bench.bench_daily`. Uses one PC of the lab with a Docker Engine of its own.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench.figures import medians, milliseconds, our_command, seconds, show
from tests.lab import Host, Lab

SERVICES = 12
ROUNDS = 15


def measure_commands(host: Host) -> None:
    """`list -q`, `allocate` of a known owner and `--help` beside Docker and beside bare Python."""
    our_command(host, "allocate", "--no-probe", "known", check=True)
    listed, known, helped, docker, python, floor = medians(
        ROUNDS,
        lambda: our_command(host, "list", "-q", check=True),
        lambda: our_command(host, "allocate", "-q", "known", check=True),
        lambda: our_command(host, "--help", check=True),
        lambda: host.docker("network", "ls"),
        lambda: host.run("env", sys.executable, "-c", "import click, sqlite3"),
        lambda: host.run("true"),
    )
    rows = [
        ("list -q", listed),
        ("allocate -q of a known owner", known),
        ("--help", helped),
        ("docker network ls", docker),
        ("python -c 'import click, sqlite3'", python),
    ]
    show(
        f"whole processes, median of {ROUNDS} (entering the lab's PC taken off; aim: 1.5)",
        [
            (name, f"{milliseconds(taken - floor)}  {(taken - floor) / (python - floor):.2f}")
            for name, taken in rows
        ],
    )


def measure_launch(host: Host) -> None:
    """Twelve services, and the same by docker-compose over the built-in macvlan."""
    names = [f"s{n}" for n in range(SERVICES)]
    services = "".join(f"  {name}: {{image: 'ros:lab', networks: [lan]}}\n" for name in names)
    network = "networks: {lan: {external: true, name: ros_lan}}\n"
    up = ("docker-compose", "-p", "plain", "up", "-d")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "compose.yaml").write_text(f"services:\n{services}{network}")
        our_command(host, "launch", "--no-probe", check=True, cwd=folder)
        ours, theirs = [], []
        for _ in range(3):
            host.docker("rm", "-f", *names)
            ours.append(seconds(lambda: our_command(host, "launch", check=True, cwd=folder)))
            host.docker("rm", "-f", *names)
            theirs.append(seconds(lambda: host.run(*up, cwd=folder)))
            left = host.docker("ps", "-aq", "--filter", "label=com.docker.compose.project=plain")
            host.docker("rm", "-f", *left.split())
    launch, compose = sorted(ours)[1], sorted(theirs)[1]
    show(
        f"{SERVICES} services on one macvlan network, median of 3",
        [
            ("macvlan-ros launch", milliseconds(launch)),
            ("docker-compose up -d", milliseconds(compose)),
            ("ratio (aim: below 1)", f"{launch / compose:.2f}"),
        ],
    )


def main() -> None:
    """Take and print all figures."""
    with Lab(hosts=("qtpc",)) as lab:
        host = lab.hosts["qtpc"]
        host.import_image("ros:lab")
        measure_commands(host)
        measure_launch(host)


if __name__ == "__main__":
    main()
