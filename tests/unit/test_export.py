"""What other programs are told of the reservations, in their own words."""

import configparser
import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from netaddr import IPAddress

from macvlan_ros.errors import InvalidRequest
from macvlan_ros.lan_names.export import FORMS, entries, render
from macvlan_ros.models.pools import DYNAMIC, NETWORK, Reservation


def held(owner: str, address: str, pool: str = "lab", kind: str = "static") -> Reservation:
    mac = f"02:00:00:00:00:{IPAddress(address).words[-1] % 256:02x}"
    return Reservation(
        pool, IPAddress(address), owner, mac, "qtpc", "2026-11-22T10:00:00Z", kind=kind
    )


HELD = (
    held("listener", "192.168.50.200"),
    held("talker", "192.168.50.195"),
    held("talker", "fd00:50::9", pool="six"),
)


def test_csv_has_a_row_for_each_reservation_by_address() -> None:
    rows = list(csv.DictReader(io.StringIO(render("csv", entries(HELD)))))
    assert [row["address"] for row in rows] == ["192.168.50.195", "192.168.50.200", "fd00:50::9"]
    assert rows[0] == {
        "owner": "talker",
        "address": "192.168.50.195",
        "mac": "02:00:00:00:00:c3",
        "pool": "lab",
        "host": "qtpc",
        "created": "2026-11-22T10:00:00Z",
        "kind": "static",
    }


def test_what_a_docker_network_holds_for_itself_is_no_name() -> None:
    gateway = held("gateway", "192.168.50.1", kind=NETWORK)
    passing = held("anonymous", "192.168.50.201", kind=DYNAMIC)
    assert [one.name for one in entries((gateway, passing))] == ["anonymous"]


def test_a_hosts_file_has_the_full_name_first_and_the_short_one_beside_it() -> None:
    lines = render("hosts", entries(HELD, domain=".lab.lan")).splitlines()
    assert "192.168.50.195\ttalker.lab.lan talker" in lines
    assert "fd00:50::9\ttalker.lab.lan talker" in lines
    assert "192.168.50.200\tlistener" in render("hosts", entries(HELD)).splitlines()


def check_with_dnsmasq(path: Path) -> None:
    done = subprocess.run(
        ["/usr/sbin/dnsmasq", "--test", f"--conf-file={path}"],
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_dnsmasq_takes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "robots.conf"
    path.write_text(render("dnsmasq", entries(HELD, domain="lab.lan")))
    assert "dhcp-host=02:00:00:00:00:c3,192.168.50.195,talker\n" in path.read_text()
    assert "dhcp-host=02:00:00:00:00:09,[fd00:50::9],talker\n" in path.read_text()
    check_with_dnsmasq(path)


def test_an_owner_that_is_no_host_s_name_keeps_no_program_from_its_file(tmp_path: Path) -> None:
    odd = [held("x" * 64, "192.168.50.195"), held("a..b", "192.168.50.196")]
    path = tmp_path / "robots.conf"
    path.write_text(render("dnsmasq", entries(odd)))
    check_with_dnsmasq(path)
    assert "dhcp-host=02:00:00:00:00:c3,192.168.50.195\n" in path.read_text()
    assert "host a.b { hardware ethernet 02:00:00:00:00:c4;" in render("isc", entries(odd))


@pytest.mark.parametrize("domain", [".", "a b", "lab.lan\n10.0.0.1 bank", "a..b", "x" * 64])
def test_a_domain_that_is_none_is_refused(domain: str) -> None:
    with pytest.raises(InvalidRequest, match="write it like"):
        entries(HELD, domain=domain)


def test_an_owner_in_two_pools_has_two_host_statements_with_names_of_their_own() -> None:
    text = render("isc", entries(HELD))
    assert (
        "host talker.lab { hardware ethernet 02:00:00:00:00:c3; fixed-address 192.168.50.195;"
        ' option host-name "talker"; }' in text
    )
    assert "host talker.six { hardware ethernet 02:00:00:00:00:09; fixed-address6 fd00:50" in text
    assert "host listener {" in text


def test_kea_s_servers_have_a_file_each_for_they_take_no_other_s() -> None:
    found = json.loads(render("kea", entries(HELD)))
    assert list(found) == ["Dhcp4"]
    assert [one["ip-address"] for one in found["Dhcp4"]["reservations"]] == [
        "192.168.50.195",
        "192.168.50.200",
    ]
    assert json.loads(render("kea6", entries(HELD)))["Dhcp6"]["reservations"] == [
        {"hw-address": "02:00:00:00:00:09", "ip-addresses": ["fd00:50::9"], "hostname": "talker"}
    ]


def test_an_inventory_groups_by_pool_and_by_host() -> None:
    inventory = configparser.ConfigParser(allow_no_value=True, delimiters=(" ",))
    inventory.read_string(render("ansible", entries(HELD)))
    assert set(inventory["pool_lab"]) == {"talker.lab", "listener"}
    assert set(inventory["host_qtpc"]) == {"talker.lab", "listener", "talker.six"}
    assert inventory["macvlan_ros"]["listener"].startswith("ansible_host=192.168.50.200 ")


@pytest.mark.parametrize("form", FORMS)
def test_nothing_reserved_is_an_empty_file_and_no_error(form: str) -> None:
    assert render(form, ()).endswith("\n")


@pytest.mark.parametrize("form", ["table", "json", *FORMS])
def test_the_command_prints_each_form(form: str, tmp_path: Path) -> None:
    run = [sys.executable, "-m", "macvlan_ros", f"--store={tmp_path / 'state.db'}"]
    add = ("pool", "add", "lab", "--subnet", "192.168.50.0/24", "--no-probe")
    subprocess.run([*run, *add], check=True, timeout=30, capture_output=True)
    allocate = ("allocate", "--no-probe", "--address", "192.168.50.195", "talker")
    subprocess.run([*run, *allocate], check=True, timeout=30, capture_output=True)
    done = subprocess.run(
        [*run, "export", form], check=True, timeout=30, capture_output=True, text=True
    )
    assert ("192.168.50.195" in done.stdout) == (form != "kea6")
    assert ("talker" in done.stdout) == (form != "kea6")
