"""The demo: macvlan-ros does its main job on two PCs, and shows that it is done.

Every command that is shown is run as it stands, and what is printed below it is what it said.
The demo looks at the answers too: it ends with code 1 and a sentence when one is not right.
"""

from __future__ import annotations

import os
import re
import sys
import time

from . import ros_image
from .errors import LabError
from .lan import Lab
from .robot import LOGIN, furnish
from .terminal import Screen, Terminal

CORE, HARDWARE = "192.168.50.195", "192.168.50.196"
PORT = 45678


def main() -> int:
    screen = Screen()
    try:
        fetch_ros(screen)
        began = time.monotonic()
        with Lab() as lab:
            show(lab, screen, time.monotonic() - began)
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # nobody reads on: `make demo | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    screen.say(f"Everything is removed again. The demo took {time.monotonic() - began:.0f} s.")
    return 0


def fetch_ros(screen: Screen) -> None:
    """The first time ROS must be fetched; what takes seconds says so."""
    if not ros_image.is_there():
        screen.say("Fetching ROS 1 from Debian's packages, this once (ten seconds) …")
        ros_image.tree()


def show(lab: Lab, screen: Screen, seconds: float) -> None:
    screen.say(
        f"""Two PCs, qtpc and qtrp, on one LAN, {lab.subnet}, each with a Docker Engine of its own.
        They are network namespaces of this machine ({seconds:.1f} s to set up); nothing leaves it.
        HARMONI's images cannot be pulled in here: Debian's ROS 1 stands in for them, under their
        names. So do device nodes with nothing behind them for the camera and the sound card."""
    )
    for host in lab.hosts.values():
        furnish(host, ros=True)
    qtpc, qtrp = (Terminal(h, screen=screen, env=LOGIN) for h in lab.hosts.values())
    reserve(qtpc, screen)
    launch(qtpc, qtrp, screen)
    talk(qtpc, qtrp, screen)
    verify(qtpc, qtrp, screen)
    remove(qtpc, qtrp, screen)


def reserve(qtpc: Terminal, screen: Screen) -> None:
    screen.say("Which interface can the containers hang off, and which addresses may they have?")
    qtpc.type("macvlan-ros interfaces")
    chosen = [link["name"] for link in qtpc.ask("macvlan-ros interfaces") if link["chosen"]]
    check(chosen == ["eth0"], "eth0 is chosen as the parent")
    qtpc.type(
        "macvlan-ros pool add ros_lan --subnet 192.168.50.0/24 --range 192.168.50.192/27"
        " --gateway 192.168.50.1"
    )
    qtpc.type("macvlan-ros allocate rviz")
    (held,) = qtpc.ask("macvlan-ros list")
    again = qtpc.type('IP=$(macvlan-ros allocate -q rviz); echo "still $IP"')
    check(again == f"still {held['address']}\n", "the same name gets the same address")


def launch(qtpc: Terminal, qtrp: Terminal, screen: Screen) -> None:
    screen.say("One stack file for both PCs; each of them launches what belongs to it.")
    for pc in (qtpc, qtrp):
        pc.folder = "harmoni"
    qtpc.type("grep -A 8 ^x-macvlan-ros compose.yaml")
    qtpc.type("grep -E '^  harmoni|image:|x-macvlan-ros: ' compose.yaml")
    for pc, name, address in ((qtpc, "harmoni_core", CORE), (qtrp, "harmoni_hardware", HARDWARE)):
        pc.type("macvlan-ros launch")
        pc.type("macvlan-ros ps")
        shown = {one["service"]: one for one in pc.ask("macvlan-ros ps")}[name]
        check((shown["state"], shown["address"]) == ("running", address), f"{name} runs")


