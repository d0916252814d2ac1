"""--dry-run shows every change and makes none; status says what is amiss, and launch mends it."""

import json
import subprocess
from pathlib import Path

from tests.e2e.conftest import IMAGE, WriteStack
from tests.e2e.test_launch import state
from tests.lab import Host

ENV = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "MACVLAN_ROS_PROBE": "none"}
STACK = """
    services:
      talker: {image: "ros:lab", restart: always}
      listener: {image: "ros:lab", restart: always, depends_on: [talker]}
      third: {image: "ros:lab"}
    """


def ours(host: Host, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return host.macvlan_ros(*words, env=ENV, cwd=folder)


def changes(host: Host, folder: Path, *words: str) -> list[str]:
    done = ours(host, folder, words[0], "--dry-run", "--json", *words[1:])
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)["changes"]
    return found


def amiss(host: Host, folder: Path) -> list[str]:
    done = ours(host, folder, "status", "--json")
    found = [one["text"] for one in json.loads(done.stdout)]
    assert done.returncode == int(bool(found)), done.stderr
    return found


def test_a_rehearsal_changes_nothing_and_foretells_what_comes(
    qtpc: Host, write_stack: WriteStack
) -> None:
    folder = write_stack(STACK)
    before = state(qtpc)
    foretold = changes(qtpc, folder, "launch")
    assert state(qtpc) == before
    done = json.loads(ours(qtpc, folder, "launch", "--json").stdout)
    for one in done:
        assert f"create the container '{one['container']}' with {one['address']}" in foretold
    assert changes(qtpc, folder, "launch") == []
    before = state(qtpc)
    assert "stop the container 'talker'" in " ".join(changes(qtpc, folder, "stop"))
    gone = changes(qtpc, folder, "down", "--release")
    assert "remove the network 'ros_lan'" in gone
    assert "release" in " ".join(gone)
    assert any("run: docker run" in one for one in changes(qtpc, folder, "run", IMAGE))
    assert state(qtpc) == before
    everywhere = ours(qtpc, folder, "launch", "--dry-run", "--all-hosts")
    assert everywhere.returncode == 2


def test_launch_mends_just_what_status_names(qtpc: Host, write_stack: WriteStack) -> None:
    folder = write_stack(STACK)
    first = json.loads(ours(qtpc, folder, "launch", "--json").stdout)
    assert amiss(qtpc, folder) == []
    qtpc.docker("rm", "-f", "talker")
    qtpc.docker("network", "disconnect", "ros_lan", "listener")
    qtpc.run("ip", "link", "delete", "mvr-eth0")
    said = "\n".join(amiss(qtpc, folder))
    for part in ("create the container 'talker'", "create the container 'listener'", "the shim"):
        assert part in said
    assert "third" not in said.replace("lead 'third'", "")
    mended = json.loads(ours(qtpc, folder, "launch", "--json").stdout)
    assert {one["service"]: one["action"] for one in mended} == {
        "talker": "created",
        "listener": "recreated",
        "third": "unchanged",
    }
    addresses = {one["service"]: one["address"] for one in first}
    assert {one["service"]: one["address"] for one in mended} == addresses
    assert amiss(qtpc, folder) == []
    qtpc.docker("exec", "listener", "ping", "-c", "1", "-W", "2", "talker")


def test_a_reservation_is_renamed_and_moved_while_no_container_has_it(
    qtpc: Host, write_stack: WriteStack
) -> None:
    folder = write_stack(STACK)
    ours(qtpc, folder, "launch", "talker")
    refused = ours(qtpc, folder, "rename", "talker", "speaker")
    assert refused.returncode == 4
    assert "the container 'talker' (running) was made with" in refused.stderr
    ours(qtpc, folder, "down")
    before = json.loads(ours(qtpc, folder, "list", "--json").stdout)[0]
    renamed = json.loads(ours(qtpc, folder, "rename", "talker", "speaker", "--json").stdout)[0]
    assert renamed == {**before, "owner": "speaker"}
    moved = json.loads(ours(qtpc, folder, "move", "speaker", "192.168.50.222", "--json").stdout)[0]
    assert moved == {**renamed, "address": "192.168.50.222"}
    for words, code in (
        (("move", "speaker", "192.168.50.9"), 2),
        (("move", "nobody", "192.168.50.200"), 3),
        (("move", "speeker", "192.168.50.200"), 3),
        (("rename", "speaker", "-x"), 2),
    ):
        assert ours(qtpc, folder, *words).returncode == code
