"""A day with a stack: build, go in, restart, look; on a real engine."""

import json
import os
import subprocess
from pathlib import Path

from tests.e2e.conftest import WriteStack
from tests.e2e.terminals import in_terminal, read_until, sees_its_size
from tests.lab import Host

ENV = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "MACVLAN_ROS_PROBE": "none"}
STACK = """
    services:
      core:
        build:
          context: ./core
          args: {GREETING: hello}
          secrets: [token]
        environment: {PRICE: "5$$"}
      listener: {image: "ros:lab", depends_on: [core]}
    secrets: {token: {environment: TOKEN}}
    """
DOCKERFILE = """FROM ros:lab
ARG GREETING
ENV GREETING=$GREETING
COPY note ros_entrypoint.sh /
ENTRYPOINT ["/ros_entrypoint.sh"]
CMD ["/bin/rest"]
RUN --mount=type=secret,id=token test "$(cat /run/secrets/token)" = opens
"""


def ours(host: Host, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return host.macvlan_ros(*words, env=ENV, cwd=folder)


def test_a_day_with_a_stack_that_is_built(qtpc: Host, write_stack: WriteStack) -> None:
    folder = write_stack(STACK, __env="TOKEN=opens\n")
    missing = ours(qtpc, folder, "launch")
    assert missing.returncode == 3
    assert f"services.core.build: there is no folder {folder}/core" in missing.stderr
    (folder / "core").mkdir()
    (folder / "core" / "Dockerfile").write_text(DOCKERFILE)
    (folder / "core" / "note").write_text("first\n")
    entrypoint = folder / "core" / "ros_entrypoint.sh"
    entrypoint.write_text('#!/bin/sh\nexport ROS_SET_UP=yes\nexec "$@"\n')
    entrypoint.chmod(0o755)
    done = ours(qtpc, folder, "launch", "--json")
    assert done.returncode == 0, done.stderr
    assert "core: building robot-core" in done.stderr
    first = {one["service"]: one["address"] for one in json.loads(done.stdout)}

    inside = ours(qtpc, folder, "exec", "-e", "A=b", "core", "sh", "-c", "cat /note; env; exit 9")
    assert inside.returncode == 9
    for said in (
        "first\n",
        "GREETING=hello\n",
        "PRICE=5$\n",
        "A=b\n",
        "ROS_SET_UP=yes\n",
        f"ROS_IP={first['core']}",
    ):
        assert said in inside.stdout

    (folder / "core" / "note").write_text("second\n")
    assert "anew with: --build" in ours(qtpc, folder, "launch").stderr
    rebuilt = ours(qtpc, folder, "launch", "--build", "--json")
    again = {one["service"]: (one["address"], one["action"]) for one in json.loads(rebuilt.stdout)}
    assert again == {
        "core": (first["core"], "recreated"),
        "listener": (first["listener"], "unchanged"),
    }
    assert ours(qtpc, folder, "exec", "core", "cat", "/note").stdout == "second\n"

    (folder / "core" / "Dockerfile").write_text("FROM ros:lab\nCOPY nothing /\n")
    broken = ours(qtpc, folder, "build", "-q")
    assert broken.returncode == 6
    assert "the image robot-core was not built: docker build ended with 1: " in broken.stderr
    assert "nothing" in broken.stderr.rpartition("ended with 1: ")[2]


def test_restarted_services_keep_their_addresses_and_are_reached(
    qtpc: Host, write_stack: WriteStack
) -> None:
    folder = write_stack(STACK.replace("build:", "image: ros:lab\n        x-build:"))
    ours(qtpc, folder, "launch")
    before = ours(qtpc, folder, "ps", "--json").stdout
    done = ours(qtpc, folder, "restart", "--json")
    assert json.loads(done.stdout) == {"restarted": ["core", "listener"]}
    assert done.stderr.index("core: restarted") < done.stderr.index("listener: restarted")
    assert ours(qtpc, folder, "ps", "--json").stdout == before
    shown = json.loads(ours(qtpc, folder, "shim", "show", "--json").stdout)[0]
    assert all(one["reached"] for one in shown["containers"])

    tree = json.loads(ours(qtpc, folder, "config", "--json").stdout)
    assert tree["services"]["core"]["environment"] == {"PRICE": "5$"}
    (folder / "again.yaml").write_text(ours(qtpc, folder, "config").stdout)
    same = ours(qtpc, folder, "config", "--json", "-f", "again.yaml").stdout
    assert json.loads(same) == tree
    assert ours(qtpc, folder, "config", "--services").stdout == "core\nlistener\n"

    refused = ours(qtpc, folder, "pull", "listener")
    assert refused.returncode == 6, refused.stderr
    qtpc.docker("stop", "core")
    for words in (("exec", "core", "true"), ("shell", "core"), ("attach", "core")):
        stopped = ours(qtpc, folder, *words)
        assert stopped.returncode == 4
        assert "the container 'core' does not run (exited)" in stopped.stderr
    qtpc.docker("rm", "core")
    restarted = ours(qtpc, folder, "restart", "listener", "core")
    assert (restarted.returncode, "listener" in restarted.stderr) == (3, False)
    assert "'core' has no container; make it with: macvlan-ros launch core" in restarted.stderr
    assert "'core' has no container" in ours(qtpc, folder, "logs", "core").stderr
    ours(qtpc, folder, "down")
    gone = ours(qtpc, folder, "shell", "core")
    assert gone.returncode == 3
    assert "make it with: macvlan-ros launch core" in gone.stderr
    assert "core" in ours(qtpc, folder, "list", "-q").stdout
    ours(qtpc, folder, "down", "--release")
    assert ours(qtpc, folder, "list", "-q").stdout == ""


SIZES = "while :; do stty size; sleep 0.1; done"
TERMINAL = f"""
    services:
      core: {{image: "ros:lab", tty: true, stdin_open: true, command: ["sh", "-c", "{SIZES}"]}}
    """


def test_a_shell_has_the_terminal(qtpc: Host, write_stack: WriteStack) -> None:
    folder = write_stack(STACK.replace("build:", "image: ros:lab\n        x-build:"))
    ours(qtpc, folder, "launch", "core")
    with in_terminal(qtpc, folder, "shell", "core") as (process, mine):
        os.write(mine, b"tty && echo $((40 + 2)) && exit 5\n")
        read_until(mine, b"42")
        assert process.wait(15) == 5


def test_a_terminal_that_is_resized_is_resized_in_the_container(
    qtpc: Host, write_stack: WriteStack
) -> None:
    folder = write_stack(TERMINAL)
    assert ours(qtpc, folder, "launch").returncode == 0
    for words, typed in (
        (("attach", "core"), ""),
        (("exec", "core", "sh", "-c", SIZES), ""),
        (("shell", "core"), SIZES + "\n"),
        (("compose", "exec", "core", "sh", "-c", SIZES), ""),
        (("run", "-it", "--rm", "--name", "other", "ros:lab", "sh", "-c", SIZES), ""),
    ):
        with in_terminal(qtpc, folder, *words) as (_, mine):
            os.write(mine, typed.encode())
            read_until(mine, b"31 101")
            sees_its_size(mine)
    qtpc.docker("rm", "-f", "other")