def talk(qtpc: Terminal, qtrp: Terminal, screen: Screen) -> None:
    screen.say("Each container has an address of its own on the LAN, and its ROS variables.")
    for pc, name, address in ((qtpc, "harmoni_core", CORE), (qtrp, "harmoni_hardware", HARDWARE)):
        shown = pc.type(f"docker exec {name} ip -4 addr show eth0")
        expect(shown, rf"inet {address}/24", f"{name} with {address}")
        shown = pc.type(f"docker exec {name} env | grep ROS_ | sort")
        expect(shown, f"ROS_IP={address}$", "ROS_IP")
        expect(shown, f"ROS_MASTER_URI=http://{HARDWARE}:11311$", "ROS_MASTER_URI")
    expect(qtpc.type("docker exec harmoni_core ls -l /dev/video0"), "81, ", "the camera's node")

    screen.say("They reach each other across the two engines, by name and by address …")
    qtpc.type("docker exec harmoni_core ping -c 1 -W 2 harmoni_hardware")
    qtrp.type("docker exec harmoni_hardware ping -c 1 -W 2 harmoni_core")
    qtpc.type(f"docker exec harmoni_core ping -c 1 -W 2 {HARDWARE}")
    qtrp.type(f"docker exec harmoni_hardware ping -c 1 -W 2 {CORE}")

    screen.say("… and on any port; none was published. Another PC reaches them, too.")
    listen = f"nc -l -p {PORT} -e echo 'hello from harmoni_hardware'"
    for pc, ask in (
        (qtpc, f"docker exec harmoni_core nc harmoni_hardware {PORT}"),
        (qtpc, f"busybox nc {HARDWARE} {PORT}"),
    ):
        qtrp.type(f"docker exec -d harmoni_hardware {listen}")
        wait_for_listener(qtrp)
        expect(pc.type(ask), "^hello from harmoni_hardware$", "an answer over TCP")


def verify(qtpc: Terminal, qtrp: Terminal, screen: Screen) -> None:
    screen.say(
        """And ROS? HARMONI's guide verifies it by hand: a master in one container, a message from
        another one. It arrives in the containers of both engines."""
    )
    qtrp.type("docker exec -d harmoni_hardware roscore")
    ros_image.wait_for_topic(qtpc.host, "harmoni_core", "/rosout")
    topics = qtrp.type("docker exec harmoni_hardware rostopic list")
    expect(topics, "^/rosout$", "the master's topics")
    qtpc.type("docker exec -d harmoni_core rostopic pub /test std_msgs/String Hello")
    ros_image.wait_for_topic(qtrp.host, "harmoni_hardware", "/test")
    for pc, name in ((qtrp, "harmoni_hardware"), (qtpc, "harmoni_core")):
        heard = pc.type(f"docker exec {name} rostopic echo -n 1 /test")
        expect(heard, '^data: "Hello"$', "the message")


def remove(qtpc: Terminal, qtrp: Terminal, screen: Screen) -> None:
    screen.say("Launching again changes nothing; down removes the containers, not the addresses.")
    before = qtpc.host.docker("inspect", "-f", "{{.Id}}", "harmoni_core")
    qtpc.type("macvlan-ros launch")
    after = qtpc.host.docker("inspect", "-f", "{{.Id}}", "harmoni_core")
    check(after == before, "the container is left alone when nothing changed")
    for pc in (qtpc, qtrp):
        pc.type("macvlan-ros down")
    qtpc.type("macvlan-ros list")
    kept = {one["owner"]: one["address"] for one in qtpc.ask("macvlan-ros list")}
    check(kept.get("harmoni_core") == CORE, "harmoni_core keeps its address")
    expect(qtpc.type("docker ps -aq | wc -l"), "^0$", "no container left")


def wait_for_listener(pc: Terminal, *, patience: float = 5.0) -> None:
    """Returns when something listens on PORT in harmoni_hardware; unseen, for it is only tact."""
    deadline = time.monotonic() + patience
    while f":{PORT} " not in pc.host.docker("exec", "harmoni_hardware", "netstat", "-ltn"):
        if time.monotonic() > deadline:
            raise LabError(f"nothing listens on port {PORT} of harmoni_hardware")
        time.sleep(0.05)


def check(right: bool, meaning: str) -> None:
    """Raises LabError unless what should be is so."""
    if not right:
        raise LabError(f"it should be that {meaning}, and is not")


def expect(text: str, pattern: str, meaning: str) -> None:
    """Raises LabError unless what a command said shows what is meant."""
    if re.search(pattern, text, re.MULTILINE) is None:
        raise LabError(f"the command above should have shown {meaning}, and did not")


if __name__ == "__main__":
    sys.exit(main())
