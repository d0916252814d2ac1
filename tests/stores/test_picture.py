"""The thread that keeps the copy as etcd is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from macvlan_ros.models.pools import Record
from macvlan_ros.opening import open_for
from macvlan_ros.settings import Settings
from macvlan_ros.stores.copied import CopiedStore
from macvlan_ros.stores.etcd import EtcdStore
from macvlan_ros.stores.picture import Picture
from tests.stores.cut_off import LAB, Pc, used, want
from tests.stores.etcd_server import Etcd, running

pytestmark = pytest.mark.alone


def until(found: Callable[[], object], *, seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, "it does not come about"
        time.sleep(0.01)


@contextmanager
def watching(store: CopiedStore) -> Iterator[Picture]:
    picture = Picture(store, lasts=1.0, pause=0.1)
    picture.start()
    try:
        yield picture
    finally:
        picture.stop()


def test_the_picture_has_what_others_do(pc: Pc, truth: EtcdStore) -> None:
    with used(pc) as store, watching(store):
        until(lambda: store.file.standing().current)

        def known() -> list[str]:
            return [each.owner for each in store._copy.reservations()]

        truth.reserve([want("talker", 5, host="qtrp")])
        began = time.monotonic()
        until(lambda: known() == ["talker"])
        assert time.monotonic() - began < 1, "it is told at once"
        truth.release("lab", ["talker"])
        until(lambda: known() == [])
        truth.reserve([want("camera", 6)])
        truth.remember(Record("use", "x", "qtrp", "1"))
        until(lambda: store._copy.recall("use"))
        time.sleep(1.5)  # over the end of a watch
        truth.reserve([want("listener", 7)])
        until(lambda: known() == ["camera", "listener"])
        pc.relay.refuse()
        with used(pc) as other:
            assert [each.owner for each in other.reservations()] == ["camera", "listener"]
            assert (other.age() or 0) < 5


def test_the_picture_comes_back_after_etcd_was_away_and_forgot(
    pc: Pc, truth: EtcdStore, server: Etcd
) -> None:
    with used(pc) as store, watching(store):
        until(lambda: store.file.standing().current)
        pc.relay.silence()
        truth.reserve([want("talker", 5)])
        for value in range(5):
            truth.remember(Record("use", "x", "qtrp", str(value)), replace=True)
        truth.release("lab", ["talker"])
        truth.reserve([want("camera", 6)])
        status = server.ctl("endpoint", "status", "-w", "json")
        revision = status.split('"revision":')[1].split(",")[0].rstrip("}")
        server.ctl("compact", revision)
        pc.relay.forward()
        until(lambda: [each.owner for each in store._copy.reservations()] == ["camera"])


def test_the_picture_outlives_a_member_and_a_restart(tmp_path: Path) -> None:
    with running(tmp_path, members=3) as etcd, closing(EtcdStore(etcd.url("lab"))) as truth:
        truth.add_pool(LAB)
        settings = Settings(store=etcd.url("lab"), host="qtpc", etcd_copy=str(tmp_path / "pc"))
        store = open_for(settings, note=lambda _: None)
        assert isinstance(store, CopiedStore)
        with closing(store), watching(store):
            until(lambda: store.file.standing().current)
            etcd.members[0].kill()
            truth.reserve([want("talker", 5)])
            until(lambda: store._copy.held("lab", ["talker"]))
            etcd.members[1].kill()
            time.sleep(0.5)
            etcd.start(etcd.members[0], etcd.members[1])
            truth.reserve([want("camera", 6)])
            until(lambda: store._copy.held("lab", ["camera"]))
