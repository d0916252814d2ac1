"""`run`: today's `docker run` lines, with an address on the LAN, by the real docker command."""

import json
import os
import shlex
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import IMAGE, STUBBORN
from tests.e2e.plugin_host import within
from tests.e2e.terminals import in_terminal, read_until
from tests.lab import Host

#: Debian's docker first: a newer one refuses this engine.
ENV = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "MACVLAN_ROS_PROBE": "none"}

#: The line of HARMONI's documentation for its core, `docker run` replaced (and the image).
CORE = """
macvlan-ros run -dit --name harmoni_core --network host --init \
--device=/dev/null:/dev/video0 \
-e "ROS_MASTER_URI=$ROS_MASTER_URI" \
-e "ROS_HOSTNAME=$ROS_HOSTNAME" \
-e "ROS_IP=$ROS_IP" \
-e "ROS_DISTRO=kinetic" \
-e "CATKIN_WS=harmoni_catkin_ws" \
-e "IS_DOCKER_ENV=true" \
-v {home}/.gitconfig:/root/.gitconfig:ro \
-v {home}/.vim/:/root/.vim/:ro \
-v /etc/localtime:/etc/localtime:ro \
-w "/root/harmoni_catkin_ws/src/HARMONI" \
ros:stubborn bash
"""
SWARM = """
macvlan-ros run -dit --name harmoni_hardware --network ros_net --ip 172.18.3.4 --init \
--device=/dev/null:/dev/snd \
-e "ROS_MASTER_URI=http://172.18.3.4:11311" \
-e "ROS_HOSTNAME=harmoni_hardware" \
-e "ROS_DISTRO=kinetic" \
-p "11312:11312" \
-p "33691:33691" \
-w "/root/harmoni_catkin_ws/src/HARMONI" \
ros:lab bash
"""
#: Of the flags that robots' lines have, those that this machine's engine has a use for.
IMPORTED = r"""
-d --name talker --net=host -p 9090:9090 --entrypoint /bin/sh --hostname robot --init --ipc=host
--pid=host --env-file ./robot.env -e 'J={"a": 1}' -e Y=yes -e E= --label a=b --label lonely
-v cache:/cache -v /anonymous -v /tmp:/host:ro,rslave --mount type=bind,src=/tmp,dst=/b,readonly
--mount type=volume,source=maps,target=/maps --mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770
--tmpfs /run:size=1m --read-only --device /dev/null:/dev/imu:mwr --device-cgroup-rule 'c 189:* rmw'
--cap-add SYS_NICE --cap-drop MKNOD --security-opt seccomp=unconfined --group-add 20 -u 0:0 -w /maps
--ulimit nofile=1000:2000 --add-host sim:192.168.50.13 --dns 1.1.1.1 --dns-search lan -m=64m
--shm-size=16m --cpus 1.5 --stop-signal SIGINT --stop-timeout 5 --log-opt max-size=1m --restart
on-failure:3 --health-cmd 'true || exit 1' --health-interval=5s --health-retries 3
--runtime runc --cpuset-cpus 0 --pids-limit 99
--ip 192.168.50.200 --mac-address 02:42:ac:11:00:02 ros:lab -c 'echo "$HOME"; sleep 60'
"""


