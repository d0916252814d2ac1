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
    return whole(over, tree, stack)


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


def test_what_the_old_one_has_no_word_for_is_said_in_its_own(tmp_path: Path) -> None:
    (tmp_path / "a.env").write_text("A=file\nB=file\n")
    (tmp_path / "compose.yaml").write_text("""
services:
  core: {image: ros}
  talker:
    image: ros
    attach: false
    build: {target: dev}
    develop: {watch: []}
    env_file: [{path: a.env}, {path: gone.env, required: false}]
    environment: [B=own]
    depends_on: {core: {condition: service_healthy, restart: true, required: true}}
    healthcheck: {test: "true", start_interval: 1s}
    volumes:
      - {type: bind, source: ./d, target: /d, bind: {create_host_path: false, propagation: rslave}}
      - {type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 0700}}
      - ./e:/e
""")
    talker = document(tmp_path)["services"]["talker"]
    assert talker == {
        "image": "ros",
        "build": {"context": ".", "target": "dev"},
        "environment": {"A": "file", "B": "own"},
        "depends_on": {"core": {"condition": "service_healthy"}},
        "healthcheck": {"test": "true"},
        "volumes": [
            {"type": "bind", "source": "./d", "target": "/d", "bind": {"propagation": "rslave"}},
            {"type": "tmpfs", "target": "/t", "tmpfs": {"size": "1m"}},
            "./e:/e",
        ],
    }
