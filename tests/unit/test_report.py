"""What is printed where; the JSON keys are a contract."""

import json
from dataclasses import replace

import pytest
from netaddr import IPAddress, IPNetwork, IPRange

from macvlan_ros import report
from macvlan_ros.doctor import Finding
from macvlan_ros.launch import Launched
from macvlan_ros.launching.running import ServiceStatus
from macvlan_ros.leasing.book import Lease
from macvlan_ros.models.networks import Network
from macvlan_ros.models.pools import Pool, Reservation
from macvlan_ros.output import views
from macvlan_ros.output.columns import View
from macvlan_ros.report import Report, range_text
from macvlan_ros.wire.census import Sighting
from tests.unit.links import ETH0

TALKER = Reservation(
    "lab",
    IPAddress("192.168.50.193"),
    "talker",
    "02:00:00:00:00:01",
    "qtpc",
    "2026-11-22T10:00:00Z",
)
LAB = Pool("lab", IPNetwork("192.168.50.0/24"), (IPRange("192.168.50.192", "192.168.50.223"),))
NETWORK = Network(
    "ros_lan", "eth0", LAB.subnet, IPAddress("192.168.50.1"), IPNetwork("192.168.50.192/27")
)
LAUNCHED = Launched("talker", "talker", TALKER.address, TALKER.mac, "created", "qtpc")
STATUS = ServiceStatus("talker", "talker", "qtpc", "192.168.50.193", "", "running", "", "ros")
LEASE = Lease("lab", "talker", TALKER.address, TALKER.mac, "qtpc", "held", 1.0, 2.0)
SIGHTING = Sighting(TALKER.address, TALKER.mac, "", 0.4, "ours", "talker", "qtpc", "")


@pytest.mark.parametrize(
    ("view", "value", "keys"),
    [
        (
            views.LINKS,
            ETH0,
            "chosen name kind up carrier mac mtu addresses gateway default_route wireless"
            " children objection",
        ),
        (views.RESERVATIONS, TALKER, "owner address mac pool host created kind"),
        (views.POOLS, LAB, "name subnet ranges exclude gateway order dhcp size"),
        (views.LEASES, LEASE, "owner address mac pool host server state due until trouble"),
        (views.NETWORKS, NETWORK, "name parent mode subnet ip_range gateway pool subnet6 pool6 id"),
        (views.LAUNCHED, LAUNCHED, "service container host address mac action"),
        (views.FINDINGS, Finding("lan", "ok", "quiet"), "check level text remedy"),
        (
            views.SIGHTINGS,
            SIGHTING,
            "address mac vendor latency_ms whose owner host trouble defended_by",
        ),
        (
            views.STATUSES,
            STATUS,
            "service container host address mac state health reached image conflict",
        ),
    ],
)
def test_the_keys_of_the_json_are_a_contract(
    view: View[object], value: object, keys: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Report(as_json=True).table(view, [value])
    Report(as_json=True).detail(view, value)
    many, one = _documents(capsys.readouterr().out)
    assert many == [one]
    assert list(one) == keys.split()


def _documents(text: str) -> tuple[list[dict[str, object]], dict[str, object]]:
    decoder = json.JSONDecoder()
    many, end = decoder.raw_decode(text)
    one, _ = decoder.raw_decode(text[end:].lstrip())
    return many, one


def test_a_pipe_gets_an_aligned_table_without_colours(capsys: pytest.CaptureFixture[str]) -> None:
    Report().table(views.RESERVATIONS, [TALKER, replace(TALKER, owner="a-longer-name", host="")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["OWNER", "ADDRESS", "MAC", "POOL", "HOST", "SINCE"]
    assert lines[1].index("192.168.50.193") == lines[2].index("192.168.50.193")
    assert lines[2].split()[4] == "-"


def test_an_empty_table_is_a_note_and_an_empty_list(capsys: pytest.CaptureFixture[str]) -> None:
    Report().table(views.RESERVATIONS, [])
    Report(as_json=True).table(views.RESERVATIONS, [])
    out, err = capsys.readouterr()
    assert out == "[]\n"
    assert "macvlan-ros allocate NAME" in err


def test_notes_go_to_stderr_and_quiet_silences_them(capsys: pytest.CaptureFixture[str]) -> None:
    Report().note("made a pool")
    Report(quiet=True).note("made another")
    out, err = capsys.readouterr()
    assert (out, err) == ("", "note: made a pool\n")


@pytest.mark.parametrize(
    ("first", "last", "text"),
    [
        ("192.168.50.192", "192.168.50.223", "192.168.50.192/27"),
        ("192.168.50.10", "192.168.50.20", "192.168.50.10-192.168.50.20"),
        ("192.168.50.10", "192.168.50.10", "192.168.50.10"),
    ],
)
def test_a_range_is_written_as_people_do(first: str, last: str, text: str) -> None:
    assert range_text(IPRange(first, last)) == text


def test_an_error_that_was_raised_from_itself_is_told_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    failed = ValueError("the engine is away")
    failed.__cause__ = failed
    report.error("qtrp: the engine is away", because=failed)
    assert capsys.readouterr().err.count("the engine is away") == 1
