"""The local copy of a store on etcd: while etcd is away, and when it is back."""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from netaddr import IPAddress

from macvlan_ros import conflicts
from macvlan_ros.around import Surroundings
from macvlan_ros.errors import AddressInUse, Forbidden, StoreAway, StoreDown
from macvlan_ros.ipam import Ipam
from macvlan_ros.models.pools import DYNAMIC, Record, Reservation
from macvlan_ros.notation import parse_pool
from macvlan_ros.opening import open_for
from macvlan_ros.settings import Settings
from macvlan_ros.stores import copied, copy_file, etcd_exact, settling, stand_in
from macvlan_ros.stores.copied import CopiedStore
from macvlan_ros.stores.etcd import EtcdStore
from macvlan_ros.stores.etcd_kv import Entry
from macvlan_ros.stores.etcd_seen import Seen
from macvlan_ros.stores.etcd_space import EtcdSpace
from macvlan_ros.stores.picture import Picture
from tests.stores.etcd_server import Etcd, running
from tests.stores.gateway import Relay
from tests.stores.processes import as_nobody, die_after, fork, run_all

pytestmark = pytest.mark.alone

LAB = parse_pool("lab", subnet="10.0.0.0/24")


def want(owner: str, last: int, *, host: str = "qtpc", kind: str = "static") -> Reservation:
    mac = f"02:00:00:00:00:{last:02x}"
    return Reservation(
        "lab", IPAddress(f"10.0.0.{last}"), owner, mac, host, "2026-11-02T10:00:00Z", kind
    )


class Pc:
    """A host whose way to etcd can be cut."""

    def __init__(self, etcd: str, folder: Path, host: str = "qtpc") -> None:
        self.relay = Relay(etcd)
        self.folder, self.host = folder, host
        self.notes: list[str] = []

    def open(self) -> CopiedStore:
        settings = Settings(
            store=f"etcd://{self.relay.address}/lab", host=self.host, etcd_copy=str(self.folder)
        )
        store = open_for(settings, note=self.notes.append)
        assert isinstance(store, CopiedStore)
        return store


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Etcd]:
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


@contextmanager
def used(pc: Pc) -> Iterator[CopiedStore]:
    with closing(pc.open()) as store:
        yield store


def ipam(store: CopiedStore, **more: object) -> Ipam:
    return Ipam(store, surroundings=lambda _: Surroundings(), host="qtpc", **more)  # type: ignore[arg-type]


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


def test_a_container_that_is_restarted_while_etcd_is_away_gets_its_address_again(
    pc: Pc, truth: EtcdStore
) -> None:
    """What this host gave up while etcd was away is still its own there."""
    held = want("dynamic:1", 9, kind=DYNAMIC)
    with used(pc) as store:
        store.reserve([held])
        pc.relay.refuse()
        store.pools()  # from here on nothing is sent to etcd that it might have done
        assert store.release("lab", ["dynamic:1"]) == (held,)
        again = replace(held, created="2026-11-03T10:00:00Z")
        (stands,) = store.reserve([again])
        assert stands is again
        assert store.holder(held.address) == held
        with pytest.raises(StoreAway):
            store.reserve([want("dynamic:2", 10, kind=DYNAMIC)])
        pc.relay.forward()
    with used(pc) as store:
        assert store.reservations() == (held,)
    assert truth.reservations() == (held,)


def test_what_an_anonymous_container_gives_up_another_one_gets_while_etcd_is_away(
    pc: Pc, truth: EtcdStore
) -> None:
    """Docker gives a container that nobody has named another MAC at each start."""
    first, other = want("dynamic:1", 9, kind=DYNAMIC), want("dynamic:2", 10, kind=DYNAMIC)
    later = [want(f"dynamic:{number}", 9, kind=DYNAMIC) for number in range(3, 6)]
    truth.reserve([want("dynamic:6", 11, kind=DYNAMIC, host="qtrp")])
    with used(pc) as store:
        store.reserve([first, other, want("talker", 5)])
        assert store.spare("lab") == ()
        pc.relay.refuse()
        store.pools()
        store.release("lab", ["dynamic:2", "talker", "dynamic:1"])
        assert store.spare("lab") == (other, first)
        for new in later:
            assert store.reserve([new])[0] is new
            assert store.spare("lab") == (other,)
            assert store.holder(new.address) == new
            with pytest.raises(StoreAway, match="no address can be reserved for 'dynamic:7'"):
                store.reserve([want("dynamic:7", 9, kind=DYNAMIC)])
            store.release("lab", [new.owner])
            assert store.holder(new.address) is None
        with pytest.raises(StoreAway, match="no address can be reserved for 'camera'"):
            store.reserve([replace(want("camera", 9))])
        last = later[0]
        assert store.reserve([last])[0] is last
        assert store.file.standing().waiting == 3
        pc.relay.forward()
    with used(pc) as store:
        assert store.reservations("lab")[0] == last
    assert [each.owner for each in truth.reservations()] == [last.owner, "dynamic:6"]
    assert truth.holder(last.address) == last
    assert truth.inspect() == ()


