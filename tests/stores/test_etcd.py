"""The store on etcd: batches, lost answers, versions, and what is not etcd at all."""

from __future__ import annotations

import http.server
import json
import re
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from functools import partial

import pytest
from netaddr import IPAddress

from macvlan_ros.errors import Conflict, InvalidRequest, MacvlanRosError, PoolOverlap, StoreDown
from macvlan_ros.models.pools import Record, Reservation
from macvlan_ros.notation import parse_pool
from macvlan_ros.stores import open_store
from macvlan_ros.stores.etcd import EtcdStore
from tests.stores.etcd_server import Etcd, free_ports
from tests.stores.gateway import Change, between, deaf, dripping
from tests.stores.processes import run_all

pytestmark = pytest.mark.alone

LAB = parse_pool("lab", subnet="10.0.0.0/16")


def want(number: int) -> Reservation:
    address = IPAddress("10.0.0.0") + 1 + number
    mac = f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"
    return Reservation("lab", address, f"owner{number}", mac, "qtpc", "2026-11-02T10:00:00Z")


@pytest.fixture
def store(etcd_url: str) -> Iterator[EtcdStore]:
    with closing(EtcdStore(etcd_url)) as opened:
        opened.add_pool(LAB)
        yield opened


# -- batches ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [39, 40, 41, 300, 1000])
def test_a_batch_of_any_size_is_reserved_and_released_whole(store: EtcdStore, number: int) -> None:
    wanted = [want(n) for n in range(number)]
    stands = store.reserve(wanted)
    assert all(held is want for held, want in zip(stands, wanted, strict=True))
    assert store.reservations() == tuple(wanted)
    assert store.held("lab", [want.owner for want in wanted]) == tuple(wanted)
    assert store.inspect() == ()
    assert store.release("lab", [want.owner for want in wanted]) == tuple(wanted)
    assert store.reservations() == ()
    assert store.inspect() == ()


@pytest.mark.parametrize("number", [10, 300])
def test_a_batch_of_any_size_is_refused_whole(store: EtcdStore, number: int) -> None:
    stranger = replace(want(number - 1), owner="stranger", mac="02:00:00:00:ff:ff")
    known = want(0)
    store.reserve([stranger, known])
    stands = store.reserve([want(n) for n in range(number)])
    assert stands[-1] == stranger
    assert stands[0] == known
    assert stands[0] is not want(0)
    assert store.reservations() == (known, stranger)


def test_a_batch_that_is_too_large_is_refused_with_the_limit(store: EtcdStore) -> None:
    with pytest.raises(InvalidRequest, match=r"1001 names at once.*ask for 1000 at a time"):
        store.reserve([want(n) for n in range(1001)])
    assert store.reservations() == ()


def test_large_batches_side_by_side_are_each_whole(store: EtcdStore, etcd_url: str) -> None:
    """Four of them want overlapping parts; two cannot both have their whole."""

    def reserve(first: int) -> Callable[[], bool]:
        def work() -> bool:
            wanted = [replace(want(first + n), owner=f"p{first}-{n}") for n in range(100)]
            with closing(EtcdStore(etcd_url)) as own:
                stands = own.reserve(wanted)
            return all(held is want for held, want in zip(stands, wanted, strict=True))

        return work

    won = run_all([reserve(first) for first in (0, 50, 100, 150)])
    held = store.reservations()
    assert len(held) == 100 * sum(won) > 0
    assert len({each.owner.partition("-")[0] for each in held}) == sum(won)
    assert store.inspect() == ()


def test_a_batch_costs_by_its_own_size_not_by_what_is_held(
    etcd: Etcd, prefix: str, store: EtcdStore
) -> None:
    store.reserve([want(n) for n in range(600)])
    wanted = [want(n) for n in range(600, 700)]
    answers: list[int] = []

    def note(_: str, __: bytes, answer: bytes) -> bytes:
        answers.append(len(answer))
        return answer

    with through(etcd, prefix, note) as watched:
        watched.reserve(wanted)
        own = max(answers)
        assert watched.held("lab", [each.owner for each in wanted]) == tuple(wanted)
        own = max(own, *answers)
        watched.reservations()
    assert own < answers[-1] / 3


