"""The plugin beside Docker's own macvlan: starting containers, each call, memory, cold start."""

from __future__ import annotations

import json
import secrets
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.figures import medians, milliseconds, seconds, show
from tests.e2e.plugin_host import IMAGE, SOCKET, PluginHost
from tests.lab import Lab
from tests.lab.host import ROOT

RUNS = 12
MANY, AT_ONCE = 20, 8
CALLS = 60


def main() -> None:
    """Print the figures of this machine, each beside what it is measured against."""
    with Lab(hosts=("qtpc",)) as lab:
        pc = PluginHost(lab.hosts["qtpc"])
        pc.host.import_image(IMAGE)
        starts = [_cold_start(pc) for _ in range(7)]
        pc.start()
        _networks(pc)
        single, many = _containers(pc)
        show(
            "docker run -d: our driver and IPAM, beside the built-in macvlan",
            [("one after the other", single), (f"{MANY} containers, {AT_ONCE} at a time", many)],
        )
        rows = [("call", "1 client: p50  p99     8 clients: p50  p99")]
        with _endpoints(pc):
            rows += _calls(pc.host.path(SOCKET))
        show("each call", rows)
        pc.docker("network", "rm", "ours", "theirs")
        pc.stop()
        resting = PluginHost(pc.host)
        resting.start()
        time.sleep(3)
        fresh = _resident(resting)
        _networks(resting)
        resting.docker("run", "-d", "--name", "one", "--network", "ours", IMAGE)
        time.sleep(3)
        rows = [
            ("cold start until the first answer", milliseconds(statistics.median(starts))),
            ("resident memory at rest", f"{fresh:.1f} MiB"),
            ("resident memory after containers came and went", f"{_resident(resting):.1f} MiB"),
        ]
        show("the service", rows)
        resting.clear()


def _networks(pc: PluginHost) -> None:
    common = ["--subnet", "192.168.50.0/24", "--gateway", "192.168.50.1"]
    pc.network("ours", *common, "--ip-range", "192.168.50.192/26")
    words = ["-d", "macvlan", "-o", "parent=eth0", *common, "--ip-range", "192.168.50.128/26"]
    pc.docker("network", "create", *words, "theirs")


def _containers(pc: PluginHost) -> tuple[str, str]:
    def one(network: str) -> None:
        name = f"c{secrets.token_hex(4)}"
        pc.docker("run", "-d", "--name", name, "--network", network, IMAGE)
        names.append(name)

    def many(network: str) -> float:
        with ThreadPoolExecutor(AT_ONCE) as threads:
            return seconds(lambda: list(threads.map(one, [network] * MANY)))

    def clear() -> None:
        pc.docker("rm", "-f", *names)
        names.clear()

    names: list[str] = []
    ours, theirs = medians(RUNS, lambda: one("ours"), lambda: one("theirs"))
    single = f"{milliseconds(ours)} / {milliseconds(theirs)} = {ours / theirs:.2f}"
    clear()
    taken: dict[str, list[float]] = {"ours": [], "theirs": []}
    for network in ("ours", "theirs", "theirs", "ours"):
        taken[network].append(many(network))
        clear()
    us, them = (statistics.mean(taken[name]) for name in ("ours", "theirs"))
    return single, f"{us:.2f} s / {them:.2f} s = {us / them:.2f}"


@contextmanager
def _endpoints(pc: PluginHost) -> Iterator[None]:
    """The calls are made on a network of their own, which no Docker knows."""
    client = pc.client
    pool = {"AddressSpace": "", "Pool": "10.9.0.0/16", "SubPool": "", "Options": {}, "V6": False}
    pool_id = client.call("IpamDriver.RequestPool", pool).body["PoolID"]
    network = {
        "NetworkID": "bench",
        "Options": {"com.docker.network.generic": {"parent": "eth0"}},
        "IPv4Data": [{"AddressSpace": "", "Pool": "10.9.0.0/16", "Gateway": "10.9.0.1/16"}],
        "IPv6Data": [],
    }
    assert not client.call("NetworkDriver.CreateNetwork", network).error
    yield
    client.call("NetworkDriver.DeleteNetwork", {"NetworkID": "bench"})
    client.call("IpamDriver.ReleasePool", {"PoolID": pool_id})


def _calls(path: Path) -> list[tuple[str, str]]:
    alone = _life_of(str(path), CALLS)
    with ProcessPoolExecutor(8) as clients:
        together: dict[str, list[float]] = {}
        for taken in clients.map(_life_of, [str(path)] * 8, [CALLS] * 8):
            for call, times in taken.items():
                together.setdefault(call, []).extend(times)
    rows = []
    for call in alone:
        figures = [*_percentiles(alone[call]), *_percentiles(together[call])]
        p50, p99, many50, many99 = map(milliseconds, figures)
        rows.append((call, f"{p50:>14} {p99:>8} {many50:>16} {many99:>8}"))
    return rows


def _percentiles(times: list[float]) -> tuple[float, float]:
    ordered = sorted(times)
    return ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]


def _life_of(path: str, rounds: int) -> dict[str, list[float]]:
    """The calls of so many containers, one after the other: call -> seconds of each."""
    taken: dict[str, list[float]] = {}
    pool = "docker-10.9.0.0-16;subnet=10.9.0.0/16"

    def call(name: str, body: dict[str, Any]) -> dict[str, Any]:
        begin = time.perf_counter()
        answer = _post(path, name, body)
        taken.setdefault(name, []).append(time.perf_counter() - begin)
        assert "Err" not in answer, answer
        return answer

    for _ in range(rounds):
        endpoint = secrets.token_hex(32)
        mac = "02:" + ":".join(secrets.token_hex(1) for _ in range(5))
        options = {"com.docker.network.endpoint.macaddress": mac}
        wanted = {"PoolID": pool, "Address": "", "Options": options}
        address = call("IpamDriver.RequestAddress", wanted)["Address"]
        ids = {"NetworkID": "bench", "EndpointID": endpoint}
        interface = {"Address": address, "AddressIPv6": "", "MacAddress": mac}
        call("NetworkDriver.CreateEndpoint", {**ids, "Interface": interface, "Options": {}})
        call("NetworkDriver.Join", {**ids, "SandboxKey": "/run/docker/netns/x", "Options": {}})
        call("NetworkDriver.Leave", ids)
        call("NetworkDriver.DeleteEndpoint", ids)
        bare = address.partition("/")[0]
        call("IpamDriver.ReleaseAddress", {"PoolID": pool, "Address": bare})
    return taken


def _post(path: str, name: str, body: dict[str, Any]) -> dict[str, Any]:
    """As little of HTTP as will do, for the client's own time counts, too."""
    data = json.dumps(body).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        head = f"POST /{name} HTTP/1.1\r\nHost: plugin\r\nContent-Length: {len(data)}\r\n\r\n"
        connection.sendall(head.encode() + data)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    decoded: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return decoded


def _cold_start(pc: PluginHost) -> float:
    """Seconds from the start of the process to its first answer."""
    with tempfile.TemporaryFile("w") as log:
        begin = time.perf_counter()
        words = (sys.executable, "-m", "macvlan_ros", "plugin", "serve")
        process = pc.host.popen(*words, env={"PYTHONPATH": str(ROOT)}, stdout=log, stderr=log)
        while not pc.answers():
            time.sleep(0.002)
        spent = time.perf_counter() - begin
        process.terminate()
        process.wait(20)
    return spent


def _resident(pc: PluginHost) -> float:
    """MiB that the service has in memory."""
    text = Path(f"/proc/{pc.pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main()
