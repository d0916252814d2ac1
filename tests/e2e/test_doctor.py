"""The doctor, in a LAN with something wrong in it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab import Host, Lab

POOL = ("pool", "add", "lab", "--subnet", "192.168.50.0/24", "--range", "192.168.50.200/29")


def findings(host: Host, *words: str) -> tuple[int, list[dict[str, str]]]:
    done = host.macvlan_ros("doctor", "--json", *words)
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


@contextmanager
def dhcp_server(lab: Lab, first: str, last: str) -> Iterator[None]:
    """dnsmasq on the switch, as a router's."""
    server = lab.switch.popen(
        *("dnsmasq", "--keep-in-foreground", "--port=0", "--interface=lan", "--bind-interfaces"),
        *("--conf-file=/dev/null", "--no-ping", "--dhcp-leasefile=/run/leases", "--user=root"),
        f"--dhcp-range={first},{last},1h",
    )
    try:
        yield
    finally:
        server.terminate()
        server.wait(10)


def test_a_healthy_pc_has_nothing_but_good_findings(qtpc: Host) -> None:
    qtpc.macvlan_ros(*POOL, check=True)
    code, found = findings(qtpc, "--no-dhcp")
    assert code == 0
    assert {one["level"] for one in found} == {"ok"}
    assert {one["check"] for one in found} == {"store", "docker", "parent", "lan"}


def test_a_stranger_inside_the_pool_is_bad_and_named(lab: Lab, qtpc: Host) -> None:
    qtpc.macvlan_ros(*POOL, check=True)
    stranger = lab.add_stranger("192.168.50.203")
    code, found = findings(qtpc, "--no-dhcp")
    (bad,) = (one for one in found if one["level"] == "bad")
    assert code == 1
    assert stranger.mac in bad["text"]
    assert "--exclude 192.168.50.203" in bad["remedy"]


def test_a_dhcp_server_that_offers_from_the_pool_is_a_warning(lab: Lab, qtpc: Host) -> None:
    qtpc.macvlan_ros(*POOL, check=True)
    with dhcp_server(lab, "192.168.50.200", "192.168.50.207"):
        code, found = findings(qtpc)
    (warning,) = (one for one in found if one["level"] == "warning")
    assert code == 0
    assert "192.168.50.1" in warning["text"]
    assert "'lab'" in warning["text"]


def test_a_pc_without_docker_and_without_link_is_told_so(qtpc: Host) -> None:
    qtpc.stop_engine()
    qtpc.link_down()
    code, found = findings(qtpc, "--no-dhcp")
    bad = {one["check"]: one for one in found if one["level"] == "bad"}
    assert code == 1
    assert set(bad) == {"docker", "parent"}
    assert "systemctl start docker" in bad["docker"]["remedy"]
    assert "ip link set eth0 up" in bad["parent"]["remedy"] + bad["parent"]["text"]
