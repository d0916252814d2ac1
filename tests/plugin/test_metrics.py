"""What Prometheus is told."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from urllib.request import urlopen

import pytest
from netaddr import IPAddress

from macvlan_ros.errors import Conflict, InvalidRequest, Unavailable
from macvlan_ros.models.pools import DYNAMIC, Reservation
from macvlan_ros.notation import parse_pool
from macvlan_ros.plugin.metrics import exposed
from macvlan_ros.stores import open_store
from macvlan_ros.stores.base import Store


def filled() -> Store:
    store = open_store("memory:")
    store.add_pool(parse_pool("lab", subnet="192.168.60.0/24", ranges=["192.168.60.192/28"]))
    talker = Reservation("lab", IPAddress("192.168.60.193"), "talker", "02:00:00:00:00:01")
    other = Reservation(
        "lab", IPAddress("192.168.60.194"), "dynamic:x", "02:00:00:00:00:02", kind=DYNAMIC
    )
    store.reserve([talker, other])
    return store


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def figure(text: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    assert found, text
    return float(found[1])


def test_requests_probes_and_pools_are_counted() -> None:
    port = free_port()
    with exposed(f"127.0.0.1:{port}", filled()) as metrics:
        metrics.request("NetworkDriver.Join", "ok", 0.004)
        metrics.request("NetworkDriver.Join", "KernelRefused", 0.3)
        metrics.probe(False)
        metrics.probe(True)
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
    assert figure(text, 'macvlan_ros_requests_total{call="NetworkDriver.Join",outcome="ok"}') == 1
    assert figure(text, 'macvlan_ros_request_seconds_count{call="NetworkDriver.Join"}') == 2
    assert figure(text, "macvlan_ros_probes_total") == 2
    assert figure(text, "macvlan_ros_conflicts_total") == 1
    assert figure(text, 'macvlan_ros_pool_size{pool="lab"}') == 16
    assert figure(text, 'macvlan_ros_pool_held{kind="static",pool="lab"}') == 1
    assert figure(text, 'macvlan_ros_pool_held{kind="dynamic",pool="lab"}') == 1


def test_a_socket_of_its_own_serves_them_too(tmp_path: Path) -> None:
    path = tmp_path / "metrics.sock"
    with exposed(str(path), filled()), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(path))
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.0 200")
        assert b'macvlan_ros_pool_size{pool="lab"} 16.0' in answer
    assert not path.exists()


@pytest.mark.parametrize("where", ["192.168.50.11:9733", "0.0.0.0:9733", "9733x", "127.0.0.1:0"])
def test_they_are_for_this_pc_alone(where: str) -> None:
    with pytest.raises(InvalidRequest, match="--metrics"), exposed(where, filled()):
        pass


def test_a_place_that_is_taken_is_an_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Unavailable, match="cannot be had"), exposed(where, filled()):
            pass
    (tmp_path / "file").write_text("")
    with pytest.raises(Conflict), exposed(str(tmp_path / "file"), filled()):
        pass
