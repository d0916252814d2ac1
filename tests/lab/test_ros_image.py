"""Real ROS in the lab: made of Debian's packages, in the blink of an eye in every engine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from . import Host, Lab, LabError, debian, ros_image

MASTER = "192.168.50.101"


def start_node(host: Host, name: str, address: str, *command: str) -> None:
    """A container on the LAN with the variables that ROS 1 needs there."""
    lan = ["-d", "macvlan", "-o", "parent=eth0", "--subnet", "192.168.50.0/24", "lan"]
    host.docker("network", "create", *lan)
    ros_image.give(host)
    variables = ["-e", f"ROS_MASTER_URI=http://{MASTER}:11311", "-e", f"ROS_IP={address}"]
    place = ["--network", "lan", "--ip", address, "--name", name]
    host.docker("run", "-d", *place, *variables, ros_image.NAME, *command)


def test_a_message_passes_from_one_engine_to_the_other(lab: Lab) -> None:
    qtpc, qtrp = lab.hosts["qtpc"], lab.hosts["qtrp"]
    start_node(qtpc, "master", MASTER, "roscore")
    start_node(qtrp, "node", "192.168.50.102")
    ros_image.wait_for_topic(qtrp, "node", "/rosout")
    hears = qtrp.popen("/usr/bin/docker", "exec", "node", *ros_image.ECHO, stdout=-1)
    qtpc.docker("exec", "master", "rostopic", "pub", "-1", "/test", "std_msgs/String", "Hello")
    assert hears.communicate(timeout=20)[0] == 'data: "Hello"\n---\n'


def test_an_image_of_a_folder_outlives_a_power_loss(make_lab: Callable[..., Lab]) -> None:
    host = make_lab(hosts=("qtpc",)).hosts["qtpc"]
    ros_image.give(host)
    host.cut_power()
    host.start_engine()
    assert host.docker("run", "--rm", ros_image.NAME, "rosversion", "rospy").startswith("1.")


def test_what_a_container_writes_never_reaches_the_folder(lab: Lab) -> None:
    host = lab.hosts["qtpc"]
    ros_image.give(host)
    host.docker("run", "--rm", ros_image.NAME, "sh", "-c", "echo no >/etc/passwd; rm -r /usr/share")
    assert (ros_image.tree() / "etc/passwd").read_text() == ros_image.PASSWD
    assert (ros_image.tree() / "usr/share/rospy").exists()


def test_a_folder_is_made_once_and_again_when_its_recipe_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debian, "KEPT", tmp_path)
    first = debian.tree("bookworm", ["hostname"], without=["libc6"], files={"etc/a": "one"})
    made = first.stat().st_ctime_ns
    assert (first / "bin/hostname").exists()
    assert not (first / "usr/share/doc/libc6").exists()
    again = debian.tree("bookworm", ["hostname"], without=["libc6"], files={"etc/a": "one"})
    assert (again, again.stat().st_ctime_ns) == (first, made)
    other = debian.tree("bookworm", ["hostname"], without=["libc6"], files={"etc/a": "two"})
    assert (other / "etc/a").read_text() == "two"
    assert first.exists()
    # a day later nobody has wanted the first one any more
    os.utime(first.with_suffix(".lock"), (0, time.time() - debian.UNUSED - 60))
    third = debian.tree("bookworm", ["hostname"], without=["libc6"], files={"etc/a": "three"})
    assert {path.name for path in tmp_path.iterdir()} == {
        *(other.name, f"{other.name}.lock"),
        *(third.name, f"{third.name}.lock"),
    }


def test_a_package_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debian, "KEPT", tmp_path)
    said = r"^the packages no-such-package of Debian bookworm cannot be fetched: .*no-such-package$"
    with pytest.raises(LabError, match=said):
        debian.tree("bookworm", ["no-such-package"])
    assert not list(tmp_path.glob("*.work"))
