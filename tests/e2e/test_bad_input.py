"""Bad input gets one plain sentence, the right exit code, and no change left behind."""

import json
import os
from pathlib import Path

import pytest

from tests.e2e.conftest import WriteStack
from tests.e2e.test_launch import ONE_PC, state
from tests.lab import Host
from tests.privileges import unprivileged


def refused(
    host: Host, *words: str, code: int, parts: tuple[str, ...], cwd: Path | None = None
) -> None:
    """The command ends with `code`, one error line with all `parts`, and nothing has changed."""
    before = state(host)
    done = host.macvlan_ros(*words, cwd=cwd)
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert done.returncode == code, done.stderr
    assert len(errors) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for part in parts:
        assert part in errors[0]
    assert state(host) == before


def test_no_such_parent(qtpc: Host) -> None:
    refused(qtpc, "network", "create", "--parent", "eth9", code=3, parts=("eth9", "eth0"))


def test_a_parent_that_is_down(qtpc: Host) -> None:
    qtpc.link_down()
    refused(
        *(qtpc, "network", "create", "--parent", "eth0"),
        code=2,
        parts=("eth0", "down", "ip link set eth0 up"),
    )


def test_a_range_outside_the_subnet(qtpc: Host) -> None:
    refused(
        *(qtpc, "pool", "add", "lab", "--subnet", "192.168.50.0/24", "--range", "10.0.0.0/28"),
        code=2,
        parts=("10.0.0.0/28", "192.168.50.0/24"),
    )


def test_an_exhausted_pool(qtpc: Host) -> None:
    qtpc.macvlan_ros(
        *("pool", "add", "lab", "--subnet", "192.168.50.0/24"),
        *("--range", "192.168.50.200-192.168.50.201"),
        check=True,
    )
    qtpc.macvlan_ros("allocate", "a", "b", check=True)
    refused(
        *(qtpc, "allocate", "c"),
        code=5,
        parts=("'lab'", "2 of 2", "macvlan-ros release"),
    )


def test_an_address_that_another_owner_holds(qtpc: Host) -> None:
    got = qtpc.macvlan_ros("allocate", "-q", "talker", check=True).stdout.strip()
    refused(qtpc, "allocate", "--address", got, "listener", code=4, parts=(got, "talker"))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("services: [", ("compose.yaml:1", "not valid YAML")),
        ("services: {core: {image: a, imgae: b}}", ("core", "imgae", "image")),
        (
            "services: {core: {image: '${ROBOT:?set the robot}'}}",
            ("core", "ROBOT", "set the robot"),
        ),
        ("services: {core: {image: a, env_file: gone.env}}", ("core", "gone.env")),
    ],
)
def test_a_wrong_stack_file(
    qtpc: Host, write_stack: WriteStack, text: str, parts: tuple[str, ...]
) -> None:
    refused(qtpc, "launch", code=2, parts=parts, cwd=write_stack(text))


def test_no_stack_file_at_all(qtpc: Host, tmp_path: Path) -> None:
    refused(qtpc, "launch", code=2, parts=("compose.yaml", "-f"), cwd=tmp_path)


def test_an_image_that_does_not_exist(qtpc: Host, write_stack: WriteStack) -> None:
    folder = write_stack("services: {core: {image: 'nobody/nothing:here'}}")
    before = state(qtpc)
    done = qtpc.macvlan_ros("launch", cwd=folder)
    assert done.returncode in (3, 6)
    assert "nobody/nothing:here" in done.stderr
    assert state(qtpc) == before


def test_an_image_that_cannot_be_built(qtpc: Host, write_stack: WriteStack) -> None:
    folder = write_stack("services: {core: {build: ., image: 'mine:latest'}}")
    refused(qtpc, "launch", code=3, parts=("services.core.build", "Dockerfile"), cwd=folder)


def test_a_device_that_does_not_exist(qtpc: Host, write_stack: WriteStack) -> None:
    folder = write_stack("services: {core: {image: 'ros:lab', devices: ['/dev/video77']}}")
    refused(qtpc, "launch", code=3, parts=("core", "/dev/video77"), cwd=folder)


def test_a_container_of_somebody_else(qtpc: Host, write_stack: WriteStack) -> None:
    qtpc.docker("run", "-d", "--name", "talker", "ros:lab")
    refused(*(qtpc, "launch"), code=4, parts=("'talker'", "docker rm -f"), cwd=write_stack(ONE_PC))


def test_docker_that_does_not_run(qtpc: Host, write_stack: WriteStack) -> None:
    folder = write_stack(ONE_PC)
    qtpc.stop_engine()
    done = qtpc.macvlan_ros("launch", cwd=folder)
    assert done.returncode == 6
    assert "systemctl start docker" in done.stderr
    assert json.loads(qtpc.macvlan_ros("list", "--json").stdout) == []
    assert json.loads(qtpc.macvlan_ros("pool", "list", "--json").stdout) == []


def test_a_corrupt_store_is_named_with_the_remedy(qtpc: Host, tmp_path: Path) -> None:
    store = tmp_path / "state.db"
    store.write_text("this is not a database" * 100)
    done = qtpc.macvlan_ros("allocate", "talker", "--store", str(store))
    assert done.returncode == 6
    assert str(store) in done.stderr
    assert store.read_text() == "this is not a database" * 100


def test_a_store_without_the_right_to_write_it(qtpc: Host, tmp_path: Path) -> None:
    folder = tmp_path / "somebody-elses"
    folder.mkdir(mode=0o755)
    os.chown(folder, 65534, 65534)
    done = qtpc.run(
        *unprivileged(),
        *qtpc.macvlan_ros_command("allocate", "talker", "--store", str(folder / "state.db")),
        check=False,
    )
    assert done.returncode == 6, done.stderr
    assert str(folder) in done.stderr
    assert "MACVLAN_ROS_STORE" in done.stderr
    assert "Traceback" not in done.stderr
    assert not any(folder.iterdir())
