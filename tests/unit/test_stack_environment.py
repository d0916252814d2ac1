"""The environment of a stack's services, from the file and from env files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.stack_text import load_service, load_text


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ("[A=1, B=, C=a=b]", {"A": "1", "B": "", "C": "a=b"}),
        ("{A: 1, B: '', C: a=b}", {"A": "1", "B": "", "C": "a=b"}),
        ("{A: true, B: 1.10, C: 0x10, D: 1e3, E: 2.0}",
         {"A": "true", "B": "1.1", "C": "16", "D": "1000", "E": "2"}),
        ("{A: yes, B: 22:22, C: 2026-01-01, D: '1.10', E: no}",
         {"A": "yes", "B": "22:22", "C": "2026-01-01", "D": "1.10", "E": "no"}),
        ("[SET, NONE]", {"SET": "outer"}),
        ("{SET: , NONE: null}", {"SET": "outer"}),
        ("['A=$SET', 'B=${NONE:-x}', 'C=$$SET']", {"A": "outer", "B": "x", "C": "$SET"}),
        ("[A=1, A=2]", {"A": "2"}),
        ("['A=\"quoted\"']", {"A": '"quoted"'}),
        ("{x-A: $SET}", {"x-A": "outer"}),
        ("[DOTTED]", {"DOTTED": "from .env"}),
    ],
)  # fmt: skip
def test_environment_becomes(tmp_path: Path, environment: str, wanted: dict[str, str]) -> None:
    (tmp_path / ".env").write_text("DOTTED='from .env'\nSET=not this\n")
    keys = f"environment: {environment}"
    assert load_service(tmp_path, keys, environ={"SET": "outer"}).environment == wanted


def test_env_files_stand_under_environment_and_later_ones_over_earlier(tmp_path: Path) -> None:
    (tmp_path / "a.env").write_text("A=a\nB=a\nC=a\nSET\nE=${SET}!\nGONE=a\n")
    (tmp_path / "b.env").write_text("B=b\nC=b\n")
    service = load_service(
        tmp_path,
        """
        env_file: [a.env, ./b.env]
        environment: {C: c, GONE: }
        """,
        environ={"SET": "outer"},
    )
    assert dict(service.environment) == {
        "A": "a",
        "B": "b",
        "C": "c",
        "SET": "outer",
        "E": "outer!",
    }


@pytest.mark.parametrize(
    "env_file",
    [
        "a.env",
        "[a.env]",
        "{path: a.env}",
        "[{path: a.env, required: true}]",
        "[{path: gone.env, required: false}, a.env]",
        "[{path: a.env, format: raw}]",
    ],
)
def test_env_file_has_many_forms(tmp_path: Path, env_file: str) -> None:
    (tmp_path / "a.env").write_text("A=1\n")
    assert load_service(tmp_path, f"env_file: {env_file}").environment == {"A": "1"}


def test_a_missing_env_file_is_told_with_its_path(tmp_path: Path) -> None:
    said = load_service(tmp_path, "env_file: [conf/gone.env]").missing
    assert f"names {tmp_path}/conf/gone.env, and there is no such file" in said
    assert "service 'talker', key 'env_file[0]'" in said


def test_an_unset_variable_is_noted_once_for_all_its_places(tmp_path: Path) -> None:
    stack = load_text(
        tmp_path,
        "services: {a: {image: x$NONE, user: $NONE}, b: {image: 'y${NONE}', hostname: $GONE}}",
        "services: {a: {hostname: 'h$NONE'}}",
    )
    assert [note.split()[2] for note in stack.notes] == ["NONE", "GONE"]
    assert str(tmp_path / "0.yaml") + ":1" in stack.notes[0]
