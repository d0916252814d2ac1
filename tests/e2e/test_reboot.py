"""A stack that was launched once is there again after a power cut, shim included."""

import json
import subprocess
import time
from collections.abc import Callable

from tests.e2e.conftest import IMAGE, WriteStack
from tests.lab import Lab

ENV = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "MACVLAN_ROS_PROBE": "none"}
STACK = """
    services:
      talker: {image: "ros:lab", restart: always}
      listener: {image: "ros:lab", restart: unless-stopped}
      once: {image: "ros:lab"}
    """


def test_a_stack_is_back_after_a_power_cut_with_its_addresses_and_the_shim(
    make_lab: Callable[..., Lab], write_stack: WriteStack
) -> None:
    host = make_lab(hosts=("qtpc",)).hosts["qtpc"]
    host.import_image(IMAGE)
    folder = write_stack(STACK)

    def ours(*words: str) -> subprocess.CompletedProcess[str]:
        return host.macvlan_ros(*words, env=ENV, cwd=folder)

    done = json.loads(ours("launch", "--json").stdout)
    addresses = {one["service"]: one["address"] for one in done}
    host.cut_power()
    host.start_engine()
    # what the unit macvlan-ros-shim runs at boot
    host.popen(*host.macvlan_ros_command("shim", "watch", "--interval", "0.2"), env=ENV)
    deadline = time.monotonic() + 30
    while True:
        shown = json.loads(ours("shim", "show", "--json").stdout)[0]
        reached = {one["name"] for one in shown["containers"] if one["reached"]}
        if reached == {"talker", "listener"} or time.monotonic() > deadline:
            break
        time.sleep(0.3)
    assert reached == {"talker", "listener"}
    for name in reached:
        link = host.docker("exec", name, "ip", "-o", "-4", "addr", "show", "eth0")
        assert f" {addresses[name]}/24 " in link
        host.docker("exec", name, "ping", "-c", "1", "-W", "2", host.address)
    told = json.loads(ours("status", "--json").stdout)
    assert [one["text"] for one in told] == ["start the container 'once'"]
    again = {one["service"]: one["action"] for one in json.loads(ours("launch", "--json").stdout)}
    assert again == {"talker": "unchanged", "listener": "unchanged", "once": "started"}
    assert ours("status").returncode == 0
