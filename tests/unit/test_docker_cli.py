"""`docker run` lines taken apart, and written anew for the LAN."""

from pathlib import Path

import pytest
from netaddr import IPAddress

from macvlan_ros.docker_cli.flags import Flags, KnownFlags, read_usage
from macvlan_ros.docker_cli.parsing import RunLine, parse, render
from macvlan_ros.docker_cli.rewriting import joining, lan_first, on_lan, with_ros
from macvlan_ros.errors import InvalidRequest
from macvlan_ros.models.containers import Attachment

ADDRESS = IPAddress("192.168.50.195")
PLACE = Attachment("ros_lan", ADDRESS, "02:42:00:00:00:c3")
USAGE = """
Options:
      --brand-new string    Something of a
                            later --than-this one
  -z, --zip                 A switch (default true)
      --rm                  Remove
"""


def never() -> str:
    raise AssertionError("docker run --help was asked for")


def parsed(*words: str) -> RunLine:
    return parse(words, KnownFlags(never))


def flags_of(line: RunLine) -> str:
    return " ".join(render(line.options))


def ros(line: RunLine, **more: object) -> tuple[str, tuple[str, ...], str]:
    settings = {"name": "t", "address": ADDRESS, "master": None, "image": {}, "environ": {}}
    done = with_ros(line, **{**settings, **more})  # type: ignore[arg-type]
    return flags_of(done.line), done.unset, "; ".join(done.notes)


@pytest.mark.parametrize(
    "words",
    [
        ("-it", "--name", "x", "-e", "A=b", "ros"),
        ("-dp80:80", "--rm", "-eA", "ros"),
        ("-itv", "/a:/b", "--gpus=all", "ros"),
        ("-d=false", "--init=true", "--net", "host", "ros"),
        ("--some-day=1", "ros"),
    ],
)
def test_what_is_taken_apart_is_put_together_as_it_was(words: tuple[str, ...]) -> None:
    line = parsed(*words, "bash", "-it", "--name", "y")
    assert [*render(line.options), "ros"] == list(words)
    assert (line.image, line.command) == ("ros", ("bash", "-it", "--name", "y"))


def test_values_are_found_however_they_are_written() -> None:
    line = parsed("-eA=1", "-e", "B", "--env=C=", "-itw/root", "-h", "pc", "--net=host", "ros")
    assert line.values("env") == ("A=1", "B", "C=")
    assert line.value("workdir") == "/root"
    assert line.value("hostname") == "pc"
    assert line.value("network") == "host"
    assert line.has("tty")
    assert line.has("interactive")
    assert not parsed("-t=false", "ros").has("tty")
    assert parsed("--", "-odd").image == "-odd"


def test_a_flag_that_only_the_installed_docker_knows_is_looked_up_there() -> None:
    known = KnownFlags(lambda: USAGE)
    line = parse(("-z", "--brand-new", "value", "ros", "bash"), known)
    assert (line.value("brand-new"), line.has("zip"), line.image) == ("value", True, "ros")
    assert read_usage(USAGE) == Flags({"brand-new": True, "zip": False, "rm": False}, {"z": "zip"})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no image"),
        (("-it",), "no image"),
        (("-it", ""), "image's name is empty"),
        (("-it", " "), "blank; is there one behind a '\\' at the end of a line?"),
        (("docker", "run", "-it", "ros"), "'docker run' is no image"),
        (("-rm", "-it", "ros"), "no flag -r (in '-rm'); did you mean --rm?"),
        (("--name",), "--name needs a value"),
        (("-e",), "-e needs a value"),
        (("--nme", "x", "ros"), "no flag --nme; did you mean --name"),
        (("-iZ", "ros"), "no flag -Z (in '-iZ')"),
    ],
)
def test_a_line_that_cannot_be_understood_says_why(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(words, KnownFlags(lambda: USAGE))
    assert said in str(caught.value)


def test_network_ports_and_addresses_make_room_for_the_lan() -> None:
    line = parsed("-it", "--network", "host", "-p", "80:80", "-P", "--ip", "172.18.3.5", "ros")
    done = on_lan(line, name="talker", place=PLACE, labels={"k": "v"})
    assert flags_of(done.line) == (
        "-it --name talker --network ros_lan --ip 192.168.50.195 --mac-address 02:42:00:00:00:c3"
        " --label k=v"
    )
    assert any("-p 80:80 -P: ports are not published" in note for note in done.notes)


def test_a_name_for_the_pc_means_its_address_on_the_lan() -> None:
    line = parsed("--add-host=pc:host-gateway", "--add-host", "qtrp:192.168.50.12", "ros")
    done = on_lan(line, name="t", place=PLACE, labels={}, host=IPAddress("192.168.50.11"))
    assert done.line.values("add-host") == ("pc:192.168.50.11", "qtrp:192.168.50.12")
    assert done.notes[0].startswith("--add-host pc: host-gateway is 192.168.50.11")
    assert on_lan(line, name="t", place=PLACE, labels={}).line.values("add-host") == line.values(
        "add-host"
    )


def test_of_several_networks_the_lan_s_comes_first_and_others_stay() -> None:
    line = parsed("--network", "side", "--network", "name=ros_lan,alias=a", "--ip", "1.2.3.4", "r")
    moved = lan_first(line, ["ros_lan"])
    assert moved.values("network") == ("name=ros_lan,alias=a", "side")
    assert lan_first(moved, ["ros_lan"]) is moved
    assert lan_first(line, ["other"]) is line
    done = on_lan(moved, name="talker", place=PLACE, labels={}, beside=["side"])
    assert flags_of(done.line) == (
        "--name talker --network-alias a --network ros_lan --ip 192.168.50.195"
        " --mac-address 02:42:00:00:00:c3 --network side"
    )


def test_docker_s_long_form_of_a_network_is_understood() -> None:
    said = joining(parsed("--network", "name=lan,alias=a,alias=b,ip=192.168.50.9", "ros"))
    assert (said.name, said.aliases, said.address) == ("lan", ("a", "b"), "192.168.50.9")


def test_an_ipv6_address_is_asked_for_in_both_forms() -> None:
    for words in (("--ip6", "fd00::9"), ("--network", "name=lan,ip6=fd00::9")):
        line = parsed(*words, "ros")
        assert joining(line).address6 == "fd00::9"
        done = on_lan(line, name="t", place=PLACE, labels={})
        assert "--ip6 fd00::9 is not used" in done.notes[0]
        assert "fd00::9" not in flags_of(done.line)


def test_what_else_the_long_form_says_goes_to_the_lan_s_network() -> None:
    said = 'name=lan,ip=192.168.50.9,alias=a,"driver-opt=a=b,c",gw-priority=1'
    done = on_lan(parsed("--network", said, "ros"), name="t", place=PLACE, labels={})
    assert done.line.values("network") == ('name=ros_lan,"driver-opt=a=b,c",gw-priority=1',)
    assert done.line.values("network-alias") == ("a",)
    assert done.line.value("ip") == str(ADDRESS)


def test_another_container_s_network_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="shares the network of another"):
        joining(parsed("--net", "container:other", "ros"))


