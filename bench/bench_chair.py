"""Twelve services over three hosts: launched from one chair, beside the same host by host.

Run as root: `python -m bench chair`. Uses three PCs of the lab with engines, and an etcd on one.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.figures import milliseconds, our_command, seconds, show
from tests.e2e.three_hosts import HOSTS, ready, start_etcd
from tests.lab import Lab

EACH = 4
ROUNDS = 3


def stack_text(lab: Lab) -> str:
    """Four services on each host; none waits for another."""
    lines = ["x-macvlan-ros:", "  range: 192.168.50.192/27", "  hosts:"]
    for name, host in lab.hosts.items():
        lines.append(f"    {name}: {{parent: eth0, address: {host.address}, docker: ")
        lines[-1] += f"'{host.docker_url}'}}"
    lines.append("services:")
    for name in lab.hosts:
        for number in range(EACH):
            place = f"x-macvlan-ros: {{host: {name}}}"
            lines.append(f'  {name}{number}: {{image: "ros:lab", {place}}}')
    return "\n".join(lines) + "\n"


def main() -> None:
    """Take and print all figures."""
    with Lab(hosts=HOSTS) as lab, tempfile.TemporaryDirectory() as folder:
        ready(lab)
        environ = {"MACVLAN_ROS_STORE": start_etcd(lab.hosts["qtrp"])}
        Path(folder, "compose.yaml").write_text(stack_text(lab))
        chair = lab.hosts["qtpc"]

        def from_the_chair() -> None:
            words = ("launch", "--all-hosts", "--no-shim")
            our_command(chair, *words, check=True, cwd=folder, env=environ)

        def host_by_host() -> None:
            for host in lab.hosts.values():
                our_command(host, "launch", "--no-shim", check=True, cwd=folder, env=environ)

        def remove() -> None:
            for host in lab.hosts.values():
                host.docker("rm", "-f", *(f"{host.name}{n}" for n in range(EACH)))

        from_the_chair()
        figures: dict[str, list[float]] = {"chair": [], "each": []}
        for _ in range(ROUNDS):
            remove()
            figures["each"].append(seconds(host_by_host))
            remove()
            figures["chair"].append(seconds(from_the_chair))
    one, each = (sorted(figures[name])[ROUNDS // 2] for name in ("chair", "each"))
    show(
        f"{EACH * len(HOSTS)} services over {len(HOSTS)} hosts, store on etcd, median of {ROUNDS}",
        [
            ("launch --all-hosts, from one of them", milliseconds(one)),
            ("launch on each of them, one after the other", milliseconds(each)),
            ("ratio", f"{one / each:.2f}"),
        ],
    )


if __name__ == "__main__":
    main()