def test_what_etcd_may_have_heard_is_not_handed_on(pc: Pc, truth: EtcdStore) -> None:
    """It released the address, and its answer was lost: somebody else may have it by now."""
    held = want("dynamic:1", 9, kind=DYNAMIC)
    with used(pc) as store:
        store.reserve([held])
        pc.relay.silence()
        assert store.release("lab", ["dynamic:1"]) == (held,)
        assert store.spare("lab") == ()
        for owner in ("dynamic:1", "dynamic:2"):
            with pytest.raises(StoreAway, match="no address can be reserved"):
                store.reserve([want(owner, 9, kind=DYNAMIC)])
        pc.relay.forward()
    with used(pc) as store:
        assert store.reservations() == ()
    assert truth.reservations() == ()


def test_an_address_is_handed_on_once(pc: Pc, truth: EtcdStore) -> None:
    with used(pc) as store:
        store.reserve([want("dynamic:1", 9, kind=DYNAMIC)])
        pc.relay.refuse()
        store.pools()
        store.release("lab", ["dynamic:1"])

    def ask(number: int) -> Callable[[], bool]:
        def work() -> bool:
            with used(pc) as store, suppress(StoreAway):
                store.pools()
                return bool(store.reserve([want(f"dynamic:{number}", 9, kind=DYNAMIC)]))
            return False

        return work

    assert sorted(run_all([ask(number) for number in range(2, 6)])) == [False, False, False, True]
    pc.relay.forward()
    with used(pc) as store:
        (held,) = store.reservations()
    assert truth.reservations() == (held,)


@pytest.mark.parametrize("what", ["released", "given", "the owner has another", "no pool"])
def test_what_others_do_with_an_address_that_is_handed_on_counts(
    pc: Pc, truth: EtcdStore, what: str
) -> None:
    first, new = want("dynamic:1", 9, kind=DYNAMIC), want("dynamic:2", 9, kind=DYNAMIC)
    with used(pc) as store:
        store.reserve([first])
        pc.relay.refuse()
        store.pools()
        store.release("lab", ["dynamic:1"])
        store.reserve([new])
    theirs = replace(want("camera", 9, host="qtrp"), mac="02:00:00:00:01:01")
    elsewhere = want("dynamic:2", 10, kind=DYNAMIC, host="qtrp")
    truth.release("lab", ["dynamic:1"])
    stands: tuple[Reservation, ...] = (new,)
    if what == "given":
        stands = truth.reserve([theirs])
    elif what == "the owner has another":
        stands = truth.reserve([elsewhere])
    elif what == "no pool":
        truth.remove_pool("lab")
        stands = ()
    pc.relay.forward()
    with used(pc) as store:
        assert store.reservations() == stands
        assert store.file.standing().waiting == 0
        told, lost = " ".join(pc.notes), conflicts.recent(store)
    assert truth.reservations() == stands
    assert truth.inspect() == ()
    assert ("10.0.0.9 is not 'dynamic:2''s: 'camera' on qtrp has 10.0.0.9" in told) == (
        what == "given"
    )
    assert ("'dynamic:2' on qtrp has 10.0.0.10 by now" in told) == (what == "the owner has another")
    assert ("its pool 'lab' is gone" in told) == (what == "no pool")
    assert [each.owner for each in lost] == (["dynamic:2"] if what == "given" else [])


