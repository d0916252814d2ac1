"""Files: which ones make the stack, what they may hold, and the project's name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from macvlan_ros import stack
from macvlan_ros.errors import StackFileError
from macvlan_ros.stack.files import NAMES
from tests.unit.stack_text import error_of, load_text

TEXT = "services: {core: {image: ros}}"


def names(folder: Path, **environ: str) -> list[str]:
    return [str(path.relative_to(folder)) for path in stack.find_files(folder, environ)]


def touch(folder: Path, *files: str) -> None:
    for file in files:
        (folder / file).write_text(TEXT)


def test_the_first_of_composes_names_is_the_stack(tmp_path: Path) -> None:
    for name in reversed(NAMES):
        touch(tmp_path, name)
        assert names(tmp_path) == [name]


@pytest.mark.parametrize(
    "over",
    [
        "compose.override.yml",
        "compose.override.yaml",
        "docker-compose.override.yml",
        "docker-compose.override.yaml",
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_an_override_file_goes_over_it(tmp_path: Path, name: str, over: str) -> None:
    touch(tmp_path, name, over)
    assert names(tmp_path) == [name, over]


def test_of_several_override_files_one_is_taken(tmp_path: Path) -> None:
    touch(tmp_path, "compose.yaml", "compose.override.yaml", "docker-compose.override.yml")
    assert names(tmp_path) == ["compose.yaml", "compose.override.yaml"]


def test_compose_file_names_the_files_from_the_environment_or_dot_env(tmp_path: Path) -> None:
    touch(tmp_path, "compose.yaml")
    assert names(tmp_path, COMPOSE_FILE="a.yaml:sub/b.yaml") == ["a.yaml", "sub/b.yaml"]
    separated = {"COMPOSE_FILE": "a.yaml,b.yaml", "COMPOSE_PATH_SEPARATOR": ","}
    assert names(tmp_path, **separated) == ["a.yaml", "b.yaml"]
    assert stack.find_files(tmp_path, {"COMPOSE_FILE": "/x/a.yaml"}) == (Path("/x/a.yaml"),)
    (tmp_path / ".env").write_text("COMPOSE_FILE=dotted.yaml\n")
    assert names(tmp_path) == ["dotted.yaml"]
    assert names(tmp_path, COMPOSE_FILE="a.yaml") == ["a.yaml"]
    assert names(tmp_path, COMPOSE_FILE="") == ["compose.yaml"]


def test_no_file_is_told_with_what_was_looked_for_where_and_the_option(tmp_path: Path) -> None:
    said = error_of(lambda: stack.find_files(tmp_path, {}))
    assert str(tmp_path) in said
    assert all(name in said for name in NAMES)
    assert "-f FILE" in said


# --- what a file may hold ---


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ":1: is empty; a stack has at least"),
        ("# nothing\n", ":1: is empty"),
        ("---\n...\n", "must be a mapping, is empty"),
        ("- a\n", ":1: must be a mapping, is a list"),
        ("just text", ":1: must be a mapping, is the text 'just text'"),
        ("42", "must be a mapping, is a number"),
        ("services:\n  core:\n    image: ros\n   init: true\n", ":4: is not valid YAML"),
        ("services:\n\tcore: {}\n", ":2: is not valid YAML: found character '\\t'"),
        ("services: {core: [}", ":1: is not valid YAML"),
        ("services: {core: {image: ros}", "is not valid YAML"),
        ("services: *gone", ":1: is not valid YAML: found undefined alias 'gone'"),
        ("a: 1\n---\nb: 2\n", "is not valid YAML: but found another document"),
        ("\x01", "is not valid YAML"),
        ("services:\n  core:\n    image: a\n    image: b\n",
         ":4: service 'core', key 'image' stands twice (first in line 3)"),
        ("services:\n  core: {image: a}\n  core: {image: b}\n", ":3: service 'core' stands twice"),
        ("a: 1\nservices: {}\na: 2\n", ":3: key 'a' stands twice (first in line 1)"),
        ("services: &a {core: *a}", "an alias stands inside the very anchor that it names"),
        ("services: &a [*a]", "an alias stands inside the very anchor that it names"),
        ("services: {core: {<<: a}}", "key '<<' must name mappings"),
        ("services: {core: {<<: [{image: a}, b]}}", "key '<<' must name mappings"),
        ("services: {core: {? [a] : b}}", "has a mapping or a list as a key"),
        ("services: {core: {: b}}", "has an empty key"),
        ("services: {core: {image: !secret ros}}", "has the tag !secret, which has no meaning"),
        ("services: {core: {image: !!binary aGk=}}", "has the tag !!binary"),
        ("services: !!set {core}", "has the tag"),
        ("services: {core: !foo [a]}", "has the tag !foo"),
    ],
)  # fmt: skip
def test_malformed_yaml_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    sentence = error_of(lambda: load_text(tmp_path, text))
    assert said in sentence
    assert sentence.startswith(str(tmp_path / "0.yaml") + ":")


def test_nesting_and_aliases_without_end_are_refused(tmp_path: Path) -> None:
    deep = "x-a: " + "[" * 100 + "]" * 100
    assert "nested more than" in error_of(lambda: load_text(tmp_path, deep))
    deeper = "x-a: " + "[" * 20_000
    assert "nested more than" in error_of(lambda: load_text(tmp_path, deeper))
    rows = ["x-0: &a0 [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]"]
    for level in range(1, 9):
        rows.append(f"x-{level}: &a{level} [" + ", ".join([f"*a{level - 1}"] * 10) + "]")
    assert "aliases unfold into more than" in error_of(lambda: load_text(tmp_path, "\n".join(rows)))


def test_anchors_merge_keys_and_extensions_are_composes_own(tmp_path: Path) -> None:
    loaded = load_text(
        tmp_path,
        """
        version: "3.8"
        x-common: &common {image: ros, init: true, environment: &env {A: 1, B: $SET}}
        x-more: &more {init: false, tty: true}
        x-unused: {broken: "${"}
        services:
          core: {<<: *common, x-note: "${"}
          both: {<<: [*common, *more], hostname: b}
          own:
            <<: *common
            environment: {<<: *env, B: 2}
        """,
        environ={"SET": "outer"},
    )
    core, both, own = loaded.services.values()
    assert (core.image, core.init, core.environment) == ("ros", True, {"A": "1", "B": "outer"})
    assert (both.init, both.tty, both.hostname) == (True, True, "b")
    assert own.environment == {"A": "1", "B": "2"}
    assert loaded.notes == ()


def test_what_is_no_text_file_is_told(tmp_path: Path) -> None:
    gone = tmp_path / "gone.yaml"
    assert error_of(lambda: stack.load([gone], environ={})) == f"{gone}: there is no such file"
    assert "is a folder, not a file" in error_of(lambda: stack.load([tmp_path], environ={}))
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("services:\n  # grün\n".encode("latin-1"))
    assert "latin.yaml:2: is not UTF-8 text" in error_of(lambda: stack.load([latin], environ={}))
    latin.write_bytes(b"#" * (5 << 20))
    assert "is larger than 4 MiB" in error_of(lambda: stack.load([latin], environ={}))
    assert "no stack file was named" in error_of(lambda: stack.load([], environ={}))
    assert "cannot be read" in error_of(lambda: stack.load([Path("a\0b")], environ={}))
    zero = error_of(lambda: stack.load([Path("/dev/zero")], environ={}))
    assert "is larger than" in zero


def test_a_byte_order_mark_is_no_matter(tmp_path: Path) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text(TEXT, encoding="utf-8-sig")
    assert list(stack.load([path], environ={}).services) == ["core"]


# --- the project ---


@pytest.mark.parametrize(
    ("folder", "name"),
    [("HARMONI", "harmoni"), ("My Robots 2", "myrobots2"), ("_-a.b_c", "ab_c"), ("ü1", "1")],
)
def test_the_folders_name_is_made_to_fit(tmp_path: Path, folder: str, name: str) -> None:
    (tmp_path / folder).mkdir()
    assert load_text(tmp_path / folder, TEXT).name == name


def test_the_project_is_called_as_asked_then_by_the_environment_then_by_the_file(
    tmp_path: Path,
) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text("name: ${NAME:-filed}\nservices: {core: {image: 'r:$COMPOSE_PROJECT_NAME'}}")
    assert stack.load([path], environ={}).name == "filed"
    assert stack.load([path], environ={"NAME": "varied"}).name == "varied"
    environ = {"COMPOSE_PROJECT_NAME": "from_env"}
    assert stack.load([path], environ=environ).name == "from_env"
    asked = stack.load([path], environ=environ, project_name="asked")
    assert asked.name == "asked"
    assert asked.services["core"].image == "r:asked"
    (tmp_path / ".env").write_text("COMPOSE_PROJECT_NAME=dotted\n")
    assert stack.load([path], environ={}).name == "dotted"


@pytest.mark.parametrize("wrong", ["Upper", "a b", "_a", "ü"])
def test_a_name_that_does_not_fit_is_refused(tmp_path: Path, wrong: str) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text(f"name: {wrong!r}\n{TEXT}")
    assert "compose.yaml:1: key 'name'" in error_of(lambda: stack.load([path], environ={}))
    for call in (
        lambda: stack.load([path], environ={}, project_name=wrong),
        lambda: stack.load([path], environ={"COMPOSE_PROJECT_NAME": wrong}),
    ):
        assert "is no project's name" in error_of(call)


def test_a_folder_without_a_letter_needs_a_name(tmp_path: Path) -> None:
    (tmp_path / "...x").mkdir()
    (tmp_path / "--").mkdir()
    assert load_text(tmp_path / "...x", TEXT).name == "x"
    assert "write 'name: …'" in error_of(lambda: load_text(tmp_path / "--", TEXT))


# --- variables ---


def test_the_environment_stands_over_dot_env_and_named_files_replace_it(tmp_path: Path) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text("services: {core: {image: '$A-$B-${C:-c}'}}")
    (tmp_path / ".env").write_text("A=dot\nB=dot\n")
    (tmp_path / "other.env").write_text("B=other\nC=${B}2\n")
    (tmp_path / "more.env").write_text("C=${B}3\n")

    def image(**arguments: object) -> str:
        loaded = stack.load([path], **{"environ": {"A": "outer"}, **arguments})  # type: ignore[arg-type]
        return loaded.services["core"].image

    assert image() == "outer-dot-c"
    assert image(env_files=[tmp_path / "other.env"]) == "outer-other-other2"
    both = [tmp_path / "other.env", tmp_path / "more.env"]
    assert image(env_files=both) == "outer-other-other3"
    with pytest.raises(StackFileError, match=r"gone\.env: there is no such file"):
        image(env_files=[tmp_path / "gone.env"])


def test_the_processes_own_environment_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text("services: {core: {image: '$MACVLAN_ROS_TEST_IMAGE'}}")
    monkeypatch.setenv("MACVLAN_ROS_TEST_IMAGE", "ros:kinetic")
    assert stack.load([path]).services["core"].image == "ros:kinetic"


def test_a_broken_dot_env_is_told(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\nwhat is this\n")
    assert ".env:2: is not NAME=VALUE" in error_of(lambda: load_text(tmp_path, TEXT))


def test_relative_file_names_are_seen_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("compose.yaml").write_text("services: {core: {image: ros, volumes: ['./a:/a']}}")
    loaded = stack.load(stack.find_files(Path(), {}), environ={})
    assert loaded.files == ("compose.yaml",)
    assert loaded.services["core"].mounts[0].source == os.path.join(os.getcwd(), "a")  # noqa: PTH109, PTH118


def test_the_yaml_parser_loads_with_the_first_file_and_not_before() -> None:
    code = (
        "import sys; from macvlan_ros import ros, stack; "
        "print([m for m in ('ruamel.yaml', 'docker', 'pyroute2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
