"""Two PCs with an image that stands in for ROS, and stacks written into their folders."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from macvlan_ros.engine import Engine
from tests.conftest import started
from tests.e2e.engines import IMAGE as ENGINE_IMAGE
from tests.e2e.engines import NETWORK
from tests.lab import Host, Lab, LabError
from tests.lab.debian import NEWER, engine_tree

IMAGE = "ros:lab"
#: An image whose own environment has what silences ROS nodes.
STUBBORN = "ros:stubborn"

WriteStack = Callable[..., Path]


@pytest.fixture
def qtpc(lab: Lab) -> Host:
    return _ready(lab.hosts["qtpc"])


@pytest.fixture
def qtrp(lab: Lab) -> Host:
    return _ready(lab.hosts["qtrp"])


def _ready(host: Host) -> Host:
    host.import_image(IMAGE)
    host.import_image(STUBBORN, env={"ROS_HOSTNAME": "baked-in", "ROS_DISTRO": "noetic"})
    return host


@pytest.fixture
def host(lab: Lab) -> Host:
    """One PC, for tests of its engine alone."""
    return lab.hosts["qtpc"]


@pytest.fixture
def engine(host: Host) -> Iterator[Engine]:
    """The host's engine, with the network and an image that sets ROS_HOSTNAME."""
    host.import_image(ENGINE_IMAGE, env={"ROS_HOSTNAME": "build-host", "ROS_DISTRO": "noetic"})
    with Engine(host.docker_url) as opened:
        opened.ensure_network(NETWORK)
        yield opened


@pytest.fixture(scope="module")
def engines() -> Iterator[Lab]:
    """One LAN with an engine of each kind: qtpc has this machine's, the others are newer."""
    try:
        trees = {suite: engine_tree(suite) for suite in NEWER}
    except LabError as error:
        pytest.fail(str(error), pytrace=False)
    with started(hosts=("qtpc", *NEWER), trees=trees, subnet6="fd00:50::/64") as lab:
        yield lab


@pytest.fixture
def lan(engines: Lab) -> Iterator[Lab]:
    """The engines of all kinds with nothing on them but images."""
    yield engines
    engines.reset()


@pytest.fixture
def write_stack(tmp_path: Path) -> WriteStack:
    """Writes a stack file (and files beside it) into a folder that is also the host's."""

    def write(text: str, *, name: str = "compose.yaml", **beside: str) -> Path:
        folder = tmp_path / "robot"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(textwrap.dedent(text))
        for other, content in beside.items():
            (folder / other.replace("__", ".")).write_text(textwrap.dedent(content))
        return folder

    return write
