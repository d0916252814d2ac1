"""The members of an etcd, one on each PC of a lab, which a test kills and starts again."""

from __future__ import annotations

import subprocess

from tests.lab import Lab


class Members:
    """None runs before it is started; all have the same cluster."""

    def __init__(self, lab: Lab) -> None:
        self._hosts = lab.hosts
        self._running: dict[str, subprocess.Popen[str]] = {}
        self._cluster = ",".join(
            f"{name}=http://{host.address}:2380" for name, host in lab.hosts.items()
        )
        #: Of a store on them, without a prefix.
        self.url = "etcd://" + ",".join(f"{host.address}:2379" for host in lab.hosts.values())

    def start(self, *names: str) -> None:
        """Start these, or all, that do not run."""
        for name in names or self._hosts:
            if not self.runs(name):
                self._running[name] = self._start(name)

    def kill(self, name: str) -> None:
        """As a crash would."""
        process = self._running.pop(name)
        process.kill()
        process.wait(10)

    def runs(self, name: str) -> bool:
        return name in self._running and self._running[name].poll() is None

    def _start(self, name: str) -> subprocess.Popen[str]:
        host = self._hosts[name]
        client, peer = f"http://{host.address}:2379", f"http://{host.address}:2380"
        return host.popen(
            *("etcd", "--name", name, "--data-dir", str(host.path("/var/lib/etcd"))),
            *("--listen-client-urls", client, "--advertise-client-urls", client),
            *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
            *("--initial-cluster", self._cluster),
            *("--heartbeat-interval", "50", "--election-timeout", "500"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
