"""Verify, with real ROS on two PCs: what makes a graph silent is named, with who and why."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import started
from tests.lab import Host, Lab, ros_image

STACK = """
x-macvlan-ros:
  range: 192.168.50.192/27
  master: core
  hosts: {{qtpc: {{parent: eth0, docker: "{qtpc}"}}, qtrp: {{parent: eth0, docker: "{qtrp}"}}}}
services:
  core:
    image: ros:lab
    command: roscore
    x-macvlan-ros: {{host: qtpc, address: 192.168.50.195}}
  talker:
    image: ros:lab
    x-macvlan-ros: {{host: qtpc, address: 192.168.50.196}}
  spare:
    image: ros:lab
    x-macvlan-ros: {{host: qtpc, address: 192.168.50.198}}
  hardware:
    image: ros:lab
    x-macvlan-ros: {{host: qtrp, address: 192.168.50.197}}
"""
MASTER = "http://192.168.50.195:11311"
#: What each node is started with, beside ROS_IP as it should be.
ROWS = {
    "/right": {},
    "/named": {"ROS_HOSTNAME": "nowhere_to_be_found"},
    "/empty": {"ROS_HOSTNAME": ""},
    "/wrong": {"ROS_IP": "192.168.50.77"},
    "/loop": {"ROS_IP": "127.0.0.1"},
}
PATIENCE = 90.0
READER = """
import rospy, std_msgs.msg
rospy.init_node("reader")
rospy.Subscriber("/robot/typist_topic", std_msgs.msg.String, print)
rospy.spin()
"""


@dataclass
class Robot:
    """Two PCs with a launched stack, and the folder of its file."""

    lab: Lab
    folder: Path
    said: dict[str, tuple[int, list[dict[str, Any]]]] = field(default_factory=dict)

    @property
    def qtpc(self) -> Host:
        return self.lab.hosts["qtpc"]

    @property
    def qtrp(self) -> Host:
        return self.lab.hosts["qtrp"]

    def verify(self, host: Host, *words: str) -> tuple[int, list[dict[str, Any]]]:
        done = host.macvlan_ros("verify", "--json", *words, cwd=self.folder, timeout=60)
        assert "Traceback" not in done.stderr
        assert done.returncode in (0, 1), done.stderr
        return done.returncode, json.loads(done.stdout)

    def publish(self, host: Host, container: str, node: str, **variables: str) -> None:
        """A node of that name that publishes; it ends with its container."""
        words = [word for pair in variables.items() for word in ("-e", "=".join(pair))]
        command = ["rostopic", "pub", "-r", "2", f"{node}_topic", "std_msgs/String", "hi"]
        host.docker("exec", "-d", *words, container, *command, f"__name:={node[1:]}")

    def wait_for(self, *nodes: str) -> None:
        """Returns when the master knows them."""
        deadline = time.monotonic() + PATIENCE
        while not set(nodes) <= set(self.qtpc.docker("exec", "core", "rosnode", "list").split()):
            assert time.monotonic() < deadline, f"{nodes} are not registered"
            time.sleep(0.2)


@pytest.fixture(scope="module")
def robot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Robot]:
    folder = tmp_path_factory.mktemp("robot")
    with started() as lab:
        robot = Robot(lab, folder)
        (folder / "compose.yaml").write_text(STACK.format(**engines(lab)))
        for host in lab.hosts.values():
            ros_image.give(host)
            host.macvlan_ros("launch", check=True, cwd=folder)
        ros_image.wait_for_topic(robot.qtpc, "core", "/rosout")
        yield robot


def engines(lab: Lab) -> dict[str, str]:
    return {name: host.docker_url for name, host in lab.hosts.items()}


def about(said: tuple[int, list[dict[str, Any]]], node: str) -> dict[str, Any]:
    (found,) = (one for one in said[1] if one["target"] == node and one["kind"] != "runs")
    return found


def test_a_stack_that_works_ends_with_zero_and_few_lines(robot: Robot) -> None:
    done = robot.qtpc.macvlan_ros("verify", cwd=robot.folder, timeout=25)
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert lines[0].split()[:4] == ["CHECK", "FROM", "TO", "LEVEL"]
    assert len(lines) < 30
    assert any(line.startswith("node") and "/rosout" in line for line in lines)


def test_watching_looks_again_until_it_is_interrupted(robot: Robot) -> None:
    words = robot.qtpc.macvlan_ros_command("verify", "--watch", "--interval", "0.1", "-q", "--json")
    process = robot.qtpc.popen(*words, cwd=robot.folder, stdout=-1, stderr=-1)
    assert process.stdout is not None
    try:
        said = [process.stdout.readline() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=20)
    finally:
        process.kill()
    assert said == ["[]\n", "[]\n"]  # nothing is wrong, twice
    assert (process.returncode, error) == (0, "")  # which is how one looks no more


def test_a_node_that_set_neither_variable_is_told_so(robot: Robot) -> None:
    clean = ["env", "-u", "ROS_IP", "rostopic", "pub", "-r", "2", "/t", "std_msgs/String", "hi"]
    robot.qtpc.docker("exec", "-d", "spare", *clean, "__name:=neither")
    robot.wait_for("/neither")
    found = about(robot.verify(robot.qtpc), "/neither")
    assert found["level"] == "bad"
    assert "'spare' has neither ROS_IP nor ROS_HOSTNAME" in found["text"]


def test_a_removed_containers_registration_is_stale_until_it_is_cleaned(robot: Robot) -> None:
    robot.publish(robot.qtpc, "spare", "/ended")
    robot.publish(robot.qtrp, "hardware", "/removed")
    alone = ["env", "-u", "ROS_IP", "rostopic", "pub", "-r", "2", "/t", "std_msgs/String", "hi"]
    robot.qtrp.docker("exec", "-d", "hardware", *alone, "__name:=nameless")
    robot.wait_for("/ended", "/removed", "/nameless")
    assert about(robot.verify(robot.qtpc), "/nameless")["kind"] == "node"  # it runs there
    robot.qtrp.docker("rm", "-f", "hardware")
    end = "kill -9 $(pgrep -f __name:=[e]nded)"
    robot.qtpc.docker("exec", "spare", "sh", "-c", end)
    said = robot.verify(robot.qtpc)
    stale = ("/ended", "/removed", "/nameless")
    assert {about(said, node)["kind"] for node in stale} == {"stale"}
    assert "no PC of the stack has such a container" in about(said, "/nameless")["text"]
    assert "nothing listens" in about(said, "/ended")["text"]
    assert "'hardware' on qtrp" in about(said, "/removed")["text"]

    _, found = robot.verify(robot.qtpc, "--clean")
    cleaned = {one["target"] for one in found if "unregistered" in one["text"]}
    assert set(stale) <= cleaned
    nodes = robot.qtpc.docker("exec", "core", "rosnode", "list").split()
    assert not set(stale) & set(nodes)
    assert "/rosout" in nodes
    robot.qtrp.macvlan_ros("launch", check=True, cwd=robot.folder)


def test_a_service_that_does_not_run_is_bad_with_its_registrations_stale(robot: Robot) -> None:
    robot.publish(robot.qtpc, "spare", "/left")
    robot.wait_for("/left")
    robot.qtpc.docker("rm", "-f", "spare")
    said = robot.verify(robot.qtpc)
    runs = [one for one in said[1] if one["kind"] == "runs"]
    assert [(one["target"], one["level"]) for one in runs] == [("spare", "bad")]
    assert "macvlan-ros launch" in runs[0]["remedy"]
    assert about(said, "/left")["kind"] == "stale"
    assert "'spare' does not run" in about(said, "/left")["text"]
    robot.verify(robot.qtpc, "--clean")
    robot.qtpc.macvlan_ros("launch", check=True, cwd=robot.folder)


@contextmanager
def roscore_on_the_pc(host: Host, uri: str) -> Iterator[None]:
    words = ["--network", "host", "-e", f"ROS_IP={host.address}", "-e", f"ROS_MASTER_URI={uri}"]
    host.docker("run", "-d", "--name", "hostcore", *words, "ros:lab", "roscore", "-p", "11411")
    try:
        ros_image.wait_for_topic(host, "hostcore", "/rosout")
        yield
    finally:
        host.docker("rm", "-f", "hostcore")


@pytest.mark.parametrize("name", ["qtpc", "qtrp"])
def test_a_master_on_a_pc_itself_is_reached_from_its_containers_and_others(
    robot: Robot, name: str
) -> None:
    host = robot.lab.hosts[name]
    uri = f"http://{host.address}:11411"
    with roscore_on_the_pc(host, uri):
        for other in robot.lab.hosts.values():
            _, found = robot.verify(other, "--master", uri)
            masters = [one for one in found if one["kind"] == "master"]
            # the containers' own ROS_MASTER_URI is the stack's, and that is said
            assert {one["level"] for one in masters if not one["text"]} == {"ok"}
            assert any("its ROS_MASTER_URI is" in one["text"] for one in masters)
            assert about((0, found), "/rosout")["level"] == "ok"


def test_a_pulled_cable_is_told_by_whom_it_cuts_off(robot: Robot) -> None:
    robot.lab.unplug(robot.qtrp)
    try:
        began = time.monotonic()
        code, found = robot.verify(robot.qtpc)
        assert time.monotonic() - began < 15
    finally:
        robot.lab.plug(robot.qtrp)
    lost = {(one["source"], one["target"]) for one in found if one["level"] == "bad"}
    assert code == 1
    assert {("core", "hardware"), ("talker", "hardware")} <= lost
    assert ("core", "talker") not in lost


def test_mtu_that_does_not_pass_is_told_with_what_does(robot: Robot) -> None:
    port = robot.lab.switch
    (link,) = (
        name
        for name in port.run("ls", "/sys/class/net").stdout.split()
        if robot.lab._port_of["qtrp"] == name
    )
    port.run("ip", "link", "set", link, "mtu", "1400")
    try:
        _, found = robot.verify(robot.qtpc)
    finally:
        port.run("ip", "link", "set", link, "mtu", "1500")
    (bad,) = (
        one
        for one in found
        if (one["kind"], one["source"], one["target"]) == ("mtu", "talker", "hardware")
    )
    assert bad["level"] == "bad"
    assert "1400 pass" in bad["text"]


def test_another_master_a_mistyped_topic_and_a_container_that_is_paused_are_named(
    robot: Robot,
) -> None:
    elsewhere = ("-e", "ROS_MASTER_URI=http://localhost:11311")
    robot.qtpc.docker("exec", "-d", *elsewhere, "spare", "roscore")
    robot.qtpc.docker(
        "exec", "-d", *elsewhere, "spare", "python3", "-c", "import time; time.sleep(600)"
    )
    robot.publish(robot.qtpc, "talker", "/typist")
    # rostopic echo subscribes when somebody publishes, nodes do at once
    robot.qtrp.docker("exec", "-d", "hardware", "python3", "-c", READER)
    robot.wait_for("/typist", "/reader")
    deadline = time.monotonic() + PATIENCE
    while "another master" not in (said := texts(robot.verify(robot.qtpc))):
        assert time.monotonic() < deadline, said
    assert "another master runs in 'spare'" in said
    assert "a process in it (python3, " in said
    assert "/typist_topic, which /typist publishes, has no subscriber" in said
    robot.qtpc.docker("pause", "spare")
    code, found = robot.verify(robot.qtpc)
    (paused,) = (one for one in found if one["kind"] == "runs")
    robot.qtpc.docker("unpause", "spare")
    assert code == 1
    assert (paused["text"], paused["remedy"]) == ("its container is paused", "docker unpause spare")
    assert not any(one["target"] == "spare" for one in found if one["kind"] != "runs")
    for host, name in ((robot.qtpc, "spare"), (robot.qtpc, "talker"), (robot.qtrp, "hardware")):
        host.docker("restart", "-t", "1", name)
        host.macvlan_ros("shim", "up", check=True)
    robot.verify(robot.qtpc, "--clean")


def texts(said: tuple[int, list[dict[str, Any]]]) -> str:
    return "\n".join(str(one["text"]) for one in said[1])


def test_without_a_stack_file_it_is_about_what_runs(robot: Robot, tmp_path: Path) -> None:
    done = robot.qtpc.macvlan_ros("verify", "--json", cwd=tmp_path, timeout=25)
    found = json.loads(done.stdout)
    sources = {one["source"] for one in found if one["kind"] == "tcp"}
    assert {"core", "talker", "spare"} <= sources
    assert any(one["kind"] == "master" and one["target"] == MASTER for one in found)


@pytest.fixture(scope="module")
def table(robot: Robot) -> Robot:
    """With a node for each row of the table, and what verify says about them on both PCs."""
    for name, variables in ROWS.items():
        robot.publish(robot.qtpc, "talker", name, **variables)
    robot.publish(robot.qtrp, "hardware", "/far")
    robot.wait_for("/rosout", "/far", *ROWS)
    robot.said = {host.name: robot.verify(host) for host in (robot.qtpc, robot.qtrp)}
    return robot


@pytest.mark.parametrize("host", ["qtpc", "qtrp"])
def test_every_pair_of_services_is_looked_at_from_here(table: Robot, host: str) -> None:
    _, found = table.said[host]
    here = {"qtpc": ("core", "talker", "spare"), "qtrp": ("hardware",)}[host]
    services = ("core", "talker", "spare", "hardware")
    for source in here:
        for target in services:
            if source != target:
                kinds = {
                    one["kind"]: one["level"]
                    for one in found
                    if (one["source"], one["target"]) == (source, target)
                }
                wanted = dict.fromkeys(("reach", "name", "tcp", "mtu", "multicast"), "ok")
                assert kinds == wanted, (source, target)


def test_nodes_that_are_right_answer_from_every_place(table: Robot) -> None:
    for node in ("/right", "/far", "/rosout"):
        found = about(table.said["qtpc"], node)
        assert (found["level"], found["source"]) == ("ok", "4 places")


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ("/named", ["nowhere_to_be_found", "does not resolve on qtpc", "sets ROS_HOSTNAME="]),
        ("/empty", ["does not resolve on qtpc", "sets ROS_HOSTNAME to nothing"]),
        ("/wrong", ["nobody answers at 192.168.50.77", "sets ROS_IP=192.168.50.77"]),
        ("/loop", ["loopback", "sets ROS_IP=127.0.0.1"]),
    ],
)
def test_each_row_of_the_table_names_container_and_cause(
    table: Robot, node: str, words: list[str]
) -> None:
    code, _ = table.said["qtpc"]
    found = about(table.said["qtpc"], node)
    assert code == 1
    assert (found["kind"], found["level"]) == ("node", "bad")
    for word in [*words, "'talker'"]:
        assert word in found["text"]
    assert "ROS_IP=192.168.50.196" in found["remedy"]


def test_from_another_pc_the_same_nodes_are_bad(table: Robot) -> None:
    code, found = table.said["qtrp"]
    bad = {one["target"] for one in found if one["level"] == "bad"}
    assert code == 1
    assert {"/named", "/empty", "/wrong", "/loop"} <= bad
    assert not {"/right", "/far", "/rosout"} & bad


def test_real_messages_pass_both_ways(table: Robot) -> None:
    _, found = table.verify(table.qtpc, "--traffic")
    passed = {(one["source"], one["target"]) for one in found if one["kind"] == "traffic"}
    assert {("core", "talker"), ("talker", "core"), ("talker", "/rosout")} <= passed
    assert {one["level"] for one in found if one["kind"] == "traffic"} == {"ok"}
