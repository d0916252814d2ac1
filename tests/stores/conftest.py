"""The stores that have to keep the promise. A new one is one more fixture and one more name."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from macvlan_ros.models.pools import Record
from macvlan_ros.stores import LocalCopy, open_store
from macvlan_ros.stores.base import Store
from macvlan_ros.stores.etcd import EtcdStore
from macvlan_ros.stores.settling import Lost
from tests.stores.cut_off import LAB, Pc
from tests.stores.etcd_server import Etcd, running

#: Opens one more handle on the same store, as another process would.
Opener = Callable[[], Store]

_prefixes = itertools.count()


@pytest.fixture(scope="session")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    """One etcd for all tests that do it no harm; each takes a prefix of its own."""
    with running(tmp_path_factory.mktemp("etcd")) as server:
        yield server


@pytest.fixture
def etcd_url(etcd: Etcd) -> str:
    """An empty prefix of the shared etcd."""
    return etcd.url(f"test{next(_prefixes)}")


def _memory(_: pytest.FixtureRequest) -> Opener:
    store = open_store("memory:")
    return lambda: store


def _sqlite(request: pytest.FixtureRequest) -> Opener:
    folder: Path = request.getfixturevalue("tmp_path")
    return lambda: open_store(f"sqlite://{folder}/state.db")


def _etcd(request: pytest.FixtureRequest) -> Opener:
    url: str = request.getfixturevalue("etcd_url")
    return lambda: open_store(url)


def no_witness(lost: Lost) -> Record:
    raise AssertionError(f"nothing gets lost here: {lost}")


def _copied(request: pytest.FixtureRequest) -> Opener:
    url: str = request.getfixturevalue("etcd_url")
    folder: Path = request.getfixturevalue("tmp_path")
    copy = LocalCopy(folder, "qtpc", no_witness)
    return lambda: open_store(url, copy=copy)


KINDS: dict[str, Callable[[pytest.FixtureRequest], Opener]] = {
    "memory": _memory,
    "sqlite": _sqlite,
    "etcd": _etcd,
    "copied": _copied,
}


@pytest.fixture(params=KINDS)
def opener(request: pytest.FixtureRequest) -> Iterator[Opener]:
    open_one = KINDS[request.param](request)
    opened: list[Store] = []

    def opener() -> Store:
        opened.append(open_one())
        return opened[-1]

    yield opener
    for store in opened:
        store.close()


@pytest.fixture
def store(opener: Opener) -> Store:
    return opener()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Etcd]:
    """An etcd of one's own."""
    with running(tmp_path) as etcd:
        yield etcd


@pytest.fixture
def truth(server: Etcd) -> Iterator[EtcdStore]:
    """etcd as another host sees it."""
    with closing(EtcdStore(server.url("lab"))) as store:
        store.add_pool(LAB)
        yield store


@pytest.fixture
def pc(server: Etcd, truth: EtcdStore, tmp_path: Path) -> Iterator[Pc]:
    assert truth.pools() == (LAB,)
    made = Pc(server.members[0].client, tmp_path / "pc")
    yield made
    made.relay.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where an SQLite file shall be."""
    return tmp_path / "state.db"


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that every user may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="macvlan-ros-test-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
