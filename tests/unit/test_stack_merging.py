"""Several files: later ones over earlier ones, by Compose's rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from macvlan_ros.models.containers import Dependency, Device, Ulimit
from tests.unit.stack_text import error_of, load_service, load_text


@pytest.mark.parametrize(
    ("base", "over", "field", "wanted"),
    [
        # replaced
        ("hostname: a", "hostname: b", "hostname", "b"),
        ("hostname: a", "user: b", "hostname", "a"),
        ("hostname: a", "hostname:", "hostname", "a"),
        ("command: [a, b]", "command: [c]", "command", ("c",)),
        ("command: a b", "command: [c]", "command", ("c",)),
        ("entrypoint: [a]", "entrypoint: b", "entrypoint", ("b",)),
        # a command gives way to none, which leaves the image's
        ("command: a b", "command:", "command", None),
        ("x-note: 1", "x-note: [2]\nhostname: a", "hostname", "a"),
        ("build: .", "build: {context: x}", "build", True),
        # merged by key
        ("environment: [A=1, B=1]", "environment: [B=2, C=2]", "environment",
         {"A": "1", "B": "2", "C": "2"}),
        ("environment: {A: 1, B: 1}", "environment: [B=2]", "environment", {"A": "1", "B": "2"}),
        ("environment: [A=1]", "environment: {A: }", "environment", {}),
        ("labels: [a=1]", "labels: {b: 2}", "labels", {"a": "1", "b": "2"}),
        ("sysctls: {a: 1}", "sysctls: [a=2]", "sysctls", {"a": "2"}),
        ("extra_hosts: ['a:10.0.0.1', 'b:10.0.0.2']", "extra_hosts: {a: 10.0.0.3}", "extra_hosts",
         (("a", "10.0.0.3"), ("b", "10.0.0.2"))),
        ("ulimits: {core: 1, nofile: 5}", "ulimits: {nofile: {soft: 1, hard: 2}}", "ulimits",
         (Ulimit("core", 1, 1), Ulimit("nofile", 1, 2))),
        ("ulimits: {nofile: {soft: 1, hard: 2}}", "ulimits: {nofile: {hard: 3}}", "ulimits",
         (Ulimit("nofile", 1, 3),)),
        ("logging: {driver: local, options: {a: 1}}", "logging: {options: {b: 2}}", "log_options",
         {"a": "1", "b": "2"}),
        ("logging: {driver: local, options: {a: 1}}",
         "logging: {driver: journald, options: {b: 2}}", "log_options", {"b": "2"}),
        # lists grow, each thing once
        ("cap_add: [A, B]", "cap_add: [B, C]", "cap_add", ("A", "B", "C")),
        ("dns: 10.0.0.1", "dns: [10.0.0.2, 10.0.0.1]", "dns", ("10.0.0.1", "10.0.0.2")),
        ("profiles: [a]", "profiles: [b]", "profiles", ("a", "b")),
        ("tmpfs: /a", "tmpfs: ['/b', '/a:size=1m']", "tmpfs", {"/a": "size=1m", "/b": ""}),
        # one for each target
        ("devices: ['/dev/a:/dev/x', /dev/b]", "devices: ['/dev/c:/dev/x']", "devices",
         (Device("/dev/c", "/dev/x"), Device("/dev/b", "/dev/b"))),
        # tags
        ("cap_add: [A]", "cap_add: !override [B]", "cap_add", ("B",)),
        ("cap_add: [A]", "cap_add: !reset []", "cap_add", ()),
        ("hostname: a", "hostname: !reset null", "hostname", None),
        ("environment: {A: 1, B: 2}", "environment: {A: !reset null}", "environment", {"B": "2"}),
        ("environment: {A: 1, B: 2}", "environment: !override {C: 3}", "environment", {"C": "3"}),
        ("environment: [A=1]", "environment: !override [B=$SET]", "environment", {"B": "outer"}),
        ("healthcheck: {test: a}", "healthcheck: !reset {}", "healthcheck", None),
        ("hostname: a", "user: !reset null", "user", None),
        # other forms
        ("network_mode: host", "network_mode: !reset null\nnetworks: [default]", "bridges", ()),
    ],
)  # fmt: skip
def test_a_later_file_over_an_earlier_one(
    tmp_path: Path, base: str, over: str, field: str, wanted: Any
) -> None:
    service = load_service(tmp_path, base, over, environ={"SET": "outer"})
    assert getattr(service, field) == wanted


def test_volumes_merge_by_target(tmp_path: Path) -> None:
    service = load_service(
        tmp_path,
        "volumes: ['/a:/x', '/b:/y']",
        "volumes: [{type: bind, source: /c, target: /x}, '/d:/z']",
    )
    mounts = [(mount.source, mount.target) for mount in service.mounts]
    assert mounts == [("/c", "/x"), ("/b", "/y"), ("/d", "/z")]


def test_a_healthchecks_test_is_replaced_and_the_rest_merged(tmp_path: Path) -> None:
    check = load_service(
        tmp_path,
        "healthcheck: {test: [CMD, a, b], interval: 5s}",
        "healthcheck: {test: [CMD, c], retries: 2}",
    ).healthcheck
    assert check is not None
    assert (check.test, check.interval, check.retries) == (("CMD", "c"), 5.0, 2)


def test_dependencies_and_networks_merge_in_either_form(tmp_path: Path) -> None:
    rest = """
        core: {image: ros}
        init: {image: ros}
    networks: {a: , b: , ros_net: {driver: overlay}}
    """
    base = f"""
    services:
        talker: {{image: ros, depends_on: [core], networks: [a, ros_net]}}
    {rest}"""
    over = """
    services:
        talker:
            depends_on: {init: {condition: service_healthy}}
            networks: {b: {aliases: [x]}, ros_net: {ipv4_address: 172.18.3.4}}
    """
    talker = load_text(tmp_path, base, over).services["talker"]
    assert talker.depends_on == (Dependency("core"), Dependency("init", "healthy"))
    assert [bridge.aliases for bridge in talker.bridges] == [(), ("x",)]
    assert str(talker.former_address) == "172.18.3.4"


def test_services_and_sections_of_all_files_come_together(tmp_path: Path) -> None:
    stack = load_text(
        tmp_path,
        "{name: one, services: {core: {image: ros}}, x-macvlan-ros: {range: 192.168.50.10}}",
        "{name: two, services: {talker: {image: ros}}, x-macvlan-ros: {range: [192.168.50.12]}}",
        "{services: {core: {hostname: h}}, x-macvlan-ros: {parent: eth0, master: core}}",
    )
    assert stack.name == "two"
    assert list(stack.services) == ["core", "talker"]
    assert stack.services["core"].hostname == "h"
    assert [str(part) for part in stack.ranges] == [
        "192.168.50.10-192.168.50.10",
        "192.168.50.12-192.168.50.12",
    ]
    assert (stack.parent, stack.master) == ("eth0", "core")
    assert stack.files == tuple(str(tmp_path / f"{number}.yaml") for number in range(3))


def test_a_whole_service_can_be_taken_away(tmp_path: Path) -> None:
    stack = load_text(
        tmp_path,
        "services: {core: {image: ros}, talker: {image: ros, hostname: $NEVER}}",
        "services: {talker: !reset {}}",
    )
    assert list(stack.services) == ["core"]


def test_an_earlier_file_may_leave_out_what_a_later_one_has(tmp_path: Path) -> None:
    stack = load_text(tmp_path, "services: {core: {init: true}}", "services: {core: {image: ros}}")
    assert (stack.services["core"].image, stack.services["core"].init) == ("ros", True)


def test_relative_paths_start_at_the_first_files_folder(tmp_path: Path) -> None:
    (tmp_path / "over").mkdir()
    first, second = tmp_path / "compose.yaml", tmp_path / "over" / "compose.yaml"
    first.write_text("services: {core: {image: ros, volumes: ['./a:/a']}}")
    second.write_text("services: {core: {volumes: ['./b:/b']}}")
    from macvlan_ros import stack

    mounts = stack.load([first, second], environ={}).services["core"].mounts
    assert [mount.source for mount in mounts] == [f"{tmp_path}/a", f"{tmp_path}/b"]


@pytest.mark.parametrize(
    ("base", "over", "said"),
    [
        ("cap_add: [A]", "cap_add: B", "is the text 'B', but"),
        ("deploy: {resources: {limits: {cpus: 1}}}", "deploy: 3", "which it goes over, has a map"),
        ("environment: [A=1]", "environment: 3", "must be a mapping or a list, is a number"),
        ("environment: 3", "environment: [A=1]", "must be a mapping or a list, is a number"),
        ("depends_on: 3", "depends_on: [core]", "must be a mapping or a list"),
        ("logging: 3", "logging: {driver: a}", "must be a mapping"),
    ],
)
def test_what_cannot_be_merged_is_told(tmp_path: Path, base: str, over: str, said: str) -> None:
    sentence = error_of(lambda: load_service(tmp_path, base, over))
    assert said in sentence
    assert "service 'talker'" in sentence


def test_a_list_of_dependencies_asks_for_no_more_than_their_start(tmp_path: Path) -> None:
    core = "services: {core: {image: ros}}"
    talker = "services: {{talker: {{image: ros, depends_on: {}}}}}"
    healthy, listed = "{core: {condition: service_healthy}}", "[core]"
    for first, second, condition in (
        (healthy, listed, "started"),
        (listed, healthy, "healthy"),
        (healthy, "{core: }", "healthy"),
    ):
        stack = load_text(tmp_path, core, talker.format(first), talker.format(second))
        assert stack.services["talker"].depends_on == (Dependency("core", condition),)
