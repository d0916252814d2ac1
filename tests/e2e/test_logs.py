"""`logs`: what the services of a stack write, on a real engine."""

import json
import signal
import subprocess

from tests.e2e.conftest import WriteStack
from tests.e2e.plugin_host import within
from tests.lab import Host

STACK = """
    services:
      talker:
        image: ros:lab
        command: sh -c 'echo one; sleep 0.3; echo three >&2; exec /bin/rest'
      listener:
        image: ros:lab
        command: sh -c 'sleep 0.15; echo two; exec /bin/rest'
      shown: {image: "ros:lab", tty: true, command: "sh -c 'sleep 0.5; echo four; exec /bin/rest'"}
    """


def test_logs_of_all_services_come_in_the_order_of_time(
    qtpc: Host, write_stack: WriteStack
) -> None:
    folder = write_stack(STACK)
    qtpc.macvlan_ros("launch", check=True, cwd=folder)

    def written() -> list[dict[str, str]]:
        shown = qtpc.macvlan_ros("logs", "--json", check=True, cwd=folder).stdout
        return [json.loads(line) for line in shown.splitlines()]

    assert within(60, lambda: len(written()) == 4)
    lines = written()
    shown = qtpc.macvlan_ros("logs", "talker", check=True, cwd=folder).stdout
    assert shown == "talker | one\ntalker | three\n"
    assert [one["time"] for one in lines] == sorted(one["time"] for one in lines)
    assert {(one["service"], one["stream"], one["text"]) for one in lines} == {
        ("talker", "stdout", "one"),
        ("talker", "stderr", "three"),
        ("listener", "stdout", "two"),
        ("shown", "stdout", "four"),
    }
    plain = qtpc.macvlan_ros("logs", "--no-prefix", "-n", "1", "talker", check=True, cwd=folder)
    assert plain.stdout == "three\n"
    wrong = qtpc.macvlan_ros("logs", "talkr", cwd=folder)
    assert wrong.returncode == 3
    assert "did you mean 'talker'" in wrong.stderr


def test_logs_are_followed_over_a_restart_until_ctrl_c(qtpc: Host, write_stack: WriteStack) -> None:
    folder = write_stack(STACK)
    qtpc.macvlan_ros("launch", "talker", check=True, cwd=folder)
    follower = qtpc.popen(
        *qtpc.macvlan_ros_command("-f", str(folder / "compose.yaml"), "logs", "-f", "talker"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert follower.stdout is not None
    said = [follower.stdout.readline() for _ in range(2)]
    qtpc.docker("restart", "talker")
    said += [follower.stdout.readline() for _ in range(2)]
    assert said == ["talker | one\n", "talker | three\n"] * 2
    follower.send_signal(signal.SIGINT)
    assert follower.wait(10) == 130
    qtpc.docker("rm", "-f", "talker")
    gone = qtpc.macvlan_ros("logs", "-f", "talker", check=True, cwd=folder)
    assert "has no container" in gone.stderr
