"""Volumes and mounts of a stack's services."""

from __future__ import annotations

from pathlib import Path

import pytest

from macvlan_ros.models.containers import Mount, Volume
from tests.unit.stack_text import load_service, load_text


@pytest.mark.parametrize(
    ("volume", "wanted"),
    [
        ("/a:/b", Mount("bind", "/a", "/b", create_source=True)),
        ("/a/:/b/", Mount("bind", "/a", "/b", create_source=True)),
        ("/a:/b:ro", Mount("bind", "/a", "/b", read_only=True, create_source=True)),
        ("/a:/b:rw", Mount("bind", "/a", "/b", create_source=True)),
        ("/a:/b:ro,z", Mount("bind", "/a", "/b", True, create_source=True, mode="z")),
        ("/a:/b:rslave,cached",
         Mount("bind", "/a", "/b", create_source=True, mode="rslave,cached")),
        ("./a:/b", Mount("bind", "FOLDER/a", "/b", create_source=True)),
        (".:/b", Mount("bind", "FOLDER", "/b", create_source=True)),
        ("../a:/b", Mount("bind", "PARENT/a", "/b", create_source=True)),
        ("~/a:/b", Mount("bind", "/home/qt/a", "/b", create_source=True)),
        ("~:/b", Mount("bind", "/home/qt", "/b", create_source=True)),
        ("$HOME/.ssh/:/root/.ssh:ro", Mount("bind", "/home/qt/.ssh", "/root/.ssh", True, True)),
        ("/b", Mount("volume", "", "/b")),
        ("logs:/b", Mount("volume", "project_logs", "/b")),
        ("logs:/b:ro,nocopy", Mount("volume", "project_logs", "/b", True, mode="nocopy")),
        ("named:/b", Mount("volume", "called", "/b")),
        ("outside:/b", Mount("volume", "outside", "/b")),
        ("old:/b", Mount("volume", "older", "/b")),
        ("{type: bind, source: ./a, target: /b}",
         Mount("bind", "FOLDER/a", "/b", create_source=True)),
        ("{type: bind, source: /a, target: /b, read_only: true, bind: {create_host_path: false,"
         " propagation: rslave, selinux: z}}", Mount("bind", "/a", "/b", True, mode="rslave,z")),
        ("{type: volume, source: logs, target: /b, volume: {nocopy: true}}",
         Mount("volume", "project_logs", "/b", mode="nocopy")),
        ("{type: volume, target: /b}", Mount("volume", "", "/b")),
        ("{type: tmpfs, target: /b, tmpfs: {size: 64m, mode: 0o1777}}",
         Mount("tmpfs", "", "/b", mode="1777", size=64 << 20)),
        ("{type: tmpfs, target: /b, tmpfs: {mode: 01777}}", Mount("tmpfs", "", "/b", mode="1777")),
    ],
)  # fmt: skip
def test_a_volume_becomes(tmp_path: Path, volume: str, wanted: Mount) -> None:
    declared = """
        name: project
        volumes:
          logs:
          named: {name: called}
          outside: {external: true}
          old: {external: {name: older}}
        """
    keys = f"volumes:\n  - {volume}"
    service = load_service(tmp_path, keys, environ={"HOME": "/home/qt"}, more=declared)
    source = wanted.source.replace("FOLDER", str(tmp_path)).replace("PARENT", str(tmp_path.parent))
    (mount,) = service.mounts
    assert mount == Mount(
        wanted.kind,
        source,
        wanted.target,
        wanted.read_only,
        wanted.create_source,
        wanted.mode,
        wanted.size,
    )


def test_a_mode_that_nobody_knows_is_passed_over(tmp_path: Path) -> None:
    mounts = load_service(tmp_path, "volumes: ['/a:/b:rwx', '/a:/c:ro,rws,z']").mounts
    assert [(one.read_only, one.mode) for one in mounts] == [(False, ""), (True, "z")]


def test_of_two_volumes_on_one_target_the_later_stands(tmp_path: Path) -> None:
    service = load_service(tmp_path, "volumes: ['/a:/x', '/b:/y', '/c:/x/']")
    assert [(mount.source, mount.target) for mount in service.mounts] == [
        ("/c", "/x"),
        ("/b", "/y"),
    ]


def test_only_the_volumes_that_are_used_are_listed(tmp_path: Path) -> None:
    stack = load_text(
        tmp_path,
        """
        name: p
        services: {talker: {image: ros, volumes: ['a:/a', 'c:/c', '/anonymous']}}
        volumes: {a: , b: , c: {external: true, name: sea}}
        """,
    )
    assert stack.volumes == {"p_a": Volume("p_a"), "sea": Volume("sea", external=True)}


def test_a_volume_has_its_driver_and_what_that_is_told(tmp_path: Path) -> None:
    stack = load_text(
        tmp_path,
        """
        name: p
        services: {talker: {image: ros, volumes: ['a:/a', 'b:/b', 'c:/c']}}
        volumes:
          a: {driver: local, driver_opts: {type: none, o: "bind,ro", device: ./bags}, labels: [x=y]}
          b: {driver_opts: {type: nfs, o: "addr=10.0.0.9,rw", device: ":/maps"}}
          c: {driver: vieux/sshfs, driver_opts: {port: 22}}
        """,
    )
    bags = {"type": "none", "o": "bind,ro", "device": str(tmp_path / "bags")}
    assert stack.volumes == {
        "p_a": Volume("p_a", options=bags, labels={"x": "y"}),
        "p_b": Volume("p_b", options={"type": "nfs", "o": "addr=10.0.0.9,rw", "device": ":/maps"}),
        "p_c": Volume("p_c", driver="vieux/sshfs", options={"port": "22"}),
    }
