"""More stages: what stands beside the PCs, and the examples' own PCs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.docs.installed import HOME, command
from tests.e2e.router import start_router
from tests.lab import Host, Lab, ros_image
from tests.lab.host import ROOT
from tests.netns import avahi

IMAGE = "my/ros-image"

#: On a PC of the lab no systemd runs: what is said to it is done by hand (with a real one, see
#: tests/e2e/test_machine.py).
SYSTEMCTL = """
socket=/run/docker/plugins/macvlan-ros.sock
case $* in
    "restart etcd")
        set -a
        . /etc/default/etcd
        ETCD_DATA_DIR=/var/lib/etcd/default
        setsid etcd --log-level error >/dev/null 2>&1 & ;;
    daemon-reload | enable* | "stop macvlan-ros.service" | "restart macvlan-ros.socket") ;;
    "start macvlan-ros.service")
        setsid macvlan-ros plugin serve --metrics 127.0.0.1:9733 >/dev/null 2>&1 &
        timeout 30 sh -c "until [ -S $socket ]; do sleep 0.1; done" ;;
    "restart --no-block macvlan-ros-shim.service")
        setsid macvlan-ros shim watch >/dev/null 2>&1 & ;;
    "is-active macvlan-ros.service") echo active ;;
    *) echo "systemctl $*: there is no systemd here" >&2; exit 1 ;;
esac
"""


def example(host: Host, name: str) -> None:
    """The folder of an example, in the home."""
    shutil.copytree(ROOT / "examples" / name, host.path(f"{HOME}/{name}"))


def router(lab: Lab) -> None:
    """A router that leases what is below our range."""
    start_router(lab, "192.168.50.100", "192.168.50.191")


def etcd(lab: Lab) -> None:
    """etcd is installed on each PC, and not started."""
    for host in lab.hosts.values():
        command(host, "systemctl", SYSTEMCTL)


def chair(lab: Lab) -> None:
    """ROS's image on both PCs; the first may enter the second by ssh."""
    qtpc, qtrp = lab.hosts.values()
    for host in (qtpc, qtrp):
        ros_image.give(host, "ros:noetic")
    folder = Path(qtpc.folder) / "ssh"
    folder.mkdir()
    words = ("env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "tests.e2e.ssh_host")
    server = qtrp.popen(*words, str(folder), qtrp.address, stdout=subprocess.PIPE)
    assert server.stdout is not None
    assert "listening" in server.stdout.readline()
    command(qtpc, "ssh", f'exec {folder}/bin/ssh "$@"')


def plugin(lab: Lab) -> None:
    """Our service is not there yet; when it is, it gives its metrics."""
    qtpc = lab.hosts["qtpc"]
    qtpc.import_image(IMAGE)
    command(qtpc, "wget", 'exec busybox wget "$@"')
    command(qtpc, "systemctl", SYSTEMCTL)


def names(lab: Lab) -> None:
    """The second PC resolves names by Avahi."""
    qtpc, qtrp = lab.hosts.values()
    qtpc.import_image(IMAGE)
    root = avahi.root()
    start = ("unshare", "--mount", "sh", "-euc", avahi.START, "sh", str(root))
    process = qtrp.popen(*start, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    enter = f"exec nsenter --target={process.pid} --mount chroot {root}"
    command(qtrp, "avahi-resolve", f'{enter} /usr/bin/avahi-resolve "$@"')


def talkers(lab: Lab) -> None:
    """ROS 1; of ROS 2 the name alone."""
    for host in lab.hosts.values():
        ros_image.give(host, "ros:noetic")
        host.import_image("ros:jazzy", env={"ROS_DISTRO": "jazzy"}, files=program("ros2"))
        for name in ("talker_listener", "talker_listener_ros2"):
            example(host, name)


def program(name: str, does: str = "exec rest") -> dict[str, str]:
    """A program of an image that stands in for one that cannot be had."""
    return {f"bin/{name}": f"#!/bin/sh\n{does}\n"}


def project(lab: Lab) -> None:
    """The images that the project is made from; what answers in the database's stands in for it."""
    qtpc = lab.hosts["qtpc"]
    qtpc.import_image("ros:noetic")
    qtpc.import_image("redis:7", files=program("redis-server", "exec answer 6379 stored"))
    example(qtpc, "compose_project")


def desktop(lab: Lab) -> None:
    """A PC without an X server or a graphics card: their places are named."""
    qtpc = lab.hosts["qtpc"]
    qtpc.import_image("osrf/ros:noetic-desktop-full", files=program("rviz"))
    qtpc.run("mkdir", "/run/x11")
    example(qtpc, "gui_gpu")