def test_the_first_gap_is_found_however_far_it_is(store: EtcdStore) -> None:
    """Else what is chosen past the end of what was told is held, and the try is lost."""
    store.reserve([want(n) for n in range(600)])
    first = int(want(0).address)
    assert store.taken_near(LAB, [first + 20]) == tuple(range(first + 20, first + 600))
    places = [first + 2 * n for n in range(50)]
    assert store.taken_near(LAB, places) == tuple(range(first, first + 600))


# -- at once ---------------------------------------------------------------------------------------


def test_only_one_of_overlapping_pools_is_added(etcd_url: str) -> None:
    def add(number: int) -> Callable[[], bool]:
        def work() -> bool:
            pool = parse_pool(
                f"p{number}", subnet="10.1.0.0/24", ranges=[f"10.1.0.{5 + number}-10.1.0.40"]
            )
            with closing(EtcdStore(etcd_url)) as own:
                try:
                    own.add_pool(pool)
                except PoolOverlap:
                    return False
            return True

        return work

    assert sum(run_all([add(number) for number in range(6)])) == 1


def test_a_pool_is_never_removed_under_a_reservation(etcd_url: str) -> None:
    """Eight times: one removes the pool while another reserves in it. One of them is refused."""
    with closing(EtcdStore(etcd_url)) as store, closing(EtcdStore(etcd_url)) as other:
        for number in range(8):
            store.add_pool(LAB)
            done: list[str] = []

            def reserve(number: int = number, done: list[str] = done) -> None:
                try:
                    other.reserve([want(number)])
                    done.append("reserved")
                except MacvlanRosError as error:
                    assert "no pool 'lab'" in str(error)

            thread = threading.Thread(target=reserve)
            thread.start()
            try:
                done.append("removed" if store.remove_pool("lab") else "")
            except Conflict as error:
                assert "1 address is held" in str(error)
            thread.join(30)
            assert len(done) == 1
            assert store.inspect() == ()
            if done == ["reserved"]:
                store.release("lab", [f"owner{number}"])


# -- lost answers ----------------------------------------------------------------------------------


@contextmanager
def through(etcd: Etcd, prefix: str, change: Change) -> Iterator[EtcdStore]:
    """A store behind a gateway that changes answers."""
    with ExitStack() as stack:
        place = stack.enter_context(between(etcd.members[0].client, change))
        yield stack.enter_context(closing(EtcdStore(f"etcd://{place}/{prefix}")))


def losing(etcd: Etcd, prefix: str, act: Callable[[EtcdStore], object]) -> tuple[object, int]:
    """What `act` gets when the answer to every transaction that writes is lost once."""
    lost: set[bytes] = set()

    def lose(path: str, request: bytes, answer: bytes) -> bytes | None:
        writes = b"request_put" in request or b"request_delete" in request
        if path == "/v3/kv/txn" and writes and request not in lost:
            lost.add(request)
            return None
        return answer

    with through(etcd, prefix, lose) as store:
        return act(store), len(lost)


@pytest.fixture
def prefix(etcd_url: str) -> str:
    return etcd_url.rpartition("/")[2]


def test_what_was_reserved_without_hearing_so_is_this_calls_own(
    etcd: Etcd, prefix: str, store: EtcdStore
) -> None:
    for wanted in ([want(0), want(1)], [want(n) for n in range(2, 102)]):
        stands, lost = losing(etcd, prefix, partial(EtcdStore.reserve, wanted=wanted))
        assert lost == 1
        assert isinstance(stands, tuple)
        assert all(held is want for held, want in zip(stands, wanted, strict=True))
    assert len(store.reservations()) == 102


def test_what_another_had_reserved_is_not_this_calls_own(
    etcd: Etcd, prefix: str, store: EtcdStore
) -> None:
    """The very same reservation, equal in every field, by another call."""
    store.reserve([want(0)])
    wanted = want(0)
    stands, _ = losing(etcd, prefix, lambda losing: losing.reserve([wanted]))
    assert stands == (wanted,)
    assert isinstance(stands, tuple)
    assert stands[0] is not wanted


def test_what_was_released_without_hearing_so_is_returned(
    etcd: Etcd, prefix: str, store: EtcdStore
) -> None:
    for count in (2, 100):
        wanted = tuple(want(n) for n in range(count))
        store.reserve(wanted)
        owners = [want.owner for want in wanted]
        release = partial(EtcdStore.release, pool="lab", owners=owners)
        assert losing(etcd, prefix, release) == (wanted, 1)
        assert store.reservations() == ()


