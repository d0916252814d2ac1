"""Whatever a file holds, it either loads or is refused with one sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from macvlan_ros import stack
from macvlan_ros.errors import StackFileError
from macvlan_ros.models.containers import Service
from macvlan_ros.models.stacks import Stack
from macvlan_ros.stack.keys import REFUSED, REFUSED_TOP
from macvlan_ros.stack.services import SERVICE_KEYS

FUZZ = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def split(text: str) -> list[str]:
    return text.split()


#: Words that mean something somewhere, so that a generated value gets past the first check.
WORDS = split(
    "core talker default host bridge none overlay macvlan all true false 10s 64m 1g -1 0 1 ros "
    "/a:/b ./a:/b:ro data:/c /dev/snd A=1 A $A ${A:-b} ${A $$ 10.0.0.1 10.0.0.0/24 service:core "
    "02:42:ac:11:00:02 bind volume tmpfs service_healthy on-failure:3 service_started ² 1.5 .inf"
)
KEYS = split(
    "driver name external ipam config subnet gateway ip_range type source target read_only bind "
    "tmpfs size mode options test interval retries disable condition required path format soft "
    "hard nofile memlock count device_ids capabilities resources limits reservations devices "
    "replicas restart_policy placement ipv4_address aliases mac_address network pool range "
    "exclude parent master hosts host address mac ros docker default core talker A x-a <<"
)

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from(WORDS), st.text()
)
keys = st.one_of(st.sampled_from(KEYS), st.text(max_size=5))
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)
service_keys = st.sampled_from(sorted({*SERVICE_KEYS, *REFUSED, "imgae", "extends"}))
services = st.dictionaries(
    st.sampled_from(("core", "talker", "a")),
    st.dictionaries(service_keys, values, max_size=4).map(
        lambda entries: {"image": "ros"} | entries
    )
    | values,
    min_size=1,
    max_size=2,
)
tops = st.sampled_from(
    ("networks", "volumes", "name", "x-macvlan-ros", "x-a", "include", *REFUSED_TOP)
)
files = st.builds(
    lambda top, inner: top | {"services": inner},
    st.dictionaries(tops, values, max_size=2),
    services | values,
)


def loads(*texts: str | bytes) -> Stack | None:
    """The stack of these files; None when they are refused. Anything else fails the test."""
    with TemporaryDirectory() as folder:
        paths = []
        for number, text in enumerate(texts):
            paths.append(Path(folder) / f"{number}.yaml")
            data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
            paths[-1].write_bytes(data)
        try:
            loaded = stack.load(paths, environ={"HOME": "/home/qt", "B": "b"})
        except StackFileError as error:
            assert "\n" not in str(error)
            assert folder in str(error) or "compose" in str(error).lower()
            return None
    assert_sound(loaded)
    return loaded


def assert_sound(loaded: Stack) -> None:
    """What a launcher relies on without asking."""
    for service in loaded.services.values():
        assert service.image
        assert len(service.container_name) > 1
        assert all(isinstance(value, str) for value in service.environment.values())
        assert all(mount.target.startswith("/") for mount in service.mounts)
        assert all(mount.source.startswith("/") for mount in service.mounts if mount.kind == "bind")
        assert all(one.service in loaded.services for one in service.depends_on)
        assert hash_of(service)
    assert loaded.services


def hash_of(service: Service) -> int:
    """Every field can be written down, as a label that notices changes needs it."""
    return len(repr(service))


@FUZZ
@given(files)
def test_any_mapping_either_loads_or_is_refused(tree: dict[str, object]) -> None:
    loads(json.dumps(tree))


@FUZZ
@given(files, files)
def test_any_two_files_either_merge_or_are_refused(
    base: dict[str, object], over: dict[str, object]
) -> None:
    loads(json.dumps(base), json.dumps(over))


@FUZZ
@given(service_keys, values)
def test_any_value_of_any_key_either_loads_or_is_refused(key: str, value: object) -> None:
    more = {"networks": {"A": None}, "volumes": {"data": None}}
    tree = {"services": {"core": {"image": "ros"}, "talker": {"image": "ros", key: value}}, **more}
    loads(json.dumps(tree))


@FUZZ
@given(st.text(alphabet="abservic:{}[]&*!|>-\"'#%@`,? \n\t$<", max_size=60))
@example("%YAML 9.9\n---\na: b")
@example("!<tag:yaml.org,2002:int> x: 1")
@example("a: !!int x")
@example("a: !!float y")
@example("a: " + "9" * 5000)
@example("a: !!timestamp x")
@example("? ")
@example("services: {core: {image: ros, <<: {}}}")
def test_any_text_either_loads_or_is_refused(text: str) -> None:
    loads(text)


@FUZZ
@given(st.binary(max_size=60))
def test_any_bytes_either_load_or_are_refused(data: bytes) -> None:
    loads(data)


def good_lines() -> Iterator[str]:
    text = (
        "name: p\nx-macvlan-ros:\n  subnet: 192.168.50.0/24\n  master: core\nservices:\n"
        "  core:\n    image: ros\n    command: [a, b]\n    environment:\n    - A=1\n    - B=$B\n"
        "    volumes:\n    - /a:/b:ro\n    networks:\n      net: {ipv4_address: 172.18.3.4}\n"
        "networks:\n  net:\n    driver: overlay\n"
    )
    yield from text.splitlines(keepends=True)


@pytest.mark.parametrize("gone", range(len(list(good_lines()))))
def test_a_good_file_without_one_of_its_lines_loads_or_is_refused(gone: int) -> None:
    lines = list(good_lines())
    assert loads("".join(lines)) is not None
    loads("".join(lines[:gone] + lines[gone + 1 :]))
