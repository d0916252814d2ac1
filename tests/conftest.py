"""Fixtures that every test may use: the lab, shared or of one's own."""

from __future__ import annotations

import contextlib
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from .lab import Lab, LabError

# How long an example takes says more about the machine and its load than about the code.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")

# A shell starts what runs in the background with SIGINT ignored, and all that a test starts would
# inherit that: Ctrl-C could not be tested there.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@contextlib.contextmanager
def started(**options: Any) -> Iterator[Lab]:
    """A running lab. Where none can be had the test fails, with one sentence: it never skips."""
    with contextlib.ExitStack() as stack:
        try:
            lab = stack.enter_context(Lab(**options))
        except LabError as error:
            pytest.fail(str(error), pytrace=False)
        yield lab


@pytest.fixture(scope="session")
def shared_lab() -> Iterator[Lab]:
    """The session's lab; tests take `lab`, which tidies up behind them."""
    with started() as lab:
        yield lab


@pytest.fixture
def lab(shared_lab: Lab) -> Iterator[Lab]:
    """Two PCs, qtpc and qtrp, with a Docker Engine each and nothing on them but images."""
    yield shared_lab
    shared_lab.reset()


@pytest.fixture
def make_lab() -> Iterator[Callable[..., Lab]]:
    """Makes labs of one's own, with Lab's options; they end with the test.

    For tests that break things for good, or that need another LAN. Half a second with engines.
    """
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(started(**options))


#: Folders whose tests measure time; others say so with a mark of their own.
_ALONE = ("netns", "plugin")


#: The files that take longest, half a minute and more on a machine that does nothing else: they
#: begin first, so that not one of them is left at the end. Of these, those come later that need
#: what is fetched meanwhile.
_FIRST = (
    *("plugin_dead", "plugin_restarts", "watch", "plugin", "reach", "launch", "chair"),
    *("verify", "reach_watch", "machine", "newer_engines", "ros", "launch_ipv6", "demo"),
    *("how_tos", "pages", "troubleshooting"),
    *("plugin_shim", "ros2", "compose", "examples", "dockerfile", "leases", "bad_input"),
    *("chaos", "release", "plugin_packaging", "doctor", "hosts", "etcd_away", "swarm"),
    *("three_hosts", "netns/arp", "netns/prober", "netns/watcher", "netns/leases", "netns/verify"),
    *("netns/mdns", "netns/shim"),
)
#: Then what waits for engines; what only computes fills the gaps at the end.
_FOLDERS = ("e2e", "lab", "docs", "netns", "stores", "plugin")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what must not run beside other tests, and put the files that take longest first."""
    here = Path(__file__).parent
    for item in items:
        if item.path.relative_to(here).parts[0] in _ALONE:
            item.add_marker(pytest.mark.alone)
    sizes = Counter(item.path for item in items)

    def rank(item: pytest.Item) -> tuple[int, int, int, str]:
        path = item.path
        folder, name = path.relative_to(here).parts[0], path.stem.removeprefix("test_")
        name = name if folder in ("e2e", "lab", "docs") else f"{folder}/{name}"
        first = _FIRST.index(name) if name in _FIRST else len(_FIRST)
        kind = _FOLDERS.index(folder) if folder in _FOLDERS else len(_FOLDERS)
        return first, kind, -sizes[path], str(path)

    items.sort(key=rank)  # which keeps the order within a file
