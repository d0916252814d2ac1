"""`compose`: the real one on a stack, old and new; and what `launch` makes, seen by it."""

from __future__ import annotations

import json
import os
import select
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.conftest import WriteStack
from tests.e2e.plugin_host import within
from tests.e2e.terminals import in_terminal, read_until
from tests.lab import Host, Lab
from tests.lab.debian import engine_tree

ENV = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "MACVLAN_ROS_PROBE": "none"}
#: With what the LAN replaces, and services of another host whose images, folders and files are
#: there alone.
STACK = """
    x-macvlan-ros:
      master: hardware
      hosts: {HOST: {parent: eth0}, other: {parent: eth0}}
    networks:
      net: {driver: overlay, ipam: {config: [{subnet: 172.18.3.0/24}]}}
      side: {}
    volumes: {data: {}}
    services:
      core:
        image: ros:stubborn
        network_mode: host
        environment: ["ROS_HOSTNAME=somebody", "PRICE=5$$"]
        volumes: ["data:/data", "./note:/note:ro"]
        volumes_from: [hardware]
        depends_on: [far]
        x-macvlan-ros: {host: HOST}
      hardware:
        image: ros:lab
        networks: {net: {ipv4_address: 172.18.3.4}, side: {}}
        x-macvlan-ros: {host: HOST}
      shared: {image: "ros:lab", network_mode: "service:core", x-macvlan-ros: {host: HOST}}
      far: {image: "gone:1", x-macvlan-ros: {host: other, address: 192.168.50.240}}
      built: {build: ./gone, env_file: gone.env, depends_on: [far], x-macvlan-ros: {host: other}}
    """


MODERN = "/usr/libexec/docker/cli-plugins/docker-compose"


