"""ROS 1 over macvlan beside the host network: the first message of a stack, latency, throughput.

Run as root: `python -m bench.bench_ros`. Uses two PCs of the lab with real ROS in containers.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from bench.figures import milliseconds, our_command, show
from tests.lab import Host, Lab, LabError, ros_image

FOLDER = "/run/home/robot"
NODE = Path(__file__).with_name("ros_node.py")
ROUNDS = 5
PATIENCE = 60.0
SERVICES = {"core": "192.168.50.195", "talk": "192.168.50.196", "hear": "192.168.50.197"}
#: A node waits for its master, on either kind of network.
WAITED = "until rostopic list >/dev/null 2>&1; do sleep 0.05; done; exec {command}"
TALK = WAITED.format(command="rostopic pub -r 20 /chatter std_msgs/String hello")
HEAR = WAITED.format(command="env PYTHONUNBUFFERED=1 rostopic echo /chatter")
STACK = f"""
x-macvlan-ros:
  range: 192.168.50.192/27
  master: core
  hosts: {{qtpc: {{}}, qtrp: {{}}}}
services:
  core:
    image: {ros_image.NAME}
    command: roscore
    x-macvlan-ros: {{host: qtpc, address: 192.168.50.195}}
  talk:
    image: {ros_image.NAME}
    command: [sh, -c, "{TALK}"]
    volumes: ["{NODE}:/ros_node.py:ro"]
    x-macvlan-ros: {{host: qtpc, address: 192.168.50.196}}
  hear:
    image: {ros_image.NAME}
    command: [sh, -c, "{HEAR}"]
    volumes: ["{NODE}:/ros_node.py:ro"]
    x-macvlan-ros: {{host: qtrp, address: 192.168.50.197}}
"""


def launch(host: Host, _master: str) -> None:
    """One PC's part of the stack."""
    our_command(host, "launch", "-q", cwd=FOLDER, check=True)


def run_by_hand(host: Host, master: str, *, macvlan: bool = False) -> None:
    """The same containers as HARMONI's guide starts them today, or on the network of `launch`."""
    commands = {"core": ("roscore",), "talk": ("sh", "-c", TALK), "hear": ("sh", "-c", HEAR)}
    for name in ("core", "talk") if host.address == master else ("hear",):
        address = SERVICES[name] if macvlan else host.address
        network = ("--network", "ros_lan", "--ip", address) if macvlan else ("--network", "host")
        uri = f"http://{SERVICES['core'] if macvlan else master}:11311"
        options = ["-e", f"ROS_MASTER_URI={uri}", "-e", f"ROS_IP={address}", *network]
        options += ["-v", f"{NODE}:/ros_node.py:ro", ros_image.NAME, *commands[name]]
        host.docker("run", "-d", "--name", name, *options)


def clear(lab: Lab) -> None:
    """No container is left; reservations and networks stay."""
    for host in lab.hosts.values():
        host.docker("rm", "-f", *SERVICES, check=False)


def first_message(lab: Lab, start: Callable[[Host, str], None]) -> tuple[float, float]:
    """Seconds from typing the first command on each PC, on both at once, to the first line of
    `rostopic echo`, and to the end of the last command."""
    master = lab.hosts["qtpc"].address
    begin = time.perf_counter()
    with ThreadPoolExecutor() as terminals:
        for done in [terminals.submit(start, host, master) for host in lab.hosts.values()]:
            done.result()
    typed = time.perf_counter() - begin
    follow = ("timeout", f"{PATIENCE:g}", "/usr/bin/docker", "logs", "-f", "hear")
    process = lab.hosts["qtrp"].popen(*follow, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    line = process.stdout.readline()
    taken = time.perf_counter() - begin
    process.terminate()
    if "hello" not in line:
        raise LabError(f"no message came; instead: {line!r}")
    return taken, typed


def between(lab: Lab) -> dict[str, list[float]]:
    """What the node in `talk` measures to the one in `hear`, while both run."""
    qtpc: Host = lab.hosts["qtpc"]
    qtpc.docker("exec", "talk", "sh", "-c", "kill $(pidof -x rostopic) 2>/dev/null; :", check=False)
    lab.hosts["qtrp"].docker("exec", "-d", "hear", "python3", "/ros_node.py", "answer")
    measure = ("timeout", f"{PATIENCE:g}", "python3", "/ros_node.py", "measure")
    said = qtpc.docker("exec", "talk", *measure, timeout=PATIENCE + 10)
    found: dict[str, list[float]] = json.loads(said)
    return found


def main() -> None:
    """Take and print all figures."""
    with Lab() as lab:
        for host in lab.hosts.values():
            ros_image.give(host)
            host.run("mkdir", "-p", FOLDER)
            host.path(f"{FOLDER}/compose.yaml").write_text(STACK)
        very_first, _ = first_message(lab, launch)
        clear(lab)
        starts: dict[str, list[tuple[float, float]]] = {"macvlan": [], "host": [], "by hand": []}
        figures: dict[str, list[dict[str, list[float]]]] = {"macvlan": [], "host": []}
        for _ in range(ROUNDS):
            for kind, start in (("host", run_by_hand), ("macvlan", launch)):
                starts[kind].append(first_message(lab, start))
                figures[kind].append(between(lab))
                clear(lab)
            starts["by hand"].append(first_message(lab, partial(run_by_hand, macvlan=True)))
            clear(lab)
    ours, typed = (statistics.median(times) for times in zip(*starts["macvlan"], strict=True))
    theirs, typed_host = (statistics.median(times) for times in zip(*starts["host"], strict=True))
    floor, _ = (statistics.median(times) for times in zip(*starts["by hand"], strict=True))
    show(
        f"from launch to the first line of rostopic echo, two PCs, median of {ROUNDS}",
        [
            ("macvlan-ros launch on both", milliseconds(ours)),
            ("docker run --network host, by hand", milliseconds(theirs)),
            ("of which the commands, and by hand", f"{typed:.2f} s, {typed_host:.2f} s"),
            ("ratio (aim: 1.1 or less)", f"{ours / theirs:.2f}"),
            ("docker run by hand on the same macvlan network", milliseconds(floor)),
            ("its ratio", f"{floor / theirs:.2f}"),
            (
                "the very first launch: addresses are probed, pool and network made",
                milliseconds(very_first),
            ),
        ],
    )
    for size, name in (("1000", "1 kB"), ("1000000", "1 MB")):
        trip, trip_host = (
            min(one[size][0] for one in figures[kind]) for kind in ("macvlan", "host")
        )
        rate, rate_host = (
            max(one[size][1] for one in figures[kind]) for kind in ("macvlan", "host")
        )
        show(
            f"messages of {name} between two PCs, rospy, the best of {ROUNDS}",
            [
                ("round trip, macvlan", milliseconds(trip)),
                ("round trip, host network", milliseconds(trip_host)),
                ("host beside macvlan (aim: 0.95 or more)", f"{trip_host / trip:.2f}"),
                ("a second, macvlan", f"{rate:.0f}"),
                ("a second, host network", f"{rate_host:.0f}"),
                ("macvlan beside host (aim: 0.95 or more)", f"{rate / rate_host:.2f}"),
            ],
        )


if __name__ == "__main__":
    main()
