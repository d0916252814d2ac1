"""Files that pages show and no step writes: they can be read as what they are."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from netaddr import IPNetwork

from macvlan_ros import settings, stack
from macvlan_ros.app import App
from macvlan_ros.models.pools import Pool
from macvlan_ros.stack import section
from tests.docs.pages import ROOT, untyped

PAGES = [
    path
    for path in (ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*/*.md"))
    if "_build" not in path.parts
]
#: What a page's piece of a stack file leaves out.
SERVICES = "services: {harmoni_hardware: {image: ros}}\n"


def blocks(language: str) -> list[Any]:
    return [
        pytest.param(shown.text, id=f"{path.relative_to(ROOT)}-{number}")
        for path in PAGES
        for number, shown in enumerate(untyped(path, language))
    ]


@pytest.mark.parametrize("text", blocks("yaml"))
def test_a_stack_file_that_is_shown_loads(tmp_path: Path, text: str) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text(text if "services:" in text else text + SERVICES)
    assert stack.load([file], environ={}).services


@pytest.mark.parametrize("text", blocks("ini"))
def test_settings_that_are_shown_are_understood(tmp_path: Path, text: str) -> None:
    file = tmp_path / "macvlan-ros.conf"
    file.write_text(text)
    assert settings.load({}, file) != settings.Settings()


def test_the_reference_has_every_setting() -> None:
    text = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")
    table = text.partition("| in the file |")[2].partition("\n\n")[0]
    missing = [one.name for one in fields(settings.Settings) if f"`{one.name}`" not in table]
    assert not missing


def test_the_reference_has_every_key_of_the_stack_file() -> None:
    text = (ROOT / "docs/reference/stack-file.md").read_text(encoding="utf-8")
    rows = {line.split("`")[1] for line in text.splitlines() if line.startswith("| `")}
    assert rows >= {*section.KEYS, *section.HOST_KEYS, *section.SERVICE_KEYS}


@pytest.mark.parametrize("text", blocks("python"))
def test_python_that_is_shown_runs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str,
) -> None:
    monkeypatch.setenv("MACVLAN_ROS_STORE", str(tmp_path / "state.db"))
    monkeypatch.setenv("MACVLAN_ROS_PROBE", "none")
    with App(settings.load(), note=print) as app:
        app.ipam.add_pool(Pool("lab", IPNetwork("192.168.50.0/24")))
    exec(text, {})
    assert re.search(r"192\.168\.50\.\d+ ([0-9a-f]{2}:){5}", capsys.readouterr().out)