def test_ros_hostname_is_taken_out_wherever_it_comes_from(tmp_path: Path) -> None:
    flags, unset, notes = ros(parsed("-e", "ROS_HOSTNAME=pc", "-e", "ROS_IP=", "-e", "A=b", "ros"))
    assert (flags, unset) == ("-e A=b -e ROS_IP=192.168.50.195", ())
    assert "ROS_HOSTNAME=pc is removed" in notes
    flags, unset, notes = ros(parsed("ros"), image={"ROS_HOSTNAME": "baked"})
    assert (flags, unset) == ("-e ROS_IP=192.168.50.195 -e ROS_HOSTNAME", ("ROS_HOSTNAME",))
    assert "of the image is removed" in notes
    flags, unset, notes = ros(parsed("ros"), image=None)
    assert (flags, unset) == ("-e ROS_IP=192.168.50.195 -e ROS_HOSTNAME", ("ROS_HOSTNAME",))
    assert not notes
    file = tmp_path / "env"
    file.write_text("# robot\nA=b c\nROS_HOSTNAME=pc\nHOME\n")
    flags, unset, notes = ros(parsed("--env-file", str(file), "ros"), environ={"HOME": "/root"})
    assert flags == "-e A=b c -e HOME=/root -e ROS_IP=192.168.50.195"
    assert "ROS_HOSTNAME=pc is removed" in notes
    other = tmp_path / "other"
    other.write_text("A=b\n")
    assert f"--env-file {other} " in ros(parsed("--env-file", str(other), "ros"))[0]


@pytest.mark.parametrize("image", [{"ROS_DISTRO": "humble"}, {}, None])
def test_ros_2_looks_beyond_its_own_container(image: dict[str, str] | None) -> None:
    line = parsed("-e", "ROS_LOCALHOST_ONLY=1", "-e", "ROS_DOMAIN_ID=7", "ros")
    flags, _, notes = ros(line, image=image)
    assert "ROS_LOCALHOST_ONLY" not in flags
    assert "-e ROS_DOMAIN_ID=7" in flags
    assert "ROS_LOCALHOST_ONLY=1 is removed" in notes
    flags, _, _ = ros(parsed("-e", "RMW_IMPLEMENTATION=rmw_zenoh_cpp", "ros"), image=image)
    assert "ROS_IP" not in flags
    assert 'scouting/multicast/interface="192.168.50.195"' in flags
    line = parsed(
        "-e", "RMW_IMPLEMENTATION=rmw_zenoh_cpp", "-e", "ZENOH_CONFIG_OVERRIDE=a=1", "ros"
    )
    flags, _, notes = ros(line, image=image)
    assert "ZENOH_CONFIG_OVERRIDE=a=1" in flags
    assert "ZENOH_CONFIG_OVERRIDE is left as the line has it" in notes


def test_the_master_is_that_of_the_line_or_of_the_shell_unless_it_is_this_pc() -> None:
    uri = "http://192.168.50.12:11311"
    assert ros(parsed("-e", f"ROS_MASTER_URI={uri}", "ros"))[0].startswith(
        f"-e ROS_MASTER_URI={uri} "
    )
    flags, _, notes = ros(parsed("ros"), environ={"ROS_MASTER_URI": uri})
    assert f"-e ROS_MASTER_URI={uri}" in flags
    assert "taken from this shell" in notes
    flags, _, notes = ros(parsed("ros"), environ={"ROS_MASTER_URI": "http://localhost:11311"})
    assert "ROS_MASTER_URI" not in flags
    assert "--master host" in notes
    flags, _, notes = ros(parsed("-e", "ROS_MASTER_URI=", "ros"))
    assert "ROS_MASTER_URI" not in flags
    flags, _, notes = ros(parsed("-e", "ROS_MASTER_URI=http://old:11311", "ros"), master=uri)
    assert flags == f"-e ROS_IP=192.168.50.195 -e ROS_MASTER_URI={uri}"
    assert "replaced" in notes
