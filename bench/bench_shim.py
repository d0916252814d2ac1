"""The shim: what it adds to a launch, and what the watch over it costs.

Run as root: `python -m bench.bench_shim`. Uses one PC of the lab with a Docker Engine of its own.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from bench.bench_launch import SERVICES, stack_text
from bench.figures import medians, milliseconds, our_command, show
from tests.lab import Host, Lab

ROUNDS = 5
SECONDS = 20.0


def measure_launch(host: Host, folder: str) -> None:
    """The same launch with and without, of new containers and of what runs already."""

    def launch(*words: str) -> None:
        our_command(host, "launch", *words, check=True, cwd=folder)

    def fresh(*words: str) -> None:
        launch(*words)
        times.append(time.perf_counter())

    launch()
    names = [f"s{n}" for n in range(SERVICES)]
    figures = []
    for words in ((), ("--no-shim",)):
        times: list[float] = []
        taken = []
        for _ in range(ROUNDS):
            host.docker("rm", "-f", *names)
            begin = time.perf_counter()
            fresh(*words)
            taken.append(times[-1] - begin)
        figures.append(sorted(taken)[ROUNDS // 2])
    with_shim, without = medians(ROUNDS, launch, lambda: launch("--no-shim"))
    show(
        f"launch of {SERVICES} services, median of {ROUNDS}",
        [
            ("new containers", milliseconds(figures[0])),
            ("new containers, --no-shim", milliseconds(figures[1])),
            ("all running already", milliseconds(with_shim)),
            ("all running already, --no-shim", milliseconds(without)),
        ],
    )


def measure_watch(host: Host) -> None:
    """The share of one core that the watch takes while nothing happens, and its memory."""
    process = host.popen(*host.macvlan_ros_command("shim", "watch"))
    time.sleep(5)
    begin, start = cpu_seconds(process.pid), time.monotonic()
    engine = cpu_seconds(host.engine.pid or 0)
    time.sleep(SECONDS)
    spent = time.monotonic() - start
    ours = (cpu_seconds(process.pid) - begin) / spent
    docker = (cpu_seconds(host.engine.pid or 0) - engine) / spent
    show(
        f"shim watch beside {SERVICES} containers, every 2 s",
        [
            ("share of one core", f"{ours:.2%}"),
            ("dockerd's share meanwhile", f"{docker:.2%}"),
            ("memory", f"{resident_bytes(process.pid) / 2**20:.0f} MiB"),
        ],
    )
    process.terminate()
    process.wait(10)


def cpu_seconds(pid: int) -> float:
    """The time that a process has used (proc(5), utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """Memory that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Take and print all figures."""
    with Lab(hosts=("qtpc",)) as lab, tempfile.TemporaryDirectory() as folder:
        host = lab.hosts["qtpc"]
        host.import_image("ros:lab")
        Path(folder, "compose.yaml").write_text(stack_text())
        measure_launch(host, folder)
        measure_watch(host)


if __name__ == "__main__":
    main()