def test_pools_and_records_survive_lost_answers(etcd: Etcd, prefix: str) -> None:
    record = Record("use", "lab/1", "qtpc", "x")
    other = replace(record, host="qtrp")
    (done, lost) = losing(etcd, prefix, lambda store: store.add_pool(LAB))
    assert (done, lost) == (LAB, 2)  # the version of the new prefix, and the pool
    for act, expected in (
        (lambda store: store.remember(record), record),
        (lambda store: store.remember(other), record),
        (lambda store: store.remember(other, replace=True), other),
        (lambda store: store.forget("use", "lab/1"), True),
        (lambda store: store.forget("use", "lab/1"), False),
        (lambda store: store.remove_pool("lab"), True),
        (lambda store: store.remove_pool("lab"), False),
    ):
        done, _ = losing(etcd, prefix, act)
        assert done == expected


def test_answers_in_camel_case_are_read(etcd: Etcd, prefix: str) -> None:
    def rename(_: str, __: bytes, answer: bytes) -> bytes:
        text = re.sub(r'"([a-z]+(?:_[a-z]+)+)":', lambda m: f'"{_camel(m[1])}":', answer.decode())
        assert "_" not in "".join(re.findall(r'"([a-zA-Z_]+)":', text))
        return text.encode()

    with through(etcd, prefix, rename) as store:
        store.add_pool(LAB)
        store.reserve([want(0), want(1)])
        assert store.reserve([want(0)]) == (want(0),)
        with pytest.raises(Conflict, match="2 addresses are held"):
            store.remove_pool("lab")
        assert store.release("lab", ["owner0"]) == (want(0),)
        assert store.reservations() == (want(1),)
        assert store.inspect() == ()


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)


# -- versions and other programs -------------------------------------------------------------------


def put(etcd: Etcd, key: str, value: str) -> None:
    etcd.ctl("put", key, value)


def test_a_prefix_of_a_newer_version_is_left_alone(
    etcd: Etcd, prefix: str, store: EtcdStore
) -> None:
    store.reserve([want(0)])
    put(etcd, f"/{prefix}/version", "7")
    before = etcd.ctl("get", f"/{prefix}/", "--prefix")
    for act in (
        lambda: store.pools(),
        lambda: store.reserve([want(1)]),
        lambda: store.release("lab", ["owner0"]),
        lambda: store.remember(Record("use", "x", "qtpc", "")),
    ):
        with pytest.raises(StoreDown, match=r"schema version 7, .* knows up to 1; upgrade"):
            act()
    assert etcd.ctl("get", f"/{prefix}/", "--prefix") == before


def test_a_prefix_that_is_upgraded_meanwhile_is_not_written(etcd: Etcd, prefix: str) -> None:
    """Between this client's reading and its writing."""
    upgraded = threading.Event()

    def upgrade(_: str, request: bytes, answer: bytes) -> bytes:
        if b"request_put" not in request and not upgraded.is_set():
            upgraded.set()
            put(etcd, f"/{prefix}/version", "2")
        return answer

    with closing(EtcdStore(etcd.url(prefix))) as store:
        store.add_pool(LAB)
    with through(etcd, prefix, upgrade) as store, pytest.raises(StoreDown, match="version 2,"):
        store.reserve([want(n) for n in range(60)])
    assert "owner" not in etcd.ctl("get", f"/{prefix}/", "--prefix", "--keys-only")


def test_keys_of_another_program_are_left_alone(etcd: Etcd, prefix: str, etcd_url: str) -> None:
    put(etcd, f"/{prefix}/config", "theirs")
    said = "another program has keys under .*; name another prefix"
    with closing(EtcdStore(etcd_url)) as store, pytest.raises(StoreDown, match=said):
        store.add_pool(LAB)
    assert etcd.ctl("get", f"/{prefix}/", "--prefix").split() == [f"/{prefix}/config", "theirs"]


