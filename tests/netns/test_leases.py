"""Leases from real DHCP servers on a LAN of network namespaces. Needs root."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from netaddr import IPAddress

from macvlan_ros.addresses import mac_of_owner
from macvlan_ros.errors import Conflict, Unavailable
from macvlan_ros.ipam import Ipam
from macvlan_ros.leasing.keeping import keep_up
from macvlan_ros.leasing.leases import Done, Leases
from macvlan_ros.leasing.wire import LeaseWire
from macvlan_ros.models.pools import DYNAMIC, Reservation
from macvlan_ros.notation import parse_pool
from macvlan_ros.plugin.renewing import Renewing
from macvlan_ros.reserving.around import Surroundings
from macvlan_ros.stores import open_store
from macvlan_ros.stores.base import Store
from tests.netns.dhcp_servers import Dnsmasq, Row, dnsmasq, udhcpd
from tests.netns.lan import Capture, Lan, Machine, make_lan, repeating

RANGE = "192.168.50.200,192.168.50.220,120"
TALKER_ID = "00:74:61:6c:6b:65:72"


@dataclass
class Pc:
    """A PC with a pool whose reservations are leases, and with a patience that suits a test."""

    machine: Machine
    store: Store
    notes: list[str] = field(default_factory=list)
    patience: float = 3.0
    host: str = "qtpc"
    interface: str = "eth0"

    @property
    def wire(self) -> LeaseWire:
        return LeaseWire(
            interface=lambda _: self.interface, namespace=self.machine.path, patience=self.patience
        )

    @property
    def leases(self) -> Leases:
        return Leases(self.store, host=self.host, note=self.notes.append, wire=self.wire)

    @property
    def ipam(self) -> Ipam:
        return Ipam(
            self.store,
            surroundings=lambda _: Surroundings(),
            host=self.host,
            leases=lambda: self.leases,
        )

    def get(self, *owners: str, at: str = "") -> list[str]:
        claims = {owners[0]: IPAddress(at)} if at else None
        done = self.ipam.allocate("lab", owners, addresses=claims)
        return [str(each.reservation.address) for each in done]

    def keep_up(self) -> list[str]:
        return [each.what for each in self.kept()]

    def kept(self) -> tuple[Done, ...]:
        return keep_up(self.store, self.leases)

    def make_due(self, *, state: str = "") -> None:
        """As if the time for the next step had come."""
        for lease in self.leases.book.mine():
            self.leases.book.write(replace(lease, due=0.0, state=state or lease.state))

    def make_old(self) -> None:
        """As if whoever took the leases had died long ago."""
        for lease in self.leases.book.mine():
            self.leases.book.write(replace(lease, since=lease.since - 500, due=0.0))


@pytest.fixture
def lan() -> Iterator[Lan]:
    with make_lan() as made:
        yield made


@pytest.fixture
def pc(lan: Lan, tmp_path: Path) -> Iterator[Pc]:
    store = open_store(f"sqlite://{tmp_path}/state.db")
    store.add_pool(
        parse_pool(
            "lab",
            subnet="192.168.50.0/24",
            ranges=["192.168.50.200-192.168.50.230"],
            order="sequential",
            dhcp=True,
        )
    )
    yield Pc(lan.add("192.168.50.11/24"), store)
    store.close()


@pytest.fixture
def router(lan: Lan) -> Machine:
    return lan.add("192.168.50.1/24")


def row(address: str, owner: str, server: Dnsmasq) -> Row:
    (found,) = [each for each in server.table() if each.name == owner]
    assert found.address == address
    return found


def test_what_is_reserved_stands_in_the_routers_table_by_name(
    pc: Pc, router: Machine, tmp_path: Path
) -> None:
    with dnsmasq(router, tmp_path, RANGE) as server:
        capture = Capture(router, "eth0", tmp_path)
        talker, camera = pc.get("talker", "camera.left")
        rows = server.table()
        frames = capture.fields(
            "dhcp.hw.mac_addr", "eth.src", "dhcp.hw.mac_addr", "dhcp.option.dhcp", "dhcp.flags"
        )
    assert [each.address for each in rows] == sorted([talker, camera])
    assert {each.name: each.client for each in rows} == {
        "talker": TALKER_ID,
        "camera-left": "00:" + b"camera.left".hex(":"),
    }
    macs = {mac_of_owner("lab", owner) for owner in ("talker", "camera.left")}
    assert {each.mac for each in rows} == macs
    # our frames carry the PC's own MAC, so that no switch or access point takes offence
    ours = [each for each in frames if each[2] in ("1", "3")]
    assert {each[0] for each in ours} == {pc.machine.mac}
    assert {each[1] for each in ours} == macs
    assert {each[3] for each in ours} == {"0x8000"}


def test_a_known_owner_asks_nobody_and_keeps_its_lease(
    pc: Pc, router: Machine, tmp_path: Path
) -> None:
    with dnsmasq(router, tmp_path, RANGE) as server:
        (first,) = pc.get("talker")
        before = server.log.read_text().count("DHCP")
        assert pc.get("talker") == [first]
        assert server.log.read_text().count("DHCP") == before


def test_a_release_takes_the_row_out_of_the_routers_table(
    pc: Pc, router: Machine, tmp_path: Path
) -> None:
    with dnsmasq(router, tmp_path, RANGE) as server:
        _, listener = pc.get("talker", "listener")
        pc.ipam.release("lab", ["talker"])
        assert [(each.address, each.name) for each in server.settled(1)] == [(listener, "listener")]
    assert [lease.owner for lease in pc.leases.book.mine()] == ["listener"]
    assert pc.notes == []


def test_a_lease_is_renewed_and_its_row_stays(pc: Pc, router: Machine, tmp_path: Path) -> None:
    with dnsmasq(router, tmp_path, RANGE) as server:
        (address,) = pc.get("talker")
        assert pc.keep_up() == []
        first = row(address, "talker", server)
        time.sleep(1.1)
        pc.make_due()
        assert pc.keep_up() == ["renewed"]
        again = row(address, "talker", server)
        assert again.until > first.until
        assert replace(again, until=0) == replace(first, until=0)
        (lease,) = pc.leases.book.mine()
        assert lease.until is not None
        assert 50 < lease.due - time.time() <= 60
        assert 110 < lease.until - time.time() <= 120


def test_the_service_renews_before_the_end_again_and_again(
    pc: Pc, router: Machine, tmp_path: Path
) -> None:
    """T1 is as the server says; without renewal udhcpd would give the address away."""
    with udhcpd(router, tmp_path, "192.168.50.200", "192.168.50.220", 6) as server:
        (address,) = pc.get("talker")
        renewing = Renewing(pc.store, host="qtpc", wire=pc.wire, seconds=0.5)
        renewing.start()
        end = time.monotonic() + 14
        try:
            while time.monotonic() < end:
                (lease,) = pc.leases.book.mine()
                assert lease.until is not None
                assert lease.until > time.time()
                assert lease.trouble == ""
                time.sleep(0.5)
        finally:
            renewing.stop()
        mac = mac_of_owner("lab", "talker")
        assert server.table() == [Row(address, mac, "talker")]
        pc.ipam.release("lab", ["talker"])


def test_the_service_leases_what_docker_was_given_and_gives_it_back(
    pc: Pc, router: Machine, tmp_path: Path
) -> None:
    mac = "02:42:0a:00:00:01"
    held = Reservation(
        "lab", IPAddress("192.168.50.207"), f"dynamic:{mac}", mac, host="qtpc", kind=DYNAMIC
    )
    pc.store.reserve([held])
    with dnsmasq(router, tmp_path, RANGE) as server:
        assert pc.keep_up() == ["taken"]
        (found,) = server.table()
        assert (found.address, found.mac) == ("192.168.50.207", mac)
        assert found.name == "dynamic-02-42-0a-00-00-01"
        pc.store.release("lab", [held.owner])
        assert pc.keep_up() == ["released"]
        assert server.settled(0) == []


def test_the_server_chooses_within_the_pool(pc: Pc, router: Machine, tmp_path: Path) -> None:
    """Its range and the pool have .228 to .230 in common; the first choice would be .200."""
    with dnsmasq(router, tmp_path, "192.168.50.228,192.168.50.240,120") as server:
        got = pc.get("a", "b", "c")
        assert sorted(got) == ["192.168.50.228", "192.168.50.229", "192.168.50.230"]
        assert {each.name: each.address for each in server.table()} == dict(
            zip("abc", got, strict=True)
        )


def test_a_server_that_gives_nothing_of_the_pool_is_told_with_what_it_gives(
    pc: Pc, router: Machine, tmp_path: Path
) -> None:
    with dnsmasq(router, tmp_path, "192.168.50.70,192.168.50.80,120") as server:
        wanted = r"the DHCP server 192\.168\.50\.1 gives 'talker' 192\.168\.50\.\d+, not .* outside"
        with pytest.raises(Conflict, match=wanted):
            pc.get("talker")
        assert server.table() == []
    assert pc.store.reservations() == ()
    assert pc.leases.book.mine() == ()


def test_an_address_that_another_client_leases_is_passed_over(
    pc: Pc, router: Machine, tmp_path: Path
) -> None:
    other = Pc(pc.machine, open_store("memory:"))
    other.store.add_pool(replace(pc.store.pool("lab"), name="theirs"))
    with dnsmasq(router, tmp_path, RANGE) as server:
        taken = other.ipam.allocate("theirs", ["laptop"])[0].reservation.address
        (address,) = pc.get("talker")
        assert address != str(taken)
        assert {each.name for each in server.table()} == {"laptop", "talker"}
        with pytest.raises(Conflict, match=f"gives 'listener' .*, not {taken}; free that"):
            pc.get("listener", at=str(taken))
        assert {each.name for each in server.table()} == {"laptop", "talker"}
    assert [held.owner for held in pc.store.reservations()] == ["talker"]


def test_a_claim_is_leased_as_it_is(pc: Pc, router: Machine, tmp_path: Path) -> None:
    with dnsmasq(router, tmp_path, RANGE) as server:
        assert pc.get("talker", at="192.168.50.213") == ["192.168.50.213"]
        assert row("192.168.50.213", "talker", server)


def test_all_or_nothing_holds_for_leases_too(pc: Pc, router: Machine, tmp_path: Path) -> None:
    with dnsmasq(router, tmp_path, "192.168.50.200,192.168.50.201,120") as server:
        with pytest.raises((Conflict, Unavailable)):
            pc.get("a", "b", "c")
        assert server.settled(0) == []
    assert pc.store.reservations() == ()
    assert pc.leases.book.mine() == ()


def test_without_a_server_nothing_is_reserved_and_the_wait_ends(pc: Pc) -> None:
    start = time.monotonic()
    with pytest.raises(Unavailable, match=r"no DHCP server gave a lease for 'talker' on eth0"):
        pc.get("talker")
    assert time.monotonic() - start < pc.patience + 10
    assert pc.store.reservations() == ()
    assert pc.leases.book.mine() == ()


def test_a_server_that_is_away_does_not_keep_a_release_and_is_told_later(
    pc: Pc, router: Machine, tmp_path: Path
) -> None:
    with dnsmasq(router, tmp_path, RANGE) as server:
        pc.get("talker")
    router.ip("link set eth0 down")
    start = time.monotonic()
    pc.ipam.release("lab", ["talker"])
    assert time.monotonic() - start < 3
    assert pc.store.reservations() == ()
    (note,) = pc.notes
    assert "could not be given back (the DHCP server 192.168.50.1 does not answer)" in note
    router.ip("link set eth0 up")
    with dnsmasq(router, tmp_path, RANGE, leases=server.leases) as server:
        assert pc.keep_up() == []
        pc.make_due()
        assert pc.keep_up() == ["released"]
        assert server.settled(0) == []
    assert pc.leases.book.mine() == ()


def test_a_server_that_is_away_at_renewal_is_asked_again(
    pc: Pc, router: Machine, tmp_path: Path
) -> None:
    with dnsmasq(router, tmp_path, RANGE) as server:
        (address,) = pc.get("talker")
    pc.make_due()
    assert pc.keep_up() == ["failed"]
    (lease,) = pc.leases.book.mine()
    assert (lease.state, "does not answer" in lease.trouble) == ("held", False)
    assert "no DHCP server answers" in lease.trouble
    assert 10 < lease.due - time.time() < 60
    assert [str(held.address) for held in pc.store.reservations()] == [address]
    with dnsmasq(router, tmp_path, RANGE, leases=server.leases) as server:
        pc.make_due()
        assert pc.keep_up() == ["renewed"]
        assert row(address, "talker", server)
    assert pc.leases.book.mine()[0].trouble == ""


def test_a_lease_that_the_router_gave_to_another_is_told_and_asked_for_again(
    pc: Pc, router: Machine, tmp_path: Path
) -> None:
    with dnsmasq(router, tmp_path, RANGE):
        (address,) = pc.get("talker")
    theirs = f"--dhcp-host=02:00:00:00:00:77,{address}"
    with dnsmasq(
        router, tmp_path, RANGE, theirs, "--dhcp-authoritative", leases=tmp_path / "forgotten"
    ):
        pc.make_due()
        assert pc.keep_up() == ["failed", "failed"]
        (lease,) = pc.leases.book.mine()
        assert f"'talker' has {address} reserved, but the DHCP server" in lease.trouble
        assert [str(held.address) for held in pc.store.reservations()] == [address]
    with dnsmasq(router, tmp_path, RANGE, leases=tmp_path / "mended") as server:
        pc.make_due()
        assert pc.keep_up()[-1] == "taken"
        assert row(address, "talker", server)
    assert pc.leases.book.mine()[0].trouble == ""


def test_a_router_that_forgot_its_table_learns_the_names_again(
    pc: Pc, router: Machine, tmp_path: Path
) -> None:
    with dnsmasq(router, tmp_path, RANGE):
        (address,) = pc.get("talker")
    with dnsmasq(router, tmp_path, RANGE, leases=tmp_path / "new") as server:
        pc.make_due()
        assert "failed" not in pc.keep_up()
        assert row(address, "talker", server).client == TALKER_ID


def test_another_server_takes_over_after_the_time_of_rebinding(
    lan: Lan, pc: Pc, router: Machine, tmp_path: Path
) -> None:
    with dnsmasq(router, tmp_path, RANGE):
        (address,) = pc.get("talker")
    heir = lan.add("192.168.50.2/24")
    with dnsmasq(heir, tmp_path, RANGE, "--dhcp-authoritative") as server:
        pc.make_due()
        assert pc.keep_up() == ["failed"]  # its own server is asked alone at first
        for lease in pc.leases.book.mine():
            pc.leases.book.write(replace(lease, due=0.0, rebind=time.time() - 1))
        assert pc.keep_up() == ["renewed"]
        assert row(address, "talker", server)
    assert str(pc.leases.book.mine()[0].server) == "192.168.50.2"


def test_one_name_in_two_pools_of_a_lan_is_refused(pc: Pc, router: Machine, tmp_path: Path) -> None:
    other = parse_pool("more", subnet="192.168.50.0/24", ranges=["192.168.50.20/31"], dhcp=True)
    pc.store.add_pool(other)
    with dnsmasq(router, tmp_path, RANGE) as server:
        (address,) = pc.get("talker")
        with pytest.raises(Conflict, match=r"'talker' has a lease for .* in pool 'lab'"):
            pc.ipam.allocate("more", ["talker"])
        assert row(address, "talker", server)


def test_a_removed_pool_leaves_no_lease_behind(pc: Pc, router: Machine, tmp_path: Path) -> None:
    with dnsmasq(router, tmp_path, RANGE) as server:
        pc.get("talker")
        pc.store.release("lab", ["talker"])  # as a run that died right after it
        assert pc.ipam.remove_pool("lab")
        assert server.settled(0) == []
    assert pc.leases.book.mine() == ()


def test_a_lease_that_nobody_reserved_is_given_back_even_when_its_pool_is_gone(
    pc: Pc, router: Machine, tmp_path: Path
) -> None:
    with dnsmasq(router, tmp_path, RANGE) as server:
        pc.get("talker")
        pc.store.release("lab", ["talker"])
        pc.store.remove_pool("lab")
        pc.make_old()
        assert pc.keep_up() == ["released"]
        assert server.settled(0) == []


def from_the_chair(pc: Pc, owner: str) -> str:
    """What one that launches on all hosts reserves for a service on qtrp."""
    ipam = Ipam(
        pc.store,
        surroundings=lambda _: Surroundings(),
        host="qtpc",
        leases=lambda: pc.leases,
        asks_for_all=True,
    )
    (made,) = ipam.allocate("lab", [owner], hosts={owner: "qtrp"})
    return str(made.reservation.address)


def test_another_pcs_lease_is_taken_here_and_renewed_there_when_nobody_does_here(
    lan: Lan, pc: Pc, router: Machine, tmp_path: Path
) -> None:
    with dnsmasq(router, tmp_path, RANGE.replace("200", "205", 1)) as server:
        address = from_the_chair(pc, "talker")
        assert address != "192.168.50.200", "the server's word counts"
        assert row(address, "talker", server).client == TALKER_ID
        there = Pc(lan.add("192.168.50.12/24"), pc.store, host="qtrp")
        assert there.keep_up() == []
        pc.make_due()
        assert pc.keep_up() == ["renewed"]
        pc.make_due()
        for lease in pc.leases.book.mine():
            pc.leases.book.write(replace(lease, rebind=time.time() - 1))
        assert there.keep_up() == ["renewed"]
        assert pc.keep_up() == []
        assert row(address, "talker", server)
        # one that has no lease yet, for there was no server, or the pool had none
        there.leases.give_back(there.leases.book.mine())
        assert from_the_chair(pc, "talker") == address
        assert row(address, "talker", server)
        pc.ipam.release("lab", ["talker"])
        assert server.settled(0) == []


def test_who_is_not_on_the_lan_leaves_another_pcs_leases_to_that_one(
    pc: Pc, router: Machine, tmp_path: Path
) -> None:
    interface, pc.interface = pc.interface, ""
    from_the_chair(pc, "talker")
    from_the_chair(pc, "listener")
    note = "not on the LAN of pool 'lab': leases for what runs on qtrp are taken by its own service"
    assert [note in each for each in pc.notes] == [True, True]
    assert pc.leases.book.everybodys() == ()
    there = Pc(pc.machine, pc.store, host="qtrp", interface=interface)
    with dnsmasq(router, tmp_path, RANGE) as server:
        assert there.keep_up() == ["taken", "taken"]
        assert {each.name for each in server.table()} == {"talker", "listener"}


def test_a_flood_of_broken_answers_does_not_stop_a_lease(
    lan: Lan, pc: Pc, router: Machine, tmp_path: Path
) -> None:
    rogue = lan.add()
    ethernet = b"\xff" * 6 + bytes.fromhex(rogue.mac.replace(":", "")) + b"\x08\x00"
    header = bytes.fromhex("4500011c000000004011") + bytes(2) + b"\xc0\xa8\x32\x09" + b"\xff" * 4
    front = ethernet + header + bytes.fromhex("0043004401080000")
    with (
        dnsmasq(router, tmp_path, RANGE) as server,
        repeating(rogue, lambda number: front + b"\x02\x01\x06" * (number % 400), rate=5_000),
    ):
        (address,) = pc.get("talker")
        assert row(address, "talker", server)


def test_a_container_that_runs_gets_its_lease_back_from_a_server_that_pings(
    lan: Lan, pc: Pc, router: Machine, tmp_path: Path
) -> None:
    """dnsmasq pings what it offers, and the container answers: the address looks taken."""
    with dnsmasq(router, tmp_path, RANGE):
        (address,) = pc.get("talker")
    lan.contain(pc.machine, f"{address}/24")
    assert router.answers(address)
    pc.patience = 10
    with dnsmasq(router, tmp_path, RANGE, leases=tmp_path / "new", ping=True) as server:
        pc.make_due(state="asked")
        assert pc.keep_up() == ["taken"]
        assert row(address, "talker", server)
