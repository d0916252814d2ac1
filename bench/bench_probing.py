"""What asking the LAN adds to `docker run -d` over the plugin: for a first use, for a known owner.

Run as root: `python -m bench probing`. The same containers with the question and without it
(`probe = none`), in turn, so that both meet the same load.
"""

from __future__ import annotations

import json
import re
import secrets
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench.figures import milliseconds, our_command, seconds, show
from tests.e2e.plugin_host import IMAGE, PluginHost
from tests.lab import Lab

TURNS, RUNS = 4, 8
POOL = (
    "pool",
    "add",
    "lab",
    "--subnet",
    "192.168.50.0/24",
    "--range",
    "192.168.50.16-192.168.50.250",
)

Taken = dict[tuple[str, str], list[float]]


def main() -> None:
    """Print the figures."""
    with Lab(hosts=("qtpc",)) as lab:
        pc = PluginHost(lab.hosts["qtpc"])
        pc.host.import_image(IMAGE)
        our_command(pc.host, *POOL, check=True)
        our_command(pc.host, "allocate", "--no-probe", "talker", check=True)
        listed = json.loads(our_command(pc.host, "list", "--json", check=True).stdout)
        mac = next(each["mac"] for each in listed if each["owner"] == "talker")
        free = (f"192.168.50.{last}" for last in range(16, 250))
        taken: Taken = {}
        with _network(pc):
            for turn in range(TURNS):
                for probe in ("none", "fast") if turn % 2 else ("fast", "none"):
                    with _serving(pc, probe):
                        _measure(pc, probe, mac=mac, free=free, taken=taken)
    kinds = dict.fromkeys(kind for kind, _ in taken)
    show("docker run -d: asking the LAN, not asking, what it adds", [_row(taken, k) for k in kinds])


def _measure(pc: PluginHost, probe: str, *, mac: str, free: Iterator[str], taken: Taken) -> None:
    def note(kind: str, run: Callable[[str], object]) -> None:
        name = f"c{secrets.token_hex(4)}"
        taken.setdefault((kind, probe), []).append(seconds(lambda: run(name)))
        taken.setdefault((f"  RequestAddress of it, {kind}", probe), []).append(_asked(pc))
        pc.docker("rm", "-f", name)

    def run(*options: str) -> Callable[[str], object]:
        return lambda name: pc.docker(
            "run", "-d", "--name", name, "--network", "lan", *options, IMAGE
        )

    # one kind after the other: what the one before leaves to do must not count for the next
    for _ in range(RUNS):
        note("known owner", run("--mac-address", mac))
    for _ in range(RUNS):
        note("first use, any address", run())
    for _ in range(RUNS // 2):
        note("first use, --ip", run("--ip", next(free)))


def _asked(pc: PluginHost) -> float:
    """Seconds that the last RequestAddress took, as the service says it."""
    lines = re.findall(r"call=IpamDriver.RequestAddress .*ms=([\d.]+)", pc.log.read_text())
    return float(lines[-1]) / 1000


@contextmanager
def _network(pc: PluginHost) -> Iterator[None]:
    pc.start()
    pc.network("lan", "--subnet", "192.168.50.0/24", "--ipam-opt", "pool=lab")
    pc.stop()
    yield
    pc.clear()


@contextmanager
def _serving(pc: PluginHost, probe: str) -> Iterator[None]:
    conf = pc.host.path("/etc/macvlan-ros.conf")
    conf.write_text(f"[macvlan-ros]\nprobe = {probe}\n", encoding="utf-8")
    pc.start()
    # the first container makes the shim, and the next ones find addresses that were asked for
    pc.docker("run", "-d", "--name", "first", "--network", "lan", IMAGE)
    pc.docker("rm", "-f", "first")
    try:
        yield
    finally:
        pc.stop()
        conf.unlink()


def _row(taken: Taken, kind: str) -> tuple[str, str]:
    asking, silent = (statistics.median(taken[kind, probe]) for probe in ("fast", "none"))
    more = asking - silent
    sign = "-" if more < 0 else "+"
    return kind, (
        f"{milliseconds(asking)} / {milliseconds(silent)}: {sign}{milliseconds(abs(more))}"
    )


if __name__ == "__main__":
    main()
