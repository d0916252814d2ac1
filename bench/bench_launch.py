"""The command line as people wait for it: `allocate`, and a launch of eight services.

Run as root: `python -m bench.bench_launch`. Uses one PC of the lab with a Docker Engine of its own.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.figures import medians, milliseconds, our_command, seconds, show
from tests.lab import Host, Lab

SERVICES = 8
ROUNDS = 20


def stack_text() -> str:
    """Eight services without dependence."""
    services = "".join(f'  s{n}: {{image: "ros:lab"}}\n' for n in range(SERVICES))
    return f"services:\n{services}"


def measure_allocate(host: Host) -> None:
    """`allocate` as a whole process, of a new name and of a known one, beside the docker CLI."""
    names = iter(f"fresh{n}" for n in range(2 * ROUNDS))
    our_command(host, "allocate", "known", check=True)
    asked, fresh, known, floor, docker = medians(
        ROUNDS,
        lambda: our_command(host, "allocate", "-q", next(names), check=True),
        lambda: our_command(host, "allocate", "-q", "--no-probe", next(names), check=True),
        lambda: our_command(host, "allocate", "-q", "known", check=True),
        lambda: host.run("true"),
        lambda: host.docker("version", "--format", "x"),
    )
    show(
        f"allocate, a whole process, median of {ROUNDS} (entering the lab's PC taken off)",
        [
            ("a new name, the LAN asked (one burst: 600 ms)", milliseconds(asked - floor)),
            ("a new name, --no-probe (aim: 150 ms or less)", milliseconds(fresh - floor)),
            ("a known name", milliseconds(known - floor)),
            ("docker version --format x", milliseconds(docker - floor)),
            ("a known name beside docker version", f"{(known - floor) / (docker - floor):.2f}"),
        ],
    )


def measure_launch(host: Host) -> None:
    """Eight services at once beside eight `docker run -d` on the same network."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "compose.yaml").write_text(stack_text())
        our_command(host, "launch", check=True, cwd=folder)
        runs, launches = [], []
        for _ in range(3):
            host.docker("rm", "-f", *(f"s{n}" for n in range(SERVICES)))
            runs.append(seconds(lambda: run_serially(host)))
            host.docker("rm", "-f", *(f"p{n}" for n in range(SERVICES)))
            launches.append(seconds(lambda: our_command(host, "launch", check=True, cwd=folder)))
    run, launch = sorted(runs)[1], sorted(launches)[1]
    show(
        f"{SERVICES} services on one macvlan network, median of 3",
        [
            ("macvlan-ros launch", milliseconds(launch)),
            (f"{SERVICES} times docker run -d", milliseconds(run)),
            ("ratio (aim: 0.6 or less)", f"{launch / run:.2f}"),
        ],
    )


def run_serially(host: Host) -> None:
    """What a person types without macvlan-ros."""
    for n in range(SERVICES):
        address = f"192.168.50.{100 + n}"
        host.docker("run", "-d", "--name", f"p{n}", "--net", "ros_lan", "--ip", address, "ros:lab")


def main() -> None:
    """Take and print all figures."""
    with Lab(hosts=("qtpc",)) as lab:
        host = lab.hosts["qtpc"]
        host.import_image("ros:lab")
        measure_allocate(host)
        measure_launch(host)


if __name__ == "__main__":
    main()
