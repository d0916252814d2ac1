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
    at = 2 if words[0] in ("shim", "store") else 1
    done = ours(host, folder, *words[:at], "--dry-run", "--json", *words[at:])
    assert done.returncode == 0, done.stderr
    assert "made the pool" not in done.stderr
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
    assert "add the pool 'ros_lan' (192.168.50.0/24)" in foretold
    assert "make the shim over eth0" in foretold
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


def test_the_shim_is_foretold(qtpc: Host, write_stack: WriteStack) -> None:
    folder = write_stack(STACK)
    ours(qtpc, folder, "launch")
    qtpc.run("ip", "link", "delete", "mvr-eth0")
    before = state(qtpc)
    up = changes(qtpc, folder, "shim", "up")
    assert {"make the shim over eth0", "lead 'talker' to this PC"} <= set(up)
    assert changes(qtpc, folder, "shim", "down") == []
    assert state(qtpc) == before
    ours(qtpc, folder, "shim", "up")
    assert changes(qtpc, folder, "shim", "up") == []
    assert changes(qtpc, folder, "shim", "down") == ["remove the shim over eth0"]
    gone = changes(qtpc, folder, "down", "--release")
    assert gone.index("remove the network 'ros_lan'") < gone.index("remove the shim over eth0")
    assert qtpc.run("ip", "link", "show", "mvr-eth0").returncode == 0


def test_compose_and_stores_are_foretold(
    qtpc: Host, write_stack: WriteStack, tmp_path: Path
) -> None:
    folder = write_stack(STACK)
    before = state(qtpc)
    foretold = changes(qtpc, folder, "compose", "up", "-d")
    assert "create the network 'ros_lan' over eth0" in foretold
    assert foretold[-1].startswith("run: docker")
    assert foretold[-1].endswith(" up -d")
    assert changes(qtpc, folder, "compose", "ps")[-1].endswith(" ps")
    assert state(qtpc) == before

    other, saved = str(tmp_path / "other.db"), str(tmp_path / "saved.json")
    ours(qtpc, folder, "allocate", "talker", "--store", other)
    ours(qtpc, folder, "store", "backup", saved, "--store", other)
    copied = changes(qtpc, folder, "store", "copy", other, str(tmp_path / "new.db"))
    assert any(one.endswith("for 'talker'") for one in copied)
    assert changes(qtpc, folder, "store", "restore", saved) == copied
    assert not (tmp_path / "new.db").exists()
    assert state(qtpc) == before


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
