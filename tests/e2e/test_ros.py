"""Real ROS 1 over the LAN: where the master is, what it outlives, and how many nodes there are."""

from __future__ import annotations

import re
import subprocess
import textwrap
import time
from collections.abc import Callable, Iterator

import pytest

from tests.lab import Host, Lab, ros_image
from tests.lab.host import ROOT

FOLDER = "/run/home/robot"
CORE = "192.168.50.225"
PATIENCE = 90.0


def write(host: Host, text: str) -> None:
    """The stack file of a host, in its own folder, and the image that it names."""
    ros_image.give(host, "ros:noetic")
    host.run("mkdir", "-p", FOLDER)
    host.path(f"{FOLDER}/compose.yaml").write_text(textwrap.dedent(text))


def launch(host: Host, *services: str) -> None:
    host.macvlan_ros("launch", *services, cwd=FOLDER, check=True)


def listen(host: Host, container: str, topic: str) -> Iterator[str]:
    """The lines of a container's `rostopic echo`, until it has had its time."""
    limited = ("timeout", f"{PATIENCE:g}", "env", "PYTHONUNBUFFERED=1", "rostopic", "echo", topic)
    command = ["/usr/bin/docker", "exec", container, *limited]
    process = host.popen(*command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    for line in process.stdout:  # noqa: UP028  (`yield from` would close it)
        yield line


def data(host: Host, container: str, topic: str) -> str:
    """What one message of a topic has, heard in a container."""
    echo = ("timeout", f"{PATIENCE:g}", "rostopic", "echo", "-n1", topic)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:  # the container may be on its way up, and with it the ear
        said = host.docker("exec", container, *echo, timeout=PATIENCE + 10, check=False)
        found = re.search(r'^data: "(.*)"$', said, re.MULTILINE)
        if found:
            return found[1]
        time.sleep(0.5)
    raise AssertionError(f"{container} heard nothing on {topic}: {said}")


TALKER_LISTENER = (ROOT / "examples/talker_listener/compose.yaml").read_text()


@pytest.fixture
def talking(make_lab: Callable[..., Lab]) -> tuple[Host, Host]:
    """The example on its two PCs, launched as it stands: the listener hears the talker."""
    pc_a, pc_b = make_lab(hosts=("pc-a", "pc-b")).hosts.values()
    for host in (pc_a, pc_b):
        write(host, TALKER_LISTENER)
        launch(host)
    assert data(pc_b, "listener", "/chatter") == "hello from another PC"
    return pc_a, pc_b


def test_the_example_talks_and_outlives_its_parts(talking: tuple[Host, Host]) -> None:
    pc_a, pc_b = talking
    # a container is removed and launched again, while the others keep talking
    before = pc_b.docker("inspect", "-f", "{{.State.StartedAt}}", "listener")
    pc_a.docker("rm", "-f", "talker")
    launch(pc_a)
    assert data(pc_b, "listener", "/chatter") == "hello from another PC"
    # the old listener, which ran all the time, hears the new talker
    said = pc_b.docker("logs", "listener")
    deadline = time.monotonic() + PATIENCE
    while pc_b.docker("logs", "listener") == said:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert pc_b.docker("inspect", "-f", "{{.State.StartedAt}}", "listener") == before

    # the master is lost, and comes back on its address: whoever comes then finds whoever is there
    pc_a.docker("rm", "-f", "roscore")
    launch(pc_a)
    assert pc_a.docker("exec", "roscore", "sh", "-c", "echo $ROS_IP") == CORE
    ros_image.wait_for_topic(pc_b, "listener", "/rosout")
    pub = ("rostopic", "pub", "/after", "std_msgs/String", "the same master")
    pc_a.docker("exec", "-d", "talker", *pub)
    ros_image.wait_for_topic(pc_b, "listener", "/after")
    assert data(pc_b, "listener", "/after") == "the same master"


def many(count: int) -> str:
    """A master, and talkers on two PCs by turns."""
    lines = [
        "x-macvlan-ros: {range: 192.168.50.192/26, master: core, hosts: {qtpc: {}, qtrp: {}}}",
        "services:",
        "  core: {image: 'ros:noetic', command: roscore, x-macvlan-ros: {host: qtpc, address:"
        " 192.168.50.200}}",
    ]
    for n in range(count):
        host = ("qtpc", "qtrp")[n % 2]
        say = f"rostopic pub -r 1 /roll_call std_msgs/String node{n:02}"
        lines.append(
            f"  node{n:02}: {{image: 'ros:noetic', command: {say}, restart: on-failure,"
            f" x-macvlan-ros: {{host: {host}, address: 192.168.50.{201 + n}}}}}"
        )
    return "\n".join(lines) + "\n"


def test_twenty_nodes_on_two_engines_all_hear_each_other(lab: Lab) -> None:
    qtpc, qtrp = lab.hosts["qtpc"], lab.hosts["qtrp"]
    for host in (qtpc, qtrp):
        write(host, many(20))
    launch(qtpc, "core")
    ros_image.wait_for_topic(qtpc, "core", "/rosout")
    for host in (qtpc, qtrp):
        launch(host)
    ros_image.wait_for_topic(qtrp, "node01", "/roll_call")
    missing = {f"node{n:02}" for n in range(20)}
    for line in listen(qtrp, "node01", "/roll_call"):
        missing.difference_update(re.findall(r"node\d\d", line))
        if not missing:
            break
    assert not missing


HYBRID = """
    x-macvlan-ros: {range: 192.168.50.192/27, master: core, hosts: {qtpc: {}, qtrp: {}}}
    networks:
      aaa_first: {}
      closed: {internal: true}
    services:
      core:
        image: ros:noetic
        command: roscore
        x-macvlan-ros: {host: qtrp, address: 192.168.50.195}
      database:
        image: ros:noetic
        command: answer 5432 'a row'
        networks: [aaa_first]
        x-macvlan-ros: {host: qtpc, ros: none, address: 192.168.50.197}
      robot:
        image: ros:noetic
        networks: {aaa_first: {}, ros_lan: {}, closed: {}}
        x-macvlan-ros: {host: qtpc, address: 192.168.50.196}
"""


def test_a_node_on_the_lan_uses_a_database_on_a_bridge(lab: Lab) -> None:
    qtpc, qtrp = lab.hosts["qtpc"], lab.hosts["qtrp"]
    for host in (qtrp, qtpc):
        write(host, HYBRID)
        launch(host)
    ros_image.wait_for_topic(qtpc, "robot", "/rosout")
    assert qtpc.docker("exec", "robot", "sh", "-c", "echo $ROS_IP") == "192.168.50.196"
    # it reads from the database, by the bridge, and tells it to a node on the other PC
    bridge = '{{(index .NetworkSettings.Networks "robot_aaa_first").IPAddress}}'
    inner = qtpc.docker("inspect", "-f", bridge, "database")
    tell = f'rostopic pub /row std_msgs/String "$(nc -w 5 {inner} 5432 </dev/null)"'
    qtpc.docker("exec", "-d", "robot", "sh", "-c", tell)
    ros_image.wait_for_topic(qtrp, "core", "/row")
    assert data(qtrp, "core", "/row") == "a row"


def test_the_default_route_is_where_the_stack_has_it(lab: Lab) -> None:
    host = lab.hosts["qtpc"]
    write(host, HYBRID)
    launch(host, "robot")
    default = ("exec", "robot", "ip", "-4", "route", "show", "default")
    # Docker would have taken the first name
    assert host.docker(*default).split()[:3] == ["default", "via", "192.168.50.1"]
    host.docker("restart", "-t", "1", "robot")
    host.macvlan_ros("shim", "up", check=True)
    assert host.docker(*default).split()[:3] == ["default", "via", "192.168.50.1"]

    write(host, HYBRID.replace("{aaa_first: {}, ros_lan", "{aaa_first: {gw_priority: 1}, ros_lan"))
    launch(host, "robot")
    bridge = '{{(index .NetworkSettings.Networks "robot_aaa_first").Gateway}}'
    gateway = host.docker("inspect", "-f", bridge, "robot")
    assert host.docker(*default).split()[:3] == ["default", "via", gateway]