def test_an_exchange_that_may_have_been_made_already_is_made_up_for(
    pc: Pc, truth: EtcdStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """etcd did it and went away again; the container is restarted once more meanwhile."""
    exchange = etcd_exact.exchange
    names = [want(f"dynamic:{number}", 9, kind=DYNAMIC) for number in range(1, 4)]

    def lose_the_answer(*values: Reservation, mark: str, deadline: float) -> str:
        exchange(*values, mark=mark, deadline=deadline)  # type: ignore[arg-type]
        pc.relay.refuse()
        raise StoreAway("it broke off")

    with used(pc) as store:
        store.reserve(names[:1])
        pc.relay.refuse()
        store.pools()
        store.release("lab", ["dynamic:1"])
        store.reserve(names[1:2])
    pc.relay.forward()
    monkeypatch.setattr(etcd_exact, "exchange", lose_the_answer)
    with used(pc) as store:
        assert store.reservations() == (names[1],)
        assert truth.reservations() == (names[1],)
        store.release("lab", ["dynamic:2"])
        assert store.spare("lab") == (names[1],)
        store.reserve(names[2:])
    monkeypatch.undo()
    pc.relay.forward()
    with used(pc) as store:
        assert store.reservations() == (names[2],)
    assert truth.reservations() == (names[2],)
    assert truth.inspect() == ()


def test_what_may_have_been_released_already_is_not_taken_back(
    pc: Pc, truth: EtcdStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """etcd did it and went away again; somebody else has the address by now."""
    release = etcd_exact.release

    def lose_the_answer(space: EtcdSpace, held: Reservation, *, deadline: float) -> bool:
        release(space, held, deadline=deadline)
        pc.relay.refuse()
        raise StoreAway("it broke off")

    with used(pc) as store:
        store.reserve([want("talker", 5)])
        pc.relay.refuse()
        store.release("lab", ["talker"])
    pc.relay.forward()
    monkeypatch.setattr(etcd_exact, "release", lose_the_answer)
    other = replace(want("camera", 5, host="qtrp"), mac="02:00:00:00:01:01")
    with used(pc) as store:
        assert store.held("lab", ["talker"]) == ()
        assert truth.reserve([other])[0] is other
        with pytest.raises(StoreAway, match="no address can be reserved for 'talker'"):
            store.reserve([want("talker", 5)])
    monkeypatch.undo()
    pc.relay.forward()
    with used(pc) as store:
        assert store.reservations() == (other,)


def test_whatever_step_it_is_killed_before_all_is_made_in_etcd_once(
    pc: Pc, truth: EtcdStore
) -> None:
    """Every few lines, for each costs a process: while etcd is away, and while it is told."""
    other = replace(want("camera", 9, host="qtrp"), mac="02:00:00:00:01:01")
    anonymous, again = (want(f"dynamic:{each}", 11, kind=DYNAMIC) for each in (1, 2))
    modules = (copied, copy_file, etcd_exact, settling, stand_in)
    status, steps, deaths = -signal.SIGKILL, 0, 0
    while status:
        for owner in ("talker", "camera", "dynamic:2"):
            truth.release("lab", [owner])
        with used(pc) as store:
            store.reserve([want("talker", 5), want("master", 9), anonymous])
            store.remember(Record("use", "a", "qtpc", "1"), replace=True)
        pc.relay.refuse()

        def cut_off(_: int, steps: int = steps) -> None:
            die_after(steps, *modules)
            with used(pc) as store:
                store.forget("use", "a")
                store.remember(Record("use", "b", "qtpc", "1"), replace=True)
                store.release("lab", ["talker"])
                store.release("lab", ["dynamic:1"])
                store.reserve([again])

        with fork(cut_off) as child:
            child.read()
            first = child.wait()
        truth.release("lab", ["master"])
        truth.reserve([other])
        with used(pc) as store:  # the rest, by a process that lives
            store.forget("use", "a")
            store.remember(Record("use", "b", "qtpc", "1"), replace=True)
            for owner in ("talker", "dynamic:1"):
                store.release("lab", [each.owner for each in store.held("lab", [owner])])
            store.reserve([again])
        pc.relay.forward()

        def back(_: int, steps: int = steps) -> None:
            die_after(steps, *modules)
            with used(pc) as store:
                store.settle()

        with fork(back) as child:
            child.read()
            status = child.wait()
        deaths += (first != 0) + (status != 0)
        with used(pc) as store:
            assert store.reservations() == (other, again)
            assert store.file.standing().waiting == 0
            assert not store.file.standing().away
            (seen,) = conflicts.recent(store)
            assert seen.owner == "master"
        assert truth.reservations() == (other, again)
        assert truth.recall("use") == (Record("use", "b", "qtpc", "1"),)
        assert truth.inspect() == ()
        truth.forget("conflict", f"qtpc/10.0.0.9/{other.mac}")
        steps += 53
    assert deaths > 8


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


# -- the picture -----------------------------------------------------------------------------------


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
