"""Imports point one way, and what is dear to import is imported when it is used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from netaddr import IPAddress, IPNetwork

from macvlan_ros.models.pools import Pool, Reservation
from macvlan_ros.stores import open_store

PACKAGE = Path(__file__).parents[2] / "macvlan_ros"


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = path
    return found


def imports(path: Path, *, whole: bool = True) -> set[str]:
    """Modules that a file imports; without `whole`, only those that loading the file imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in ast.walk(tree) if whole else _at_load(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def _at_load(tree: ast.Module) -> list[ast.AST]:
    return [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]


def importers_of(library: str) -> set[str]:
    return {
        name
        for name, path in modules().items()
        if any(found.split(".")[0] == library for found in imports(path))
    }


@pytest.mark.parametrize(
    ("library", "module"),
    [
        ("docker", "macvlan_ros.engine"),
        ("pyroute2", "macvlan_ros.links"),
        ("zeroconf", "macvlan_ros.lan_names.mdns_voice"),
    ],
)
def test_a_dear_library_is_imported_in_one_module_alone(library: str, module: str) -> None:
    assert importers_of(library) == {module}


def test_packet_sockets_are_opened_in_one_module_alone() -> None:
    using = {name for name, path in modules().items() if "AF_PACKET" in path.read_text("utf-8")}
    assert using == {"macvlan_ros.wire.packet_port"}


def test_nothing_but_the_command_line_imports_cli() -> None:
    for name, path in modules().items():
        if not name.startswith(("macvlan_ros.cli", "macvlan_ros.__main__")):
            assert not any(found.startswith("macvlan_ros.cli") for found in imports(path)), name


def test_the_plugin_never_reaches_the_engine() -> None:
    known = modules()
    todo = [name for name in known if name.startswith("macvlan_ros.plugin")]
    assert todo
    seen: set[str] = set()
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        todo += [found for found in imports(known[name]) if found in known]
    # the command line's root has an engine, so the plugin has a root of its own
    assert not {"macvlan_ros.engine", "macvlan_ros.app", "macvlan_ros.parts"} & seen


DEAR = ["docker", "pyroute2", "rich", "ruamel", "macvlan_ros.models.containers"]
QUICK = [*DEAR, "netaddr", "macvlan_ros.models", "macvlan_ros.app"]


@pytest.mark.parametrize(
    ("arguments", "dear"),
    [
        (["list", "--help"], DEAR),
        (["list"], DEAR),
        (["pool", "list"], DEAR),
        (["launch", "--help"], DEAR),
        (["--help"], QUICK),
        (["list", "-q"], QUICK),
        (["allocate", "-q", "known"], QUICK),
    ],
)
def test_light_commands_load_nothing_dear(
    arguments: list[str], dear: list[str], tmp_path: Path
) -> None:
    store = open_store(f"{tmp_path / 'state.db'}")
    store.add_pool(Pool("lan", IPNetwork("192.168.50.0/24")))
    mac, address = "02:00:00:00:00:01", IPAddress("192.168.50.201")
    store.reserve([Reservation("lan", address, "known", mac)])
    store.close()
    script = (
        "import sys\n"
        "from macvlan_ros.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        f"dear = set({dear}) & set(sys.modules)\n"
        "assert not dear, dear\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, f"--store={tmp_path / 'state.db'}", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=PACKAGE.parent,
    )
    assert done.returncode == 0, done.stderr


def test_the_service_at_rest_has_loaded_no_tls_no_mail_and_no_dear_library() -> None:
    # each is memory that a robot's PC could use otherwise, and time of Docker's at boot
    script = (
        "import sys\n"
        "from macvlan_ros.cli import plugin\n"
        "from macvlan_ros.plugin import parts, service\n"
        "from macvlan_ros.stores import sqlite\n"
        "dear = {'ssl', '_hashlib', 'http', 'email', 'asyncio', 'docker', 'pyroute2', 'rich'}\n"
        "assert not dear & set(sys.modules), dear & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=PACKAGE.parent,
    )
    assert done.returncode == 0, done.stderr
