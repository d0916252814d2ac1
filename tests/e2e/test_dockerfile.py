"""The image of the Dockerfile: it is built, runs the command line, and serves Docker."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.e2e.plugin_host import IMAGE, PluginHost, left_over, within
from tests.lab import Host, Lab, LabError, python_image
from tests.lab.host import ROOT

OURS = "macvlan-ros"
#: As at the Dockerfile's beginning.
SERVICE = (
    *("run", "-d", "--name", OURS, "--restart", "always", "--network", "host"),
    *("--cap-drop", "ALL", "--cap-add", "NET_ADMIN", "--cap-add", "NET_RAW"),
    *("-v", "/run/docker:/run/docker", "-v", "/var/lib/macvlan-ros:/var/lib/macvlan-ros", OURS),
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A PC whose engine has the image."""
    folder = tmp_path_factory.mktemp("base")
    with Lab(hosts=("qtpc",)) as lab:
        host = lab.hosts["qtpc"]
        try:
            python_image.give(host, folder)
        except LabError as error:
            pytest.fail(str(error), pytrace=False)
        base = f"BASE={python_image.NAME}"
        said = host.docker("build", "--build-arg", base, "-t", OURS, str(ROOT), timeout=150)
        # a working tree has a gigabyte beside what the image is made of
        assert re.search(r"Sending build context to Docker daemon +[1-4]\.\d+MB", said), said
        host.import_image(IMAGE)
        yield host


def test_the_image_runs_the_command_line(built: Host) -> None:
    run = ("run", "--rm", "--network", "host", "--entrypoint", OURS, OURS)
    assert "macvlan-ros, version" in built.docker(*run, "--version")
    assert "serve" in built.docker(*run, "plugin", "--help")
    assert "eth0" in built.docker(*run, "interfaces")


def test_the_image_has_what_the_metrics_need(built: Host) -> None:
    run = ("run", "--rm", "--entrypoint", "python3", OURS, "-c")
    assert built.docker(*run, "import prometheus_client; print('here')") == "here"


def test_the_container_serves_docker_with_two_capabilities(built: Host) -> None:
    pc = PluginHost(built)
    pc.docker(*SERVICE)
    assert within(20, pc.answers), pc.docker("logs", OURS)
    pc.network()
    one, two = pc.run("one"), pc.run("two", "--ip", "192.168.50.70")
    assert pc.reaches("one", two.address)
    held = {one.address.partition("/")[0], "192.168.50.70"}
    assert set(pc.reservations()) == held
    # who runs is seen from inside the service's container too
    gc = ("exec", OURS, OURS, "gc", "--settled", "0")
    pc.docker(*gc)
    assert set(pc.reservations()) == held
    pc.docker("restart", "-t", "1", "two")
    assert pc.interface("two").address == two.address
    pc.docker("restart", OURS)
    assert within(20, pc.answers)
    assert pc.reaches("two", one.address)
    pc.docker("rm", "-f", "one", "two")
    pc.docker("network", "rm", "lan")
    assert left_over(pc) == []
    pc.docker("stop", OURS)
    assert pc.docker("inspect", "-f", "{{.State.ExitCode}}", OURS) == "0"
    assert not pc.host.path("/run/docker/plugins/macvlan-ros.sock").exists()
    pc.docker("rm", OURS)
