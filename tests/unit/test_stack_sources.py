"""extends and include: what a file takes from others, and where their paths start."""

from __future__ import annotations

from pathlib import Path

import pytest
from netaddr import IPAddress

from macvlan_ros import stack
from macvlan_ros.models.stacks import Stack
from tests.unit.stack_text import error_of


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".yaml")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def load(folder: Path, *names: str, **environ: str) -> Stack:
    return stack.load([folder / f"{name}.yaml" for name in names or ("main",)], environ=environ)


def test_a_service_extends_one_of_its_own_file_by_the_rules_of_merging(tmp_path: Path) -> None:
    write(
        tmp_path,
        main="""
services:
  base: {image: ros, command: [a, b], environment: {A: 1, B: 1}, cap_add: [X], hostname: h}
  one:
    extends: base
    container_name: the_one
    command: [c]
    environment: [B=2]
    cap_add: [Y]
    hostname: !reset null
  two: {extends: {service: one}, container_name: the_two, init: true}
""",
    )
    base, one, two = load(tmp_path).services.values()
    assert (one.image, one.command, one.hostname) == ("ros", ("c",), None)
    assert one.environment == {"A": "1", "B": "2"}
    assert one.cap_add == ("X", "Y")
    assert (two.command, two.init, two.container_name) == (("c",), True, "the_two")
    assert (base.command, base.cap_add, base.hostname) == (("a", "b"), ("X",), "h")


def test_a_service_extends_one_of_another_file_whose_paths_start_there(tmp_path: Path) -> None:
    write(
        tmp_path,
        main="""
services:
  talker: {extends: {file: common/base.yaml, service: base}, volumes: [./own:/own]}
""",
        common__base="""
services:
  base:
    extends: {file: deeper.yaml, service: root}
    env_file: vars.env
    volumes: ['./data:/data', {type: bind, source: ../up, target: /up}]
  unused: {image: "${NONE:-x}"}
""",
        common__deeper="services: {root: {image: 'ros:$TAG', tty: true}}",
    )
    (tmp_path / "common" / "vars.env").write_text("A=common\n")
    (talker,) = load(tmp_path, TAG="kinetic").services.values()
    assert (talker.image, talker.tty, talker.environment) == ("ros:kinetic", True, {"A": "common"})
    assert [mount.source for mount in talker.mounts] == [
        f"{tmp_path}/common/data",
        f"{tmp_path}/up",
        f"{tmp_path}/own",
    ]


@pytest.mark.parametrize(
    ("extends", "said"),
    [
        ("bse", "service 'talker', key 'extends' names 'bse', which is no service (did you mean"),
        ("talker", "goes in a circle: talker -> talker"),
        ("listener", "goes in a circle: "),
        ("{file: main.yaml}", "has no 'service'"),
        ("{service: base, files: x}", "did you mean 'file'?"),
        ("{service: base, file: gone.yaml}", "names FOLDER/gone.yaml, and there is no such file"),
        ("{service: bas, file: other.yaml}", "is no service in other.yaml (did you mean 'base'?"),
        ("{service: loop, file: other.yaml}", "goes in a circle: talker -> loop -> talker"),
        ("[base]", "key 'extends' must be a text, is a list"),
    ],
)
def test_a_wrong_extends_is_told(tmp_path: Path, extends: str, said: str) -> None:
    write(
        tmp_path,
        main=f"""
services:
  base: {{image: ros}}
  talker: {{extends: {extends}}}
  listener: {{extends: talker}}
""",
        other="""
services:
  base: {image: ros}
  loop: {extends: {service: talker, file: main.yaml}}
""",
    )
    assert said.replace("FOLDER", str(tmp_path)) in error_of(lambda: load(tmp_path))


def test_a_chain_without_end_is_refused(tmp_path: Path) -> None:
    links = (f"  s{n}: {{extends: s{n + 1}}}\n" for n in range(1000))
    write(tmp_path, main="services:\n" + "".join(links) + "  s1000: {image: ros}\n")
    assert "at the end of more than 50 others" in error_of(lambda: load(tmp_path))


INCLUDED = """
services:
  core: {image: "ros:${TAG:-none}", volumes: ['./d:/d', 'logs:/l'], networks: [ros_net]}
networks: {ros_net: {driver: overlay}}
volumes: {logs: }
x-macvlan-ros: {parent: eth0, pool: robots}
name: another
"""


