"""What pages show and no test types out: each of its commands is one that there is, and each block
is known, with the reason."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from macvlan_ros import cli
from tests.docs.pages import ROOT, untyped

PAGES = [
    path
    for path in (
        ROOT / "README.md",
        *sorted(ROOT.glob("docs/**/*.md")),
        *sorted(ROOT.glob("examples/*/README.md")),
    )
    if "_build" not in path.parts and untyped(path)
]
#: The tests that do what a page's other blocks show, or what keeps the lab from it.
ELSEWHERE = {
    "README.md": "tests/e2e/test_plugin_packaging.py, test_verify.py, test_leases.py, tests/lab",
    "docs/etcd.md": "tests/stores/test_etcd_access.py, test_transfer.py, tests/e2e/test_hosts.py",
    "docs/how-to/dhcp-routers.md": "tests/e2e/test_leases.py",
    "docs/how-to/from-swarm.md": "tests/e2e/test_launch.py, test_swarm.py",
    "docs/how-to/harmoni.md": "the images of HARMONI: none can be pulled",
    "docs/how-to/many-pcs.md": "tests/e2e/test_chair.py, test_mdns.py",
    "docs/how-to/master-on-the-host.md": "tests/e2e/test_ros.py",
    "docs/how-to/swarm-services.md": "tests/e2e/test_swarm.py",
    "docs/how-to/troubleshooting.md": "tests/e2e/test_doctor.py, test_verify.py",
    "docs/how-to/vlans.md": "tests/e2e/test_machine.py",
    "docs/how-to/wi-fi.md": "Wi-Fi, and ipvlan in the kernel",
    "docs/one-chair.md": "tests/e2e/test_chair.py",
    "docs/ros.md": "tests/e2e/test_ros.py",
    "docs/tutorial.md": "packages by apt-get and pip: tests/e2e/test_plugin_packaging.py",
    "docs/verify.md": "tests/e2e/test_verify.py",
    "examples/compose_project/README.md": "tests/e2e/test_examples.py",
    "examples/gui_gpu/README.md": "an X server and a GPU",
    "examples/harmoni/README.md": "tests/e2e/test_examples.py",
    "examples/swarm/README.md": "tests/e2e/test_examples.py",
    "examples/talker_listener/README.md": "tests/e2e/test_examples.py",
    "examples/talker_listener_ros2/README.md": "tests/e2e/test_examples.py",
}
_OURS = re.compile(
    r"(?:^ *(?:sudo (?:--\S+ )?)?|\$\((?:sudo )?)macvlan-ros (?P<words>[^|&;>)\"#]*)"
)


def test_each_page_with_other_blocks_has_a_reason_for_them() -> None:
    assert {str(path.relative_to(ROOT)) for path in PAGES} == set(ELSEWHERE)
    for reason in ELSEWHERE.values():
        folder = Path()
        for name in re.findall(r"[\w/]+\.py", reason):
            folder = Path(name).parent if "/" in name else folder
            assert (ROOT / folder / Path(name).name).exists(), name


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_commands_that_no_test_types_are_such_as_there_are(path: Path) -> None:
    for words in commands(path):
        command, rest = below(cli.cli, words)
        command.make_context(words[0], rest, parent=click.Context(cli.cli))


def below(command: click.Command, words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that the words name, and its own words."""
    context = click.Context(command)
    found = command.get_command(context, words[0]) if isinstance(command, click.Group) else None
    if found is None:
        return command, words
    return below(found, words[1:]) if words[1:] else (found, [])


def commands(path: Path) -> Iterator[list[str]]:
    """The words of each of our commands, without what the shell does with them."""
    for block in untyped(path):
        for line in block.replace("\\\n", " ").splitlines():
            for match in _OURS.finditer(line.partition("  #")[0]):
                words = shlex.split(match["words"])
                if "…" not in words:
                    yield words
