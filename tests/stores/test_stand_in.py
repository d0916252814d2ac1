"""What the copy does in etcd's place: what is given up meanwhile, and who may have it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from macvlan_ros.defence import conflicts
from macvlan_ros.errors import StoreAway
from macvlan_ros.models.pools import DYNAMIC, Record, Reservation
from macvlan_ros.stores import copied, copy_file, copy_mirror, etcd_exact, settling, stand_in
from macvlan_ros.stores.etcd import EtcdStore
from macvlan_ros.stores.etcd_space import EtcdSpace
from tests.stores.cut_off import Pc, used, want
from tests.stores.processes import die_after, fork, run_all

pytestmark = pytest.mark.alone


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
    modules = (copied, copy_file, copy_mirror, etcd_exact, settling, stand_in)
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
