"""The local copy of a store on etcd: while etcd is away, and when it is back."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from netaddr import IPAddress

from macvlan_ros.defence import conflicts
from macvlan_ros.errors import AddressInUse, Forbidden, StoreAway, StoreDown
from macvlan_ros.models.pools import Record
from macvlan_ros.notation import parse_pool
from macvlan_ros.stores import settling
from macvlan_ros.stores.copied import CopiedStore
from macvlan_ros.stores.etcd import EtcdStore
from macvlan_ros.stores.etcd_kv import Entry
from macvlan_ros.stores.etcd_seen import Seen
from tests.stores.cut_off import LAB, Pc, ipam, used, want
from tests.stores.etcd_server import Etcd, running
from tests.stores.processes import as_nobody, fork

pytestmark = pytest.mark.alone


@pytest.mark.parametrize("how", ["refuse", "silence"])
def test_while_etcd_is_away_what_was_given_is_known_and_nothing_new_is_given(
    pc: Pc, how: str
) -> None:
    with used(pc) as store:
        (talker,) = store.reserve([want("talker", 5)])
        assert store.reservations() == (talker,)
        assert store.age() is None
    getattr(pc.relay, how)()
    with used(pc) as store:
        began = time.monotonic()
        assert store.reservations() == (talker,)
        assert store.held("lab", ["talker", "listener"]) == (talker,)
        assert store.pools() == (LAB,)
        assert store.holder(talker.address) == talker
        assert store.owner_of_mac("lab", talker.mac) == talker
        assert store.taken("lab") == (int(talker.address),)
        assert store.add_pool(LAB) == LAB
        again = store.reserve([replace(talker)])
        assert time.monotonic() - began < 5
        assert again == (talker,)
        age = store.age()
        assert age is not None
        assert 0 <= age < 30
        (note,) = pc.notes
        assert "etcd cannot be used" in note
        assert "answered from this PC's copy, " in note
        assert "seconds old" in note
        acts: list[tuple[Callable[[], object], str]] = [
            (lambda: ipam(store).allocate("lab", ["listener"]), "no address can be reserved for"),
            (lambda: store.add_pool(parse_pool("b", subnet="10.1.0.0/24")), "pool 'b' cannot be"),
            (lambda: store.remove_pool("lab"), "pool 'lab' cannot be removed"),
            (lambda: store.release("lab", ["stranger"]), "'stranger' holds an address is not"),
            (lambda: store.pool("other"), "the pool is not known here"),
            (store.inspect, "the store cannot be checked"),
        ]
        for act, said in acts if how == "refuse" else acts[:2]:
            began = time.monotonic()
            with pytest.raises(StoreAway, match=f"{said}.* while etcd is away: .*127.0.0.1"):
                act()
            assert time.monotonic() - began < 5


def test_without_a_copy_the_error_says_that_etcd_is_away(pc: Pc) -> None:
    pc.relay.refuse()
    with used(pc) as store:
        for act in (store.pools, store.reservations, lambda: store.reserve([want("a", 5)])):
            with pytest.raises(StoreAway, match="etcd cannot be used"):
                act()


def test_what_happens_meanwhile_is_made_in_etcd_when_it_is_back(pc: Pc, truth: EtcdStore) -> None:
    endpoint, use = Record("endpoint", "qtpc/1", "qtpc", "a"), Record("use", "lab/5", "qtpc", "b")
    with used(pc) as store:
        store.reserve([want("talker", 5), want("listener", 6)])
        store.remember(endpoint)
    pc.relay.refuse()
    with used(pc) as store:
        assert store.release("lab", ["listener"]) == (want("listener", 6),)
        assert store.held("lab", ["listener"]) == ()
        assert store.remember(replace(endpoint, value="c"), replace=True).value == "c"
        assert store.remember(use) is use
        assert store.remember(replace(use)) is not use
        assert store.forget("endpoint", "qtpc/1") is True
        assert store.forget("endpoint", "qtpc/1") is False
    with used(pc) as store:
        assert store.reservations() == (want("talker", 5),)
        assert store.recall("use") == (use,)
    assert len(truth.reservations()) == 2
    pc.relay.forward()
    with used(pc) as store:
        assert store.reservations() == (want("talker", 5),)
        assert store.age() is None
        assert store.file.standing().waiting == 0
    assert truth.reservations() == (want("talker", 5),)
    assert truth.recall("use") == (use,)
    assert truth.recall("endpoint") == ()
    assert truth.inspect() == ()
    assert any("told what happened while it was away: 3 changes" in each for each in pc.notes)


def test_an_address_that_was_given_elsewhere_meanwhile_is_theirs_and_that_is_told(
    pc: Pc, truth: EtcdStore
) -> None:
    with used(pc) as store:
        store.reserve([want("talker", 5), want("listener", 6), want("master", 7)])
    pc.relay.refuse()
    with used(pc) as store:
        store.release("lab", ["listener"])  # too late: somebody else has done so, and reserved
        store.remember(Record("use", "lab/10.0.0.5", "qtpc", "x"))
    other = replace(want("camera", 5, host="qtrp"), mac="02:00:00:00:01:01")
    anew = replace(want("listener", 6, host="qtrp"))
    truth.release("lab", ["talker", "listener"])
    truth.reserve([other, anew])
    truth.remember(Record("use", "lab/10.0.0.5", "qtrp", "y"))
    pc.relay.forward()
    with used(pc) as store:
        assert store.reservations() == (other, anew, want("master", 7))
        told = " ".join(pc.notes)
        assert "10.0.0.5 of 'talker' was given to 'camera' on qtrp while this PC was cut" in told
        assert "'listener' was not released, for it has been reserved anew" in told
        assert "use lab/10.0.0.5 is qtrp's by now" in told
        (seen,) = conflicts.recent(store)
        assert (seen.host, seen.owner, str(seen.address)) == ("qtpc", "talker", "10.0.0.5")
        assert seen.mac == other.mac
    assert truth.reservations() == (other, anew, want("master", 7))
    assert truth.recall("use") == (Record("use", "lab/10.0.0.5", "qtrp", "y"),)


def test_another_pcs_records_stay_as_they_are(pc: Pc, truth: EtcdStore) -> None:
    use = truth.remember(Record("use", "lab/10.0.0.5", "qtrp", "y"))
    with used(pc) as store:
        assert store.recall("use") == (use,)
        pc.relay.refuse()
        assert store.remember(Record("use", "lab/10.0.0.5", "qtpc", "x")) == use
        with pytest.raises(StoreAway, match="qtrp has written"):
            store.forget("use", "lab/10.0.0.5")


def test_two_processes_that_find_etcd_back_at_once_tell_it_once(pc: Pc, truth: EtcdStore) -> None:
    with used(pc) as store:
        store.reserve([want("talker", 5)])
        pc.relay.refuse()
        store.release("lab", ["talker"])
    pc.relay.forward()

    def settle(_: int) -> None:
        with used(pc) as store:
            assert store.reservations() == ()

    with fork(settle) as one, fork(settle) as other:
        for child in (one, other):
            child.read()
            assert child.wait() == 0
    assert truth.reservations() == ()


def test_an_owner_that_is_known_is_asked_for_on_the_lan_while_etcd_is_away(pc: Pc) -> None:
    asked: list[str] = []
    there: dict[IPAddress, str] = {}

    def ask(_: object, addresses: list[IPAddress]) -> dict[IPAddress, str]:
        asked.extend(map(str, addresses))
        return there

    with used(pc) as store:
        over = ipam(store, ask=ask)
        (made,) = over.allocate("lab", ["talker"])
        own = made.reservation.address
        asked.clear()
        over.allocate("lab", ["talker"])
        assert asked == []
        pc.relay.refuse()
        (again,) = over.allocate("lab", ["talker"])
        assert (again.reservation, again.new) == (made.reservation, False)
        assert asked == [str(own)]
        there[own] = made.reservation.mac  # the very same owner, on another PC
        with pytest.raises(AddressInUse, match=r"in use on the LAN by .*, and the store is away"):
            over.allocate("lab", ["talker"])


@pytest.mark.parametrize("how", ["everything", "by and by"])
def test_the_copy_knows_who_has_what_after_others_have_exchanged_it(
    pc: Pc, truth: EtcdStore, how: str
) -> None:
    talker, camera = want("talker", 5), want("camera", 6)
    moved, anew = want("talker", 7), replace(want("microphone", 6, host="qtrp"))
    with used(pc) as store:
        store.reserve([talker, camera])
        truth.exchange(talker, moved)
        truth.release("lab", ["camera"])
        truth.reserve([anew])
        if how == "everything":
            settling.refresh(store.space, store.file, deadline=time.monotonic() + 5)
        else:
            for held in (moved, anew, talker):
                store.holder(held.address)
        pc.relay.refuse()
        assert store.held("lab", ["talker", "camera", "microphone"]) == (moved, anew)
        assert store.owner_of_mac("lab", moved.mac) == moved
        assert store.holder(talker.address) is None
        assert store.reservations() == (anew, moved)


def test_an_etcd_that_was_set_back_to_an_older_state_is_copied_as_it_is(pc: Pc) -> None:
    """From a snapshot, say: its revisions go on from where they were then."""
    with used(pc) as store:
        store.reserve([want("talker", 5)])
        cluster = store.file.standing().cluster
        later = Entry(store.space.record_key("use", "x"), "?", 10**6)
        store.file.take(Seen(cluster, 10**6, (later,), whole=store.space.all_of_it))
        assert store.file.under(store.space.address_key()) == ()
        revision = settling.refresh(store.space, store.file, deadline=time.monotonic() + 5)
        assert revision < 10**6
        pc.relay.refuse()
        assert store.reservations() == (want("talker", 5),)
        assert store.recall("use") == ()


def test_an_etcd_that_was_made_anew_is_not_mixed_with_the_old_one(
    pc: Pc, truth: EtcdStore, tmp_path: Path
) -> None:
    assert truth.pools() == (LAB,)
    with used(pc) as store:
        store.reserve([want("talker", 5)])
    (tmp_path / "new").mkdir()
    with running(tmp_path / "new") as etcd, closing(EtcdStore(etcd.url("lab"))) as anew:
        anew.add_pool(LAB)
        pc.relay.lead_to(etcd.members[0].client)
        with used(pc) as store:
            assert store.reservations() == ()
            pc.relay.refuse()
            assert store.reservations() == ()


def test_the_copy_does_not_hide_that_a_prefix_is_of_a_newer_version(pc: Pc, server: Etcd) -> None:
    with used(pc) as store:
        store.reserve([want("talker", 5)])
    server.ctl("put", "/lab/version", "7")
    with used(pc) as store:
        with pytest.raises(StoreDown, match=r"schema version 7, .* upgrade it"):
            store.reservations()
        with pytest.raises(StoreDown, match=r"schema version 7, .* upgrade it"):
            store.release("lab", ["talker"])
        assert store.file.standing().waiting == 0


def test_a_user_without_rights_reads_the_copy_and_leaves_it_alone(pc: Pc) -> None:
    with tempfile.TemporaryDirectory(prefix="macvlan-ros-test-") as folder:
        Path(folder).chmod(0o755)  # every user may enter it, but not pytest's own
        pc.folder = Path(folder)
        look_without_rights(pc)


def look_without_rights(pc: Pc) -> None:
    with used(pc) as store:
        store.reserve([want("talker", 5)])
        store.reservations()

    def look(act: Callable[[CopiedStore], object]) -> tuple[object, list[str]]:
        def work() -> tuple[object, list[str]]:
            with used(pc) as store:
                return act(store), pc.notes

        return as_nobody(work)

    before = sorted((each.name, each.stat().st_mtime) for each in pc.folder.iterdir())
    assert look(lambda store: store.reservations()) == ((want("talker", 5),), [])
    pc.relay.refuse()
    found, notes = look(lambda store: store.reservations())
    assert found == (want("talker", 5),)
    assert len(notes) == 1
    with pytest.raises(Forbidden):
        look(lambda store: store.release("lab", ["talker"]))
    assert sorted((each.name, each.stat().st_mtime) for each in pc.folder.iterdir()) == before


def test_a_copy_that_cannot_be_used_does_not_stand_in_the_way_of_etcd(pc: Pc) -> None:
    pc.folder.mkdir()
    (pc.folder / "copy-lab.db").write_text("this is no copy, and longer than nothing" * 100)
    with used(pc) as store:
        store.reserve([want("talker", 5)])
        assert store.reservations() == (want("talker", 5),)
        assert any("the local copy of the store is not kept up: " in each for each in pc.notes)
        pc.relay.refuse()
        with pytest.raises(StoreDown, match="etcd cannot be used"):
            store.reservations()
