"""What a container's variables and files name to its ROS 2, read from outside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from netaddr import IPAddress

from macvlan_ros.ros import dds
from macvlan_ros.verify import container_files, culprits, told
from macvlan_ros.verify.place import Place
from macvlan_ros.verify.told import Told

OWN, OTHER, THIRD = (IPAddress(f"192.168.50.{number}") for number in (195, 196, 19))
#: This process stands for the container's, and its files for the container's.
TALKER = Place(name="talker", address=OWN, names=("talker",), pid=os.getpid())
LISTENER = Place(name="listener", address=OTHER, names=("listener", "ear"))
STRANGER = Place(name="stranger", address=THIRD, names=("stranger",))


def told_by(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Told:
    monkeypatch.setattr(culprits, "environment", lambda _pid: variables)
    return told.of(TALKER)


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """A profile as launch writes it."""
    file = tmp_path / "fastdds.xml"
    file.write_text(dds.fast(OWN, peers=[OWN, OTHER]))
    return file


@pytest.mark.parametrize(
    "variable", ["FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"]
)
def test_a_profile_of_fast_dds_names_the_peers(
    monkeypatch: pytest.MonkeyPatch, profile: Path, variable: str
) -> None:
    found = told_by(monkeypatch, RMW_IMPLEMENTATION="rmw_fastrtps_cpp", **{variable: str(profile)})
    assert (found.names(LISTENER, 4), found.names(STRANGER, 4)) == (True, False)
    assert found.broken == ()
    # its own address is in it for other processes of the same container, and as interface
    named_by_comment = profile.read_text().replace(f"<address>{OTHER}</address>", f"<!--{OTHER}-->")
    profile.write_text(named_by_comment)
    assert not told_by(monkeypatch, **{variable: str(profile)}).names(LISTENER, 4)


def test_cyclone_has_it_in_its_variable_or_in_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = dds.cyclone(OWN, peers=[OWN, OTHER])
    assert told_by(monkeypatch, CYCLONEDDS_URI=config).names(LISTENER, 4)
    (tmp_path / "a.xml").write_text("<CycloneDDS/>")
    (tmp_path / "b.xml").write_text(config)
    files = f"file://{tmp_path}/a.xml,{tmp_path}/b.xml"
    assert told_by(monkeypatch, CYCLONEDDS_URI=files).names(LISTENER, 4)
    for middleware, read in (("rmw_cyclonedds_cpp", True), ("rmw_fastrtps_cpp", False)):
        found = told_by(monkeypatch, CYCLONEDDS_URI=files, RMW_IMPLEMENTATION=middleware)
        assert found.names(LISTENER, 4) == read


def test_peers_may_be_named_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    found = told_by(monkeypatch, CYCLONEDDS_URI='<CycloneDDS><Peer address="ear"/></CycloneDDS>')
    assert (found.names(LISTENER, 4), found.names(STRANGER, 4)) == (True, False)


def test_a_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = told_by(monkeypatch, FASTRTPS_DEFAULT_PROFILES_FILE=f"{tmp_path}/none.xml")
    assert found.broken == (f"its FASTRTPS_DEFAULT_PROFILES_FILE {tmp_path}/none.xml is not there",)
    # what is not said to be anywhere in particular may be anywhere
    assert told_by(monkeypatch, FASTRTPS_DEFAULT_PROFILES_FILE="fast.xml").broken == ()


@pytest.mark.parametrize("distro", ["humble", "foxy"])
def test_an_interface_that_is_not_the_containers_is_named(
    monkeypatch: pytest.MonkeyPatch, profile: Path, distro: str
) -> None:
    profile.write_text(dds.fast(OTHER, peers=[OWN, OTHER]))
    fast = told_by(monkeypatch, FASTDDS_DEFAULT_PROFILES_FILE=str(profile))
    cyclone = told_by(monkeypatch, CYCLONEDDS_URI=dds.cyclone(OTHER, distro=distro))
    assert f"takes the interface {OTHER}, and it has {OWN}" in fast.broken[0]
    assert f"its CYCLONEDDS_URI takes the interface {OTHER}" in cyclone.broken[0]
    assert told_by(monkeypatch, CYCLONEDDS_URI=dds.cyclone(OWN, distro=distro)).broken == ()
    by_name = '<CycloneDDS><NetworkInterface name="eth0" priority="default"/></CycloneDDS>'
    assert told_by(monkeypatch, CYCLONEDDS_URI=by_name).broken == ()


def test_a_container_that_cannot_be_looked_into_is_not_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not told_by(monkeypatch).is_known
    assert told_by(monkeypatch, HOME="/root") == Told(" ".join([""]))


def test_peers_are_told_from_addresses_that_only_look_alike() -> None:
    config = '<Peer Address="192.168.50.19"/><Peer Address="192.168.50.21"/>'
    named = [n for n in (1, 2, 9, 19, 21, 190) if told.mentions(config, f"192.168.50.{n}")]
    assert named == [19, 21]


def test_links_in_a_container_are_followed_as_the_container_does(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc" / "real.xml").write_text("inside")
    (tmp_path / "secret").write_text("outside")
    (root / "config").symlink_to("/etc")
    (root / "etc" / "absolute").symlink_to("/config/real.xml")
    (root / "etc" / "up").symlink_to("../../../secret")
    (root / "etc" / "round").symlink_to("round")
    assert container_files.read(root, "/config/absolute") == "inside"
    assert container_files.read(root, "/config/../etc/./real.xml") == "inside"
    for path in ("/etc/up", "/etc/round", "/etc", "/none", f"{tmp_path}/secret"):
        assert container_files.read(root, path) is None