@dataclass(frozen=True)
class Pc:
    """A PC with a Compose of some age."""

    host: Host
    compose: str

    def ours(self, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
        env = {**ENV, "MACVLAN_ROS_COMPOSE_CLI": self.compose}
        return self.host.macvlan_ros(*words, env=env, cwd=folder, timeout=120)

    def theirs(self, folder: Path, *words: str) -> str:
        done = self.host.run(self.compose, *words, env=ENV, cwd=folder, timeout=120, check=False)
        return done.stdout + done.stderr


@pytest.fixture(params=["1 on 20", "1 on 26", "2 on 26"])
def pc(lan: Lab, request: pytest.FixtureRequest) -> Pc:
    """docker-compose 1.29 and docker compose 2, with this machine's engine and a newer one."""
    compose, _, engine = request.param.split()
    host = lan.hosts["qtpc" if engine == "20" else "trixie"]
    host.import_image("ros:lab")
    host.import_image("ros:stubborn", env={"ROS_HOSTNAME": "baked-in"})
    return Pc(host, "docker-compose" if compose == "1" else f"{engine_tree('trixie')}{MODERN}")


def test_the_real_compose_runs_a_stack_with_addresses_on_the_lan(
    pc: Pc, write_stack: WriteStack
) -> None:
    folder = write_stack(STACK.replace("HOST", pc.host.name), note="hello\n")
    for more in ("--scale=core=2", "--scale=cor=1", "cor"):
        refused = pc.ours(folder, "compose", "up", "-d", more)
        assert refused.returncode, refused.stdout
        assert ("one on the LAN has an address" if "2" in more else "(did you mean 'core'?)") in (
            refused.stderr
        )
    printed = pc.ours(folder, "compose", "config")
    assert "network_mode: !reset null" in printed.stdout, printed.stderr
    done = pc.ours(folder, "compose", "up", "-d")
    assert done.returncode == 0, done.stderr
    listed = json.loads(pc.ours(folder, "list", "--json").stdout)
    held = {one["owner"]: (one["address"], one["mac"]) for one in listed}
    for name in ("core", "hardware"):
        assert f"ipv4_address: {held[name][0]}" in printed.stdout
        link = pc.host.docker("exec", name, "ip", "-o", "-4", "addr")
        assert f" {held[name][0]}/24 " in link
        macs = pc.host.docker("exec", name, "sh", "-c", "cat /sys/class/net/*/address")
        assert held[name][1] in macs
    assert f" {held['core'][0]}/24 " in pc.host.docker("exec", "shared", "ip", "-o", "-4", "addr")
    variables = pc.host.docker("exec", "core", "env").splitlines()
    assert f"ROS_IP={held['core'][0]}" in variables
    assert f"ROS_MASTER_URI=http://{held['hardware'][0]}:11311" in variables
    assert "PRICE=5$" in variables
    assert not any(one.startswith("ROS_HOSTNAME") for one in variables)
    assert pc.host.docker("exec", "core", "cat", "/note") == "hello"
    pc.host.docker("exec", "hardware", "ping", "-c", "1", "-W", "2", "core")
    assert pc.host.docker("ps", "--format", "{{.Names}}").split() != []
    assert "far" not in pc.host.docker("ps", "-a", "--format", "{{.Names}}").split()
    networks = json.loads(pc.host.docker("inspect", "hardware"))[0]["NetworkSettings"]["Networks"]
    assert set(networks) == {"ros_lan", "robot_side"}
    shown = json.loads(pc.ours(folder, "shim", "show", "--json").stdout)[0]
    assert all(one["reached"] for one in shown["containers"])

    assert "hardware" in pc.ours(folder, "compose", "ps").stdout
    # launch would refuse this file, which is no reason not to look at what Compose made of it
    for words in (["ps"], ["status"], ["logs", "core"], ["exec", "core", "true"]):
        looked = pc.ours(folder, *words)
        assert looked.returncode == 0, (words, looked.stdout, looked.stderr)
    refused = pc.ours(folder, "launch")
    assert "key 'volumes_from' is not supported" in refused.stderr
    assert "or start it with: macvlan-ros compose up -d" in refused.stderr
    show = "ip -o -4 addr; env"
    beside = pc.ours(folder, "compose", "run", "--rm", "-T", "core", "sh", "-c", show)
    assert beside.returncode == 0, beside.stderr
    listed = json.loads(pc.ours(folder, "list", "--json").stdout)
    (other,) = (one["address"] for one in listed if one["owner"] == "core-run")
    assert f" {other}/24 " in beside.stdout
    assert f"ROS_IP={other}\n" in beside.stdout
    pc.ours(folder, "compose", "restart", "core")
    shown = json.loads(pc.ours(folder, "shim", "show", "--json").stdout)[0]
    assert all(one["reached"] for one in shown["containers"])
    down = pc.ours(folder, "compose", "down", "-v")
    assert down.returncode == 0, down.stderr
    assert not pc.host.docker("ps", "-aq")
    assert "core" in pc.ours(folder, "list").stdout
    code = pc.ours(folder, "compose", "run", "--rm", "-T", "core", "sh", "-c", "exit 7")
    assert code.returncode == 7, code.stderr


def test_compose_sees_what_launch_made(pc: Pc, write_stack: WriteStack) -> None:
    stack = """
        services:
          talker: {image: "ros:lab", command: "sh -c 'echo said; exec /bin/rest'"}
          listener: {image: "ros:lab"}
        """
    folder = write_stack(stack)
    pc.ours(folder, "launch")
    shown = pc.theirs(folder, "ps")
    assert "talker" in shown
    assert "listener" in shown
    assert "said" in pc.theirs(folder, "logs", "talker")
    assert pc.theirs(folder, "exec", "-T", "listener", "hostname")
    made = pc.host.docker("ps", "-q").split()
    taken_on = pc.ours(folder, "compose", "up", "-d")
    assert taken_on.returncode == 0, taken_on.stderr
    for verb in ("stop", "start", "restart"):
        done = pc.ours(folder, "compose", verb, "talker")
        assert done.returncode == 0, done.stderr
    assert pc.ours(folder, "status").returncode == 0
    pc.host.run(*pc.compose.split(), "restart", "-t", "1", "listener", env=ENV, cwd=folder)
    assert pc.ours(folder, "status").returncode == 0
    assert set(pc.host.docker("ps", "-q").split()) == set(made), "nothing was made anew"
    # the old one joins what it starts to a network that nobody made
    pc.host.docker("stop", "-t", "1", "talker")
    pc.theirs(folder, "start", "talker")
    done = pc.ours(folder, "launch")
    assert done.returncode == 0, done.stderr
    pc.theirs(folder, "down", "-t", "1")
    assert not pc.host.docker("ps", "-aq")


def test_launch_takes_on_what_compose_made(pc: Pc, write_stack: WriteStack) -> None:
    stack = """
        services:
          talker:
            image: "ros:lab"
            ports: ["80:80"]
            logging: {options: {max-size: 1m}}
            deploy: {resources: {limits: {memory: 64m}}}
            environment: ["PEER=${COMPOSE_PROJECT_NAME}-listener-1"]
          listener: {image: "ros:lab", oom_score_adj: 5, volumes: ["data:/data"]}
          database: {image: "ros:lab", network_mode: none}
        volumes: {data: {driver_opts: {type: tmpfs, device: tmpfs, o: size=1m}}}
        """
    folder = write_stack(stack)
    up = pc.ours(folder, "compose", "up", "-d")
    assert up.returncode == 0, up.stderr
    made = set(pc.host.docker("ps", "-q").split())
    done = pc.ours(folder, "launch", "--json")
    assert {one["action"] for one in json.loads(done.stdout)} == {"unchanged"}, done.stderr
    pc.host.docker("exec", "talker", "sh", "-c", "ping -c 1 -W 2 $PEER")
    pc.host.docker("rm", "-f", "listener")
    pc.ours(folder, "launch")
    again = pc.ours(folder, "compose", "up", "-d")
    assert again.returncode == 0, again.stderr
    assert len(made & set(pc.host.docker("ps", "-q").split())) == 2
    pc.host.docker("exec", "talker", "sh", "-c", "ping -c 1 -W 2 $PEER")
    for words in (["ps"], ["logs"], ["exec", "talker", "true"], ["stop"], ["restart"], ["down"]):
        done = pc.ours(folder, *words)
        assert done.returncode == 0, done.stderr
    assert not pc.host.docker("ps", "-aq")


def test_ctrl_c_ends_a_compose_up_that_is_watched(pc: Pc, write_stack: WriteStack) -> None:
    """And the PC leads nobody to the containers that run no more."""
    folder = write_stack(
        """services: {talker: {image: "ros:lab", command: "sh -c 'echo said; exec /bin/rest'"}}"""
    )
    cli = {"MACVLAN_ROS_COMPOSE_CLI": pc.compose}
    with in_terminal(pc.host, folder, "compose", "up", **cli) as (up, mine):
        read_until(mine, b"said")
        listed = json.loads(pc.ours(folder, "list", "--json").stdout)
        (held,) = (one for one in listed if one["owner"] == "talker")
        assert within(30, lambda: held["address"] in pc.host.run("ip", "route").stdout)
        os.write(mine, b"\x03")
        assert within(60, lambda: "Traceback" not in _shown(mine) and up.poll() is not None)
    assert pc.host.docker("ps", "-q") == ""
    assert held["address"] not in pc.host.run("ip", "route").stdout


def _shown(terminal: int) -> str:
    """What has come meanwhile: a terminal that nobody reads holds up who writes."""
    ready = select.select([terminal], [], [], 0.1)[0]
    return os.read(terminal, 4096).decode(errors="replace") if ready else ""