def run(
    host: Host, *words: str, cwd: Path | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    return host.macvlan_ros("run", *words, env={**ENV, **env}, cwd=cwd)


def settings(found: dict[str, Any]) -> dict[str, object]:
    """What a container is made with. Of its volumes the two forms differ, in which they are said;
    what became of them does not."""
    config, host = found["Config"], found["HostConfig"]
    labels = {k: v for k, v in config["Labels"].items() if k in ("a", "lonely")}
    made = {**config, **host, "Labels": labels, "Env": sorted(config["Env"])}
    for key in ("Volumes", "Binds", "Mounts"):
        made.pop(key, None)
    # all names of the PC go along with run, with import those that the line speaks of
    made["ExtraHosts"] = [one for one in host["ExtraHosts"] if not one.startswith("qtpc:")]
    (lan,) = found["NetworkSettings"]["Networks"].values()
    made["lan"] = (lan["IPAMConfig"]["IPv4Address"], lan["MacAddress"])
    made["mounts"] = sorted(
        (one["Destination"], one["Type"], one["RW"], one["Propagation"])
        + (() if one["Destination"] == "/anonymous" else (one["Source"],))
        for one in found["Mounts"]
    )
    return {key: value for key, value in made.items() if value}


def held(host: Host) -> dict[str, str]:
    found = json.loads(host.macvlan_ros("list", "--json", check=True).stdout)
    return {one["owner"]: one["address"] for one in found if not one["owner"].startswith("shim-")}


def container(host: Host, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(host.docker("inspect", name))[0]
    return found


def paste(host: Host, line: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A line as it is pasted into a shell."""
    ours = shlex.join(host.macvlan_ros_command())
    return host.run("bash", "-c", line.replace("macvlan-ros", ours), env={**ENV, **env})


def test_harmoni_s_own_lines_run_as_they_are(qtpc: Host, tmp_path: Path) -> None:
    (tmp_path / ".vim").mkdir()
    (tmp_path / ".gitconfig").write_text("[user]\n")
    done = paste(
        qtpc,
        CORE.replace("{home}", str(tmp_path)),
        ROS_MASTER_URI="http://192.168.50.12:11311",
        ROS_HOSTNAME="qtpc",
    )
    assert "--network host is replaced by the macvlan network 'ros_lan'" in done.stderr
    assert "ROS_HOSTNAME=qtpc is removed" in done.stderr
    address = held(qtpc)["harmoni_core"]
    variables = qtpc.docker("exec", "harmoni_core", "env").splitlines()
    assert f"ROS_IP={address}" in variables
    assert "ROS_MASTER_URI=http://192.168.50.12:11311" in variables
    assert "ROS_DISTRO=kinetic" in variables
    assert not any(one.startswith("ROS_HOSTNAME") for one in variables)
    inside = qtpc.docker("exec", "harmoni_core", "sh", "-c", "pwd; ls -d /root/.vim /dev/video0")
    assert inside.split() == [
        "/root/harmoni_catkin_ws/src/HARMONI",
        "/dev/video0",
        "/root/.vim",
    ]
    done = paste(qtpc, SWARM)
    for said in ("'ros_lan'", "--ip 172.18.3.4 is not on the LAN", "-p 33691:33691: ports are not"):
        assert said in done.stderr
    qtpc.docker("exec", "harmoni_hardware", "ping", "-c", "1", "-W", "2", "harmoni_core")
    shown = json.loads(qtpc.macvlan_ros("shim", "show", "--json", check=True).stdout)[0]
    assert {one["name"]: one["reached"] for one in shown["containers"]} == {
        "harmoni_core": True,
        "harmoni_hardware": True,
    }


def test_output_and_exit_code_are_the_container_s_and_its_address_stays(qtpc: Host) -> None:
    show = "echo out; echo err >&2; cat /sys/class/net/eth0/address; exit 7"
    first = run(qtpc, "--rm", "--name", "talker", IMAGE, "sh", "-c", show)
    again = run(qtpc, "--rm", "--name", "talker", IMAGE, "sh", "-c", show)
    assert first.returncode == again.returncode == 7
    assert first.stdout == again.stdout
    assert first.stdout.startswith("out\n")
    assert "err\n" in first.stderr
    assert list(held(qtpc)) == ["talker"]
    own = ("--rm", "--name", "talker", "--mac-address", "02-00-00-00-00-99")
    assert "02:00:00:00:00:99" in run(qtpc, *own, IMAGE, "sh", "-c", show).stdout
    assert "02:00:00:00:00:99" in qtpc.macvlan_ros("list").stdout
    unnamed = run(qtpc, "--rm", IMAGE, "true")
    assert "the container is called 'run-ros-lab'" in unnamed.stderr
    assert set(held(qtpc)) == {"talker", "run-ros-lab"}


def test_containers_that_nobody_named_may_be_run_at_once(qtpc: Host) -> None:
    command = qtpc.macvlan_ros_command("run", "-d", IMAGE)
    both = [qtpc.popen(*command, env=ENV, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert set(held(qtpc)) == {"run-ros-lab", "run-ros-lab-2"}
    assert len(set(held(qtpc).values())) == 2


def test_the_printed_command_does_what_run_would_have_done(qtpc: Host) -> None:
    printed = run(qtpc, "--print", "-d", "--name", "robot", "-e", "A=b c", STUBBORN).stdout
    assert printed.startswith("env -u ROS_HOSTNAME docker run -d --name robot -e 'A=b c' ")
    assert not qtpc.docker("ps", "-aq")
    qtpc.run("sh", "-c", printed, env={**ENV, "ROS_HOSTNAME": "qtpc"})
    variables = qtpc.docker("exec", "robot", "env")
    assert f"ROS_IP={held(qtpc)['robot']}\n" in variables
    assert "ROS_HOSTNAME" not in variables
    assert "A=b c\n" in variables


def test_what_could_not_run_leaves_nothing_behind(qtpc: Host) -> None:
    first = run(qtpc, "-d", "--name", "first", IMAGE).stdout
    # Docker takes the beginning of an id for a name, too
    assert run(qtpc, "--name", first[:4], "no/such:image").returncode == 125
    qtpc.docker("rm", "-f", "first")
    before = held(qtpc), qtpc.docker("network", "ls", "-q")
    gone = run(qtpc, "--name", "second", "no/such:image")
    assert gone.returncode == 125
    assert "mac-address per network" not in gone.stderr
    wrong = run(qtpc, "--name", "second", "--nme", "x", IMAGE)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr == "error: docker run has no flag --nme; did you mean --name?\n"
    missing = run(qtpc, "--name", "second", IMAGE, MACVLAN_ROS_DOCKER_CLI="docker-of-mine")
    assert missing.returncode == 6
    assert "there is no docker-of-mine command here" in missing.stderr
    assert list(held(qtpc)) == ["first"]
    assert (held(qtpc), qtpc.docker("network", "ls", "-q")) == before
    assert not qtpc.docker("ps", "-aq")


def test_without_a_terminal_nothing_is_left_of_a_line_that_wants_one(qtpc: Host) -> None:
    done = run(qtpc, "-it", "--name", "talker", IMAGE)
    assert done.returncode == 1
    assert "is not a TTY\nnote: there is no terminal here; leave out -t" in done.stderr
    assert held(qtpc) == {}
    assert "ros_lan" not in qtpc.docker("network", "ls")


def test_what_run_made_is_gone_into_and_read_by_its_name(qtpc: Host, tmp_path: Path) -> None:
    """There is no stack file."""

    def ours(*words: str) -> subprocess.CompletedProcess[str]:
        return qtpc.macvlan_ros(*words, env=ENV, cwd=tmp_path)

    run(qtpc, "-d", "--name", "talker", IMAGE, "sh", "-c", "echo spoken; exec rest")
    inside = ours("exec", "-it", "-e", "A=b", "talker", "sh", "-c", "echo $A; exit 9")
    assert (inside.returncode, inside.stdout) == (9, "b\n")
    assert ours("logs", "talker").stdout == "talker | spoken\n"
    nothing = ours("exec", "talker")
    assert (nothing.returncode, nothing.stdout) == (2, "")
    assert "a shell there is: macvlan-ros shell talker" in nothing.stderr
    nobody = ours("shell", "walker")
    assert nobody.returncode == 3
    assert "there is no container 'walker', and no stack file here" in nobody.stderr
    qtpc.docker("stop", "talker")
    stopped = ours("exec", "talker", "true")
    assert stopped.returncode == 4
    assert "start it with: docker start talker" in stopped.stderr


def test_host_gateway_is_the_pc_that_is_reached(qtpc: Host) -> None:
    name = "host.docker.internal"
    ping = f"for n in 1 2 3 4 5 6 7 8 9; do ping -c 1 -W 1 {name} && exit; sleep 0.2; done; exit 1"
    words = ("--rm", "--name", "talker", "--add-host", f"{name}:host-gateway", IMAGE)
    done = run(qtpc, *words, "sh", "-c", ping)
    assert done.returncode == 0, done.stdout
    assert f"--add-host {name}: host-gateway is {qtpc.address}, this PC on the LAN" in done.stderr


def test_the_names_that_the_host_s_network_gave_go_along(qtpc: Host) -> None:
    """But for those of containers that have an address of their own."""
    added = "192.168.50.12 qtrp robot.local\n192.168.50.11 talker\n"
    qtpc.run("sh", "-c", f"printf '{added}' >> /etc/hosts")
    run(qtpc, "-d", "--name", "talker", IMAGE)
    show = ("sh", "-c", "cat /etc/hosts; ping -c 1 -W 2 talker")
    done = run(qtpc, "--rm", "--network", "host", "--name", "listener", IMAGE, *show)
    qtpc.run("sed", "-i", "/192.168.50/d", "/etc/hosts")
    assert "the names of this PC's /etc/hosts go along: qtrp, robot.local" in done.stderr
    lines = {tuple(line.split()) for line in done.stdout.splitlines()}
    assert {("192.168.50.12", "robot.local"), (qtpc.address, "qtpc")} <= lines
    assert f"PING talker ({held(qtpc)['talker']})" in done.stdout


def test_an_address_that_answers_on_the_lan_is_not_given_twice(qtpc: Host, qtrp: Host) -> None:
    """Two PCs with one store: the container of that name runs on the other one."""
    run(qtpc, "-d", "--name", "talker", IMAGE)
    address = held(qtpc)["talker"]
    content = qtpc.folder / "backup.json"
    for host, verb in ((qtpc, "backup"), (qtrp, "restore")):
        host.macvlan_ros("store", verb, str(content), check=True)
    taken = run(qtrp, "-d", "--name", "talker", IMAGE, MACVLAN_ROS_PROBE="fast")
    assert taken.returncode == 4
    assert address in taken.stderr
    assert "'talker' belongs to the host 'qtpc'" in taken.stderr
    assert not qtrp.docker("ps", "-aq")
    qtpc.docker("rm", "-f", "talker")
    moved = run(qtrp, "-d", "--name", "talker", IMAGE, MACVLAN_ROS_PROBE="fast")
    assert moved.returncode == 0, moved.stderr
    assert held(qtrp)["talker"] == address


def started_in(host: Host, script: str) -> subprocess.Popen[str]:
    """A run of a script that has said that it is ready."""
    words = ("run", "--rm", "--name", "talker", IMAGE, "sh", "-c", script)
    process = host.popen(*host.macvlan_ros_command(*words), stdout=subprocess.PIPE, env=ENV)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_signals_that_are_sent_to_it_reach_the_container(qtpc: Host) -> None:
    traps = "".join(f"trap 'echo {name}' {name}; " for name in ("HUP", "INT", "QUIT"))
    script = f"{traps} trap 'exit 3' TERM; echo ready; while :; do sleep 0.1; done"
    process = started_in(qtpc, script)
    assert process.stdout is not None
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        process.send_signal(number)
        assert process.stdout.readline() == f"{number.name.removeprefix('SIG')}\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 3


def test_exit_codes_are_docker_s_own(qtpc: Host) -> None:
    process = started_in(qtpc, "echo ready; exec sleep 60")
    qtpc.docker("kill", "talker")
    assert process.wait(15) == 137
    for program, code in (("/etc", 126), ("/no/such/program", 127)):
        assert run(qtpc, "--rm", "--name", "talker", IMAGE, program).returncode == code


def test_a_run_that_was_killed_on_the_way_is_run_again(qtpc: Host) -> None:
    words = ("-d", "--name", "talker", IMAGE)
    process = qtpc.popen(
        *qtpc.macvlan_ros_command("run", *words), env=ENV, stdout=subprocess.DEVNULL
    )
    assert within(30, lambda: "talker" in held(qtpc))
    process.kill()
    process.wait()
    address = held(qtpc)["talker"]

    def again() -> bool:
        # Docker's command line may have made it all the same, or be about to
        qtpc.run("/usr/bin/docker", "rm", "-f", "talker", check=False)
        return run(qtpc, *words).returncode == 0

    assert within(60, again)
    assert held(qtpc) == {"talker": address}
    qtpc.run("busybox", "ping", "-c", "1", "-W", "2", address)


@pytest.mark.parametrize("tty", [True, False])
def test_a_terminal_is_the_container_s(qtpc: Host, tmp_path: Path, tty: bool) -> None:
    flags = "-it" if tty else "-i"
    script = "stty size; read line; echo got $line; read other; exit 4"
    words = ("run", flags, "--rm", "--name", "talker", IMAGE, "sh", "-c", script)
    with in_terminal(qtpc, tmp_path, *words) as (process, mine):
        os.write(mine, b"one two\n")
        read_until(mine, b"got one two")
        # with a terminal of its own the container's shell gets Ctrl-C, else docker does
        os.write(mine, b"\x03" if tty else b"end\n")
        assert process.wait(15) == (130 if tty else 4)


def test_ctrl_p_ctrl_q_leaves_a_container_that_goes_on(qtpc: Host, tmp_path: Path) -> None:
    words = ("run", "-it", "--name", "talker", IMAGE, "sh", "-c", "echo ready; read line")
    with in_terminal(qtpc, tmp_path, *words) as (process, mine):
        read_until(mine, b"ready")
        os.write(mine, b"\x10\x11")
        assert process.wait(15) == 0
    assert qtpc.docker("ps", "--format", "{{.Names}}") == "talker"


def test_what_import_writes_launches_the_container_that_run_runs(
    qtpc: Host, tmp_path: Path
) -> None:
    (tmp_path / "robot.env").write_text("A=b\n")
    line = shlex.split(IMPORTED)
    assert run(qtpc, *line, cwd=tmp_path).returncode == 0
    first = settings(container(qtpc, "talker"))
    qtpc.docker("rm", "-f", "-v", "talker")
    words = ("import", "-o", "compose.yaml", "--", "docker", "run", *line)
    done = qtpc.macvlan_ros(*words, env=ENV, cwd=tmp_path)
    assert done.stderr == (
        "note: -p 9090:9090 is left out: every port is open on the container's own address\n"
    )
    launched = qtpc.macvlan_ros("launch", env=ENV, cwd=tmp_path)
    assert launched.returncode == 0, launched.stderr
    assert settings(container(qtpc, "talker")) == first
    qtpc.docker("rm", "-f", "-v", "talker")
    qtpc.docker("volume", "rm", "cache", "maps")
