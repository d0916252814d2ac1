"""--dry-run shows every change and makes none; status says what is amiss, and launch mends it."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path

from tests.e2e.conftest import IMAGE, WriteStack
from tests.e2e.test_launch import state
from tests.lab import Host
from tests.unit.test_commands import every_command, options

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


def test_a_paused_container_goes_on(qtpc: Host, write_stack: WriteStack) -> None:
    folder = write_stack("services: {talker: {image: 'ros:lab'}}")
    ours(qtpc, folder, "launch")
    before = state(qtpc)
    qtpc.docker("pause", "talker")
    assert amiss(qtpc, folder) == ["unpause the container 'talker'"]
    (done,) = json.loads(ours(qtpc, folder, "launch", "--json").stdout)
    assert done["action"] == "started"
    assert amiss(qtpc, folder) == []
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


#: Each command that takes --dry-run, as it is typed on the PC of `busy`, and what it foretells.
FORETOLD = {
    "allocate": ("allocate new --pool ros_lan", "reserve 192.168.50.* for 'new'"),
    "build": ("build built", "build the image robot-built"),
    "compose": ("compose up -d talker", "run: docker* up --no-recreate -d talker"),
    "down": ("down --release", "remove the container 'talker'"),
    "gc": ("gc", ""),
    "hosts rm": ("hosts rm gone", "forget the record 'gone' (host)"),
    "init": ("init --yes --file new.yaml", "write new.yaml"),
    "launch": ("launch -f changed.yaml talker", "create the container 'talker'*"),
    "move": (
        "move --pool ros_lan spare 192.168.50.222",
        "make 'spare' with * into 'spare' with 192.168.50.222",
    ),
    "names": ("names", "write *afar* into *"),
    "network create": (
        "network create more --pool unused --parent side1",
        "create the network 'more' over side1",
    ),
    "network rm": ("network rm second", "remove the network 'second'"),
    "plugin install": ("plugin install --units none", "write none/macvlan-ros.socket"),
    "plugin uninstall": ("plugin uninstall --units units", "remove units/macvlan-ros.socket"),
    "pool add": ("pool add third --subnet 10.1.0.0/24", "add the pool 'third' (10.1.0.0/24)"),
    "pool rm": ("pool rm unused", "remove the pool 'unused'"),
    "pull": ("pull talker", "pull the image ros:lab"),
    "release": ("release --pool ros_lan spare", "release 192.168.50.*, which 'spare' holds"),
    "rename": ("rename --pool ros_lan spare other", "make 'spare' with * into 'other' with *"),
    "restart": ("restart talker", "stop the container 'talker'"),
    "run": ("run --name new ros:lab", "run: docker run --name new *ros:lab"),
    "shim down": ("shim down", "remove the shim over eth0"),
    "shim up": ("shim up --announce ros_lan", "announce 'talker' on the LAN"),
    "stop": ("stop", "stop the container 'talker'"),
    "store copy": ("store copy side.db new.db", "reserve 192.168.50.* for 'aside'"),
    "store restore": ("store restore --force saved.json", "reserve 192.168.50.* for 'aside'"),
}


def busy(host: Host, folder: Path) -> None:
    """A PC on which every command has something to do."""
    text = (folder / "compose.yaml").read_text()
    (folder / "changed.yaml").write_text(text.replace("talker: {", "talker: {init: true, "))
    more = text + "  built: {build: ./built, profiles: [more]}\n"
    (folder / "compose.yaml").write_text(more)
    (folder / "built").mkdir()
    for words in (
        "add side0 type veth peer name side1",
        "set side0 up",
        "set side1 up",
    ):
        host.run("ip", "link", *words.split())
    for number in (0, 1):
        host.run("ip", "address", "add", f"10.7{7 + number}.0.1/24", "dev", f"side{number}")
    (folder / "built" / "Dockerfile").write_text("FROM ros:lab\n")
    for line in (
        "launch",
        "allocate spare --pool ros_lan",
        "pool add side --subnet 10.77.0.0/24",
        "pool add unused --subnet 10.78.0.0/24",
        "network create second --pool side --parent side0",
        "plugin install --no-start --units units -q",
        "allocate aside --store side.db",
        "store backup saved.json --store side.db",
    ):
        done = ours(host, folder, *line.split())
        assert done.returncode == 0, (line, done.stderr)
    gone = {**ENV, "MACVLAN_ROS_HOST": "gone"}
    (folder / "gone.yaml").write_text("services: {afar: {image: 'ros:lab'}}\n")
    host.macvlan_ros("launch", "-f", "gone.yaml", "-p", "gone", env=gone, cwd=folder, check=True)
    host.docker("rm", "-f", "afar")


def everything(host: Host, folder: Path) -> list[list[str]]:
    """What a rehearsal must leave as it was; the order in which Docker lists things is chance."""
    look = "ip -o link; ip route; cat /var/lib/docker/containers/*/hosts; ls /run/docker/plugins"
    files = f"find {folder} /etc -type f -exec md5sum {{}} +"
    seen = [host.run("sh", "-c", text, check=False).stdout for text in (look, files)]
    for words in ("ps -aq --no-trunc", "network ls -q --no-trunc", "volume ls -q", "image ls -q"):
        seen.append(host.docker(*words.split()))
    seen.append(host.macvlan_ros("hosts", "-q").stdout)
    return [sorted(text.splitlines()) for text in (*state(host), *seen)]


def test_every_rehearsal_tells_of_its_changes_and_makes_none(
    qtpc: Host, write_stack: WriteStack
) -> None:
    rehearsing = {name for name, command in every_command() if "--dry-run" in options(command)}
    assert rehearsing == set(FORETOLD)
    folder = write_stack(STACK)
    busy(qtpc, folder)
    before = everything(qtpc, folder)

    def type_it(name: str) -> str:
        line, wanted = FORETOLD[name]
        # docker run's own words come last, and so do Compose's
        words = [*name.split(), "--dry-run", *line.split()[len(name.split()) :]]
        done = ours(qtpc, folder, *words)
        if done.returncode != 0:
            return f"{line}: ended with {done.returncode}: {done.stderr}"
        told = [one.removeprefix("would ") for one in done.stdout.splitlines()]
        if wanted and not any(fnmatchcase(one, wanted) for one in told):
            return f"{line}: {wanted!r} is not among {told}"
        return ""

    with ThreadPoolExecutor(3) as at_once:
        wrong = [one for one in at_once.map(type_it, FORETOLD) if one]
    assert not wrong, "\n".join(wrong)
    assert everything(qtpc, folder) == before


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
