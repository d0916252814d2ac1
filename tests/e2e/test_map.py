"""The map of a real LAN of the lab, in a real browser."""

from __future__ import annotations

import io
import json
import re
import shlex
import subprocess
import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from macvlan_ros.errors import Unavailable
from macvlan_ros.picture import Pc, Scene, live
from tests.docs.pages import typed_by
from tests.e2e.conftest import WriteStack
from tests.lab import Host, Lab, ros_image

STACK = """
    x-macvlan-ros:
      range: 192.168.50.192/27
      master: roscore
      hosts:
        qtpc: {parent: eth0}
        qtrp: {parent: eth0, address: 192.168.50.12}
    services:
      roscore:
        image: ros:lab
        container_name: roscore
        command: roscore
        x-macvlan-ros: {host: qtpc, address: 192.168.50.195}
      talker:
        image: ros:lab
        container_name: talker
        command: rostopic pub -r 5 /chatter std_msgs/String hello
        x-macvlan-ros: {host: qtpc, address: 192.168.50.196}
      listener:
        image: ros:lab
        container_name: listener
        command: rostopic echo /chatter
        x-macvlan-ros: {host: qtpc, address: 192.168.50.197}
"""


@pytest.fixture
def robot(lab: Lab, write_stack: WriteStack) -> tuple[Host, Path]:
    """A PC whose stack talks, and a stranger with an address of the pool."""
    qtpc = lab.hosts["qtpc"]
    ros_image.give(qtpc, "ros:lab")
    folder = write_stack(STACK)
    qtpc.macvlan_ros("launch", "roscore", cwd=folder, check=True)
    ros_image.wait_for_topic(qtpc, "roscore", "/rosout")
    qtpc.macvlan_ros("launch", cwd=folder, check=True)
    lab.add_stranger("192.168.50.210")
    heard = (
        "until rostopic info /chatter | grep -A1 Subscribers | grep -q rostopic; do sleep 0.3; done"
    )
    qtpc.docker("exec", "roscore", "timeout", "30", "bash", "-c", heard)
    return qtpc, folder


#: How the page tells people to write a picture, and to look at it live.
WRITE, SERVE = (
    shlex.split(block, comments=True)[2:] for block in typed_by("docs/how-to/picture.md", __file__)
)


@contextmanager
def served(host: Host, folder: Path) -> Iterator[str]:
    words = host.macvlan_ros_command(*SERVE)
    process = host.popen(*words, cwd=folder, stdout=subprocess.PIPE)
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.terminate()
    process.wait(10)


BROWSER = ("chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")


def browse(host: Host, profile: Path, *words: str) -> bytes:
    """What Chromium says of a page, on the PC of the lab that it is opened on."""
    argv = host.command(*BROWSER, f"--user-data-dir={profile}", *words)
    return subprocess.run(argv, capture_output=True, timeout=60, check=True).stdout


def test_the_picture_shows_the_graph_the_master_and_the_stranger(robot: tuple[Host, Path]) -> None:
    qtpc, folder = robot
    said = qtpc.macvlan_ros(*WRITE, "--json", cwd=folder, check=True)
    (trouble,) = json.loads(said.stdout)["troubles"]
    assert "192.168.50.210" in trouble
    drawn = " ".join(ET.parse(folder / "lan.svg").getroot().itertext())
    for word in ("roscore", "talker", "listener", "ROS master", "/chatter", "192.168.50.210"):
        assert word in drawn, word
    assert "talker to listener: /chatter" in drawn


def test_the_live_page_works_in_a_browser_in_light_and_dark(
    robot: tuple[Host, Path], tmp_path: Path
) -> None:
    qtpc, folder = robot
    with served(qtpc, folder) as url:
        assert url == "http://127.0.0.1:8311/"
        shown = browse(qtpc, tmp_path / "profile", "--dump-dom", url).decode()
        assert "talker to listener: /chatter" in shown
        for light in (True, False):
            picture = tmp_path / f"{light}.png"
            scheme = f"--blink-settings=preferredColorScheme={int(light)}"
            browse(qtpc, tmp_path / "profile", scheme, f"--screenshot={picture}", url)
            corner = Image.open(io.BytesIO(picture.read_bytes())).convert("L").getpixel((3, 3))
            assert (int(str(corner)) > 128) is light


def dom_after_looks(look: Callable[[], Scene], folder: Path) -> str:
    """The live page as it is after some looks, in a browser."""
    with live.open_server("127.0.0.1", 0, look) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        # virtual time: the browser's clock runs as fast as its work is done
        words = (f"--user-data-dir={folder}", "--virtual-time-budget=9000", "--dump-dom", url)
        done = subprocess.run([*BROWSER, *words], capture_output=True, timeout=60, check=True)
        server.shutdown()
    return done.stdout.decode()


def test_the_page_keeps_itself_current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "FRESH", 0.0)
    looks = (
        Scene("192.168.50.0/24", f"look {number}", pcs=(Pc("qtrp"),) if number > 3 else ())
        for number in range(1000)
    )
    shown = dom_after_looks(lambda: next(looks), tmp_path)
    assert "as seen at look 4" in shown
    assert ">qtrp<" in shown


def test_what_keeps_the_page_from_being_current_is_said_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "FRESH", 0.0)
    looks = iter((Scene("192.168.50.0/24", "look 0"),))

    def look() -> Scene:
        for scene in looks:
            return scene
        raise Unavailable("etcd does not answer; start it")

    shown = dom_after_looks(look, tmp_path)
    assert re.search(r'<p id="trouble"[^>]*>etcd does not answer; start it\s*</p>', shown), shown
    assert 'class="stale"' in shown
    assert "as seen at look 0" in shown


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "map -o lan.svg, or map --serve"),
        (("-o", "lan.png"), 2, "written as .svg or .html"),
        (("--serve", "eth0"), 2, "write ADDRESS:PORT"),
        (("-o", "/no/such/lan.svg"), 2, "No such file or directory"),
        (("-o", "lan.svg", "--pool", "lba"), 3, "lba"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_a_sentence(
    lab: Lab, words: tuple[str, ...], code: int, said: str
) -> None:
    done = lab.hosts["qtpc"].macvlan_ros("map", "--no-probe", *words)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr


def test_a_master_that_is_down_is_a_note_in_the_picture(lab: Lab, tmp_path: Path) -> None:
    qtpc = lab.hosts["qtpc"]
    path = tmp_path / "lan.html"
    uri = "http://192.168.50.12:11311"
    done = qtpc.macvlan_ros("map", "-o", str(path), "--no-probe", "--master", uri, check=True)
    assert f"the ROS master {uri} was not read: nothing listens there" in done.stderr
    # in as many lines as it takes
    assert "nothing listens there" in re.sub(r"(<[^>]*>|\s)+", " ", path.read_text())
