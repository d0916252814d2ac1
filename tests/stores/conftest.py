"""The stores that have to keep the promise. A new one is one more fixture and one more name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from macvlan_ros.stores import Store, open_store

#: Opens one more handle on the same store, as another process would.
Opener = Callable[[], Store]


def _memory(_: Path) -> Opener:
    store = open_store("memory:")
    return lambda: store


def _sqlite(folder: Path) -> Opener:
    return lambda: open_store(f"sqlite://{folder}/state.db")


KINDS: dict[str, Callable[[Path], Opener]] = {"memory": _memory, "sqlite": _sqlite}


@pytest.fixture(params=KINDS)
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    open_one = KINDS[request.param](tmp_path)
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
