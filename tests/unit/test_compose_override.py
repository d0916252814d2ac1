"""One document for the Compose of old: what it cannot do itself is done before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from macvlan_ros import stack as stacks
from macvlan_ros.compose.override import override, whole


def document(folder: Path, *, elsewhere: tuple[str, ...] = ()) -> dict[str, Any]:
    paths = [folder / "compose.yaml"]
    stack = stacks.load(paths, environ={}, forgive=True)
    tree = stacks.resolve(paths, environ={})
    over = override(stack, (), elsewhere=elsewhere, tree=tree, endpoint_macs=False)
    return whole(over, tree)


def test_paths_of_other_folders_lead_where_they_led(tmp_path: Path) -> None:
    (tmp_path / "robot").mkdir()
    (tmp_path / "robot" / "profile.json").write_text("{}")
    (tmp_path / "robot" / "a.env").write_text("A=1")
    (tmp_path / "compose.yaml").write_text("""
include: [robot/inner.yaml]
services:
  own: {image: ros, volumes: ["./here:/here"]}
  more: {extends: {file: robot/inner.yaml, service: core}}
""")
    (tmp_path / "robot" / "inner.yaml").write_text("""
services:
  core:
    image: ros
    env_file: [a.env, ~/b.env]
    build: {context: ., dockerfile: docker/Dockerfile}
    security_opt: ["seccomp:./profile.json", "apparmor:unconfined"]
    volumes: ["./d:/d:ro", "../e:/e", "data:/f", {type: bind, source: ./g, target: /g}]
    command: ./run
  far: {build: "https://example.com/robot.git", image: far}
  web: {build: web}
volumes: {data: }
secrets: {key: {file: ./id}}
""")
    made = document(tmp_path)
    there = str(tmp_path / "robot")
    for name in ("core", "more"):
        core = made["services"][name]
        assert core["env_file"] == [f"{there}/a.env", "~/b.env"]
        assert core["build"] == {"context": there, "dockerfile": "docker/Dockerfile"}
        assert core["security_opt"] == [f"seccomp:{there}/profile.json", "apparmor:unconfined"]
        assert core["volumes"][:3] == [f"{there}/d:/d:ro", f"{tmp_path}/e:/e", "data:/f"]
        assert core["volumes"][3]["source"] == f"{there}/g"
        assert core["command"] == "./run"
    assert made["services"]["far"]["build"] == "https://example.com/robot.git"
    assert made["services"]["web"]["build"] == f"{there}/web"
    assert made["services"]["own"]["volumes"] == ["./here:/here"]
    assert made["secrets"]["key"]["file"] == f"{there}/id"


def test_what_runs_elsewhere_is_neither_built_nor_waited_for(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("""
services:
  core: {image: ros, depends_on: [far, near]}
  near: {image: ros, depends_on: {far: {condition: service_healthy}}}
  far: {build: ./far, env_file: gone.env, profiles: [sim]}
""")
    made = document(tmp_path, elsewhere=("far",))["services"]
    assert not {"build", "env_file"} & made["far"].keys()
    assert made["far"]["profiles"] == ["macvlan-ros-elsewhere"]
    assert made["core"]["depends_on"] == {"near": {"condition": "service_started"}}
    assert "depends_on" not in made["near"]
