"""Verify: 20 services on two PCs with 40 real ROS nodes, in seconds of one whole command.

Run as root: `python -m bench verify`. Uses two PCs of the lab, with Docker and with Debian's
ROS. The floor beside it is what ROS's own `rosnode ping -a` takes for the nodes alone.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

from bench.figures import medians, our_command, show
from tests.lab import Host, Lab, ros_image

ROUNDS = 5
SERVICES = 20
NODES_EACH = 2
PATIENCE = 150.0


def stack_text() -> str:
    """Ten services on each PC; the first one is the master."""
    lines = [
        "x-macvlan-ros:",
        "  range: 192.168.50.128/25",
        "  master: s0",
        "  hosts: {qtpc: {parent: eth0}, qtrp: {parent: eth0}}",
        "services:",
    ]
    for number in range(SERVICES):
        host = "qtpc" if number % 2 == 0 else "qtrp"
        place = f"{{host: {host}, address: 192.168.50.{130 + number}}}"
        command = "roscore" if number == 0 else "/bin/rest"
        lines += [
            f"  s{number}:",
            f"    image: {ros_image.NAME}",
            f"    container_name: s{number}",
            f"    command: {command}",
            f"    x-macvlan-ros: {place}",
        ]
    return "\n".join(lines) + "\n"


def start_nodes(hosts: tuple[Host, Host]) -> None:
    """Two nodes in each container, which say something once and stay."""
    for number in range(SERVICES):
        for node in range(NODES_EACH):
            name = f"n{number}_{node}"
            words = ["rostopic", "pub", "-l", f"/{name}", "std_msgs/String", "hi"]
            hosts[number % 2].docker("exec", "-d", f"s{number}", *words, f"__name:={name}")


def wait_for_nodes(host: Host) -> int:
    """How many are registered, once all are."""
    deadline = time.monotonic() + PATIENCE
    while True:
        names = host.docker("exec", "s0", "rosnode", "list", check=False).split()
        if len(names) >= SERVICES * NODES_EACH + 1 or time.monotonic() > deadline:
            return len(names)
        time.sleep(1)


def main() -> None:
    """Take and print the figures."""
    with Lab() as lab, tempfile.TemporaryDirectory() as folder:
        Path(folder, "compose.yaml").write_text(stack_text())
        qtpc, qtrp = lab.hosts["qtpc"], lab.hosts["qtrp"]
        for host in (qtpc, qtrp):
            ros_image.give(host)
            our_command(host, "launch", check=True, cwd=folder)
        ros_image.wait_for_topic(qtpc, "s0", "/rosout")
        start_nodes((qtpc, qtrp))
        known = wait_for_nodes(qtpc)
        said = our_command(qtpc, "verify", "--json", cwd=folder)
        checks = json.loads(said.stdout)
        ours, theirs = medians(
            ROUNDS,
            lambda: our_command(qtpc, "verify", "--json", cwd=folder),
            lambda: qtpc.docker("exec", "s0", "rosnode", "ping", "-a"),
        )
        show(
            f"verify of {SERVICES} services on two PCs, {known} nodes; median of {ROUNDS}",
            [
                ("macvlan-ros verify, the whole command", f"{ours:.2f} s"),
                ("checks", f"{len(checks)}, {sum(c['level'] != 'ok' for c in checks)} not ok"),
                ("rosnode ping -a, the nodes alone from one place", f"{theirs:.2f} s"),
            ],
        )


if __name__ == "__main__":
    main()