def test_an_included_file_gives_its_services_networks_and_volumes(tmp_path: Path) -> None:
    write(
        tmp_path,
        main="""
name: main
include: [robot/compose.yaml]
x-macvlan-ros: {parent: enp3s0, master: core}
services: {talker: {image: ros, depends_on: [core], networks: [ros_net]}}
""",
        robot__compose=INCLUDED,
    )
    (tmp_path / "robot" / ".env").write_text("TAG=robot\n")
    loaded = load(tmp_path)
    assert (loaded.name, loaded.parent, loaded.pool) == ("main", "enp3s0", "robots")
    assert set(loaded.services) == {"core", "talker"}
    core = loaded.services["core"]
    assert core.image == "ros:robot"
    assert core.mounts[0].source == f"{tmp_path}/robot/d"
    assert list(loaded.volumes) == ["main_logs"]
    # the including project's own environment stands over the included .env
    assert load(tmp_path, TAG="own").services["core"].image == "ros:own"


def test_an_include_may_have_several_files_a_folder_and_variables_of_its_own(
    tmp_path: Path,
) -> None:
    write(
        tmp_path,
        main="""
include:
  - path: [robot/compose.yaml, robot/more.yaml]
    project_directory: elsewhere
    env_file: other.env
services: {talker: {image: ros}}
""",
        robot__compose=INCLUDED,
        robot__more="services: {core: {x-macvlan-ros: {address: 192.168.50.20}}}",
    )
    (tmp_path / "other.env").write_text("TAG=other\n")
    core = load(tmp_path).services["core"]
    assert (core.image, core.address) == ("ros:other", IPAddress("192.168.50.20"))
    assert core.mounts[0].source == f"{tmp_path}/elsewhere/d"


def test_a_later_file_may_change_what_was_included(tmp_path: Path) -> None:
    write(
        tmp_path,
        main="include: [inner.yaml]",
        inner="include: [innermost.yaml]\nservices: {core: {image: ros}}",
        innermost="services: {deep: {image: ros}}",
        over="services: {core: {image: other}}",
    )
    loaded = load(tmp_path, "main", "over")
    assert {name: one.image for name, one in loaded.services.items()} == {
        "core": "other",
        "deep": "ros",
    }


def test_the_same_thing_from_two_sides_is_one(tmp_path: Path) -> None:
    write(
        tmp_path,
        main="include: [inner.yaml]\nservices: {core: {image: ros}}\nnetworks: {a: }",
        inner="services:\n  core:\n    image: ros\nnetworks: {a: }",
    )
    assert list(load(tmp_path).services) == ["core"]


def test_what_a_file_includes_it_may_add_to_and_change(tmp_path: Path) -> None:
    write(
        tmp_path,
        main="""
include: [robot/inner.yaml, robot/deep.yaml]
services:
  core: {image: ros:new, environment: [B=main], volumes: ["./c:/c"], depends_on: [deep]}
networks: {side: {internal: true}}
""",
        robot__inner="""
include: [deep.yaml]
services:
  core: {image: ros, environment: {A: inner, B: inner}, volumes: ["./d:/d"], networks: [side]}
networks: {side: }
""",
        robot__deep="services: {deep: {image: ros, command: [a, b]}}",
    )
    core = load(tmp_path).services["core"]
    assert core.image == "ros:new"
    assert core.environment == {"A": "inner", "B": "main"}
    # each path starts at the folder of the file that says it
    assert [one.source for one in core.mounts] == [f"{tmp_path}/robot/d", f"{tmp_path}/c"]
    assert [one.service for one in core.depends_on] == ["deep"]
    assert core.bridges[0].internal
    # included by two ways, and once there
    assert load(tmp_path).services["deep"].command == ("a", "b")


@pytest.mark.parametrize(
    ("include", "said"),
    [
        ("[gone.yaml]", "key 'include[0]' names FOLDER/gone.yaml, and there is no such file"),
        ("[main.yaml]", "goes in a circle: FOLDER/main.yaml -> FOLDER/main.yaml"),
        ("[loop.yaml]", "goes in a circle: "),
        (
            "[other.yaml, differs.yaml]",
            "service 'talker' is also in FOLDER/differs.yaml:1, which is included too, and differs",
        ),
        ("[{paths: a}]", "key 'include[0].paths' is not a key of include (did you mean 'path'?"),
        ("[{env_file: a.env}]", "key 'include[0]' has no 'path'"),
        ("[{path: other.yaml, env_file: gone.env}]", "gone.env, and there is no such file"),
        ("main.yaml", "key 'include' must be a list, is the text 'main.yaml'"),
        ("[true]", "must be a text, is true or false"),
    ],
)
def test_a_wrong_include_is_told(tmp_path: Path, include: str, said: str) -> None:
    write(
        tmp_path,
        main=f"include: {include}\nservices: {{core: {{image: ros}}}}",
        loop="include: [main.yaml]",
        differs="services: {talker: {image: other}}",
        other="services: {talker: {image: ros}}",
    )
    assert said.replace("FOLDER", str(tmp_path)) in error_of(lambda: load(tmp_path))
