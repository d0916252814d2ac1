"""The first stack file, written on a real PC of the lab."""

from __future__ import annotations

import json
from pathlib import Path

import pexpect
import pytest

from tests.e2e.conftest import IMAGE
from tests.e2e.router import router
from tests.lab import Host, Lab


def test_what_runs_on_the_hosts_network_becomes_a_stack_that_launches(
    qtpc: Host, tmp_path: Path
) -> None:
    qtpc.docker("run", "-d", "--name", "roscore", "--network", "host", IMAGE)
    qtpc.docker("run", "-d", "--name", "elsewhere", IMAGE)
    said = qtpc.macvlan_ros("init", "--yes", cwd=tmp_path, check=True)
    assert said.stdout == "wrote compose.yaml; read it once, then: macvlan-ros launch\n"
    assert "docker rm -f roscore" in said.stderr
    qtpc.docker("rm", "-f", "roscore")
    done = qtpc.macvlan_ros("launch", "--json", "--no-probe", cwd=tmp_path, check=True)
    (launched,) = json.loads(done.stdout)
    assert (launched["service"], launched["host"]) == ("roscore", "qtpc")
    environment = qtpc.docker("exec", "roscore", "env")
    assert f"ROS_MASTER_URI=http://{launched['address']}:11311" in environment


def test_questions_are_asked_again_until_the_answer_can_be_used(qtpc: Host, tmp_path: Path) -> None:
    words = qtpc.command(*qtpc.macvlan_ros_command("init", "--no-probe"), cwd=tmp_path)
    child = pexpect.spawn(words[0], list(words[1:]), timeout=30, encoding="utf8")
    for question, answer in (
        (r"handed out\?.*192\.168\.50\.192", "10.0.0.0/24"),
        (r"outside.*handed out\?", "192.168.50.192/27"),
        ("A service's name:", "no blanks"),
        ("cannot be used.*A service's name:", "harmoni_core"),
        ("its image:", "harmoniteam/lightweight:harmoni"),
        (r"by hostname \[qtpc\]:", ""),
        ("Another service's name", "harmoni_core"),
        ("already.*Another service's name", "a"),
        ("too short.*Another service's name", "harmoni_hardware"),
        ("its image:", "a b"),
        ("Error: 'a b' cannot be an image's name.*its image:", "harmoniteam/lightweight:harmoni"),
        ("by hostname", "qtrp"),
        ("Another service's name", ""),
        (r"runs roscore\?.*\[harmoni_hardware\]", ""),
    ):
        child.expect(question)
        child.sendline(answer)
    child.expect("wrote compose.yaml")
    child.expect(pexpect.EOF)
    text = (tmp_path / "compose.yaml").read_text()
    assert "range: 192.168.50.192/27" in text
    assert 'qtrp: {parent: "192.168.50.0/24", range: 192.168.50.208/28}' in text


def test_of_two_interfaces_one_is_asked_for_and_the_routers_range_is_told_of(
    lab: Lab, tmp_path: Path
) -> None:
    qtpc = lab.hosts["qtpc"]
    qtpc.run("ip", "link", "add", "cable1", "type", "veth", "peer", "name", "cable2")
    qtpc.run("ip", "address", "add", "10.9.8.7/24", "dev", "cable1")
    for end in ("cable1", "cable2"):
        qtpc.run("ip", "link", "set", end, "up")
    options = ("--service", "core=ros")
    words = qtpc.command(*qtpc.macvlan_ros_command("init", *options), cwd=tmp_path)
    with router(lab, "192.168.50.200", "192.168.50.240"):
        child = pexpect.spawn(words[0], list(words[1:]), timeout=30, encoding="utf8")
        for question, answer in (
            (r"cable1: 10\.9\.8\.7/24.*on the LAN of the robot's PCs\?.*\[eth0\]", ""),
            (r"handed out\?.*192\.168\.50\.192", ""),
            (r"just offered.*handed out\?.*192\.168\.50\.192", "192.168.50.96/28"),
            (r"runs roscore\?", "core"),
        ):
            child.expect(question)
            child.sendline(answer)
        child.expect("wrote compose.yaml")
        child.expect(pexpect.EOF)
    qtpc.run("ip", "link", "delete", "cable1")
    assert "range: 192.168.50.96/28" in (tmp_path / "compose.yaml").read_text()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "there is no terminal; take --yes"),
        (("--yes", "--service", "core"), 2, "write NAME=IMAGE"),
        (("--yes", "--service", "core=ros", "--master", "cor"), 2, "there are: core"),
        (("--yes", "--range", "10.0.0.0/24"), 2, "192.168.50.0/24"),
        (("--yes", "--parent", "eth7"), 3, "eth7"),
        (("--yes", "-f", "/no/such/folder/compose.yaml"), 2, "No such file or directory"),
    ],
)
def test_what_cannot_be_answered_writes_nothing(
    qtpc: Host, tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    done = qtpc.macvlan_ros("init", *words, cwd=tmp_path)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_there_is_left_alone(qtpc: Host, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    done = qtpc.macvlan_ros("init", "--yes", cwd=tmp_path)
    assert done.returncode == 4
    assert "compose.yaml is there already" in done.stderr
    assert (tmp_path / "compose.yaml").read_text() == "services: {}\n"


def test_a_file_that_the_new_one_would_stand_before_is_named(qtpc: Host, tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text("services: {}\n")
    done = qtpc.macvlan_ros("init", "--yes", cwd=tmp_path)
    assert done.returncode == 4
    assert "docker-compose.yml is there already" in done.stderr
    assert not (tmp_path / "compose.yaml").exists()
    qtpc.macvlan_ros("init", "--yes", "-f", "robot.yaml", cwd=tmp_path, check=True)