def test_a_damaged_value_is_named_with_its_key(etcd: Etcd, prefix: str, store: EtcdStore) -> None:
    store.reserve([want(0)])
    put(etcd, f"/{prefix}/owner/lab/owner0", "{")
    with pytest.raises(
        StoreDown, match=r"damaged \(/.*/owner/lab/owner0 is not JSON\).*store check"
    ):
        store.held("lab", ["owner0"])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("del owner/lab/owner0", "stands without .*/owner/lab/owner0"),
        ("del address/40a000001", "stands without .*/address/40a000001"),
        ("del mac/02:00:00:00:00:00", "stands without .*/mac/02:00:00:00:00:00"),
        ("del pool/lab", "pool 'lab', which is not there"),
        ("put owner/lab/owner1 COPY", "holds a reservation of 'owner0'"),
        ("put address/40a000001 NONSENSE", "does not decode"),
        ("put something/else x", "writes no such key"),
    ],
)
def test_check_finds_every_index_that_disagrees(
    etcd: Etcd, prefix: str, store: EtcdStore, spoil: str, said: str
) -> None:
    store.reserve([want(0)])
    assert store.inspect() == ()
    verb, key, *value = spoil.split()
    if value == ["COPY"]:
        value = [etcd.ctl("get", f"/{prefix}/owner/lab/owner0", "--print-value-only").strip()]
    etcd.ctl(verb, f"/{prefix}/{key}", *value)
    assert any(re.search(said, found) for found in store.inspect())


# -- what is not etcd ------------------------------------------------------------------------------


def failing(url: str, *, within: float) -> str:
    """The error's sentence, which has to come in time."""
    began = time.monotonic()
    with closing(open_store(url)) as store, pytest.raises(StoreDown) as caught:
        store.pools()
    assert time.monotonic() - began < within
    return str(caught.value)


def test_nobody_there_is_said_at_once() -> None:
    (port,) = free_ports(1)
    said = failing(f"etcd://127.0.0.1:{port}/lab", within=3)
    assert f"127.0.0.1:{port}: connection refused" in said
    assert "look whether etcd runs there" in said


def test_a_name_that_nobody_knows_is_said() -> None:
    said = failing("etcd://nowhere.invalid/lab", within=6.5)
    assert "nowhere.invalid:2379: its name is not known" in said or "no answer" in said


def test_a_member_that_never_answers_is_given_up_after_five_seconds() -> None:
    with deaf() as member:
        assert f"{member}: no answer in 5.0 s" in failing(f"etcd://{member}", within=6.5)


def test_an_answer_that_drips_is_given_up_after_five_seconds() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b" " * 1000
    with dripping(answer, pause=0.1) as member:
        assert "no answer in 5.0 s" in failing(f"etcd://{member}", within=6.5)


def test_a_member_that_never_answers_is_passed_over_and_remembered(etcd: Etcd, prefix: str) -> None:
    with (
        deaf() as member,
        closing(EtcdStore(f"etcd://{member},{etcd.members[0].client}/{prefix}")) as store,
    ):
        began = time.monotonic()
        store.add_pool(LAB)
        first = time.monotonic() - began
        began = time.monotonic()
        store.reserve([want(0)])
        assert 2 < first < 5
        assert time.monotonic() - began < 1.5


def test_what_is_no_etcd_is_said() -> None:
    class Files(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        said = failing(f"etcd://127.0.0.1:{server.server_address[1]}", within=4)
        server.shutdown()
    assert "not an etcd 3.4 or later (HTTP 501)" in said


def test_the_store_waits_for_nothing_when_it_is_only_opened() -> None:
    began = time.monotonic()
    with closing(open_store("etcd://192.0.2.1:2379/lab")):
        pass
    assert time.monotonic() - began < 1.5


def test_values_are_written_as_documented(etcd: Etcd, prefix: str, store: EtcdStore) -> None:
    """Another release has to read them: this pins keys and fields."""
    store.reserve([want(0)])
    found = etcd.ctl("get", f"/{prefix}/", "--prefix", "-w", "json")
    keys = {
        b64encode(f"/{prefix}/{key}".encode()).decode()
        for key in (
            "version",
            "pools",
            "reservations",
            "pool/lab",
            "address/40a000001",
            "owner/lab/owner0",
            "mac/02:00:00:00:00:00",
        )
    }
    assert {each["key"] for each in json.loads(found)["kvs"]} == keys
    value = json.loads(etcd.ctl("get", f"/{prefix}/mac/02:00:00:00:00:00", "--print-value-only"))
    assert len(value.pop("mark")) == 12
    assert value == {
        "pool": "lab",
        "address": "10.0.0.1",
        "owner": "owner0",
        "mac": "02:00:00:00:00:00",
        "host": "qtpc",
        "created": "2026-11-02T10:00:00Z",
        "kind": "static",
    }
