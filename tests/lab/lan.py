"""The LAN: a switch and any number of PCs, with nothing that leads out of it."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from netaddr import IPNetwork

from . import keeper
from .errors import LabError
from .host import PATH, ROOT, Host
from .wiring import Wiring, mac_of

__all__ = ["ROOT", "Lab"]

PROGRAMS = {
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "mount": "mount",
    "ip": "iproute2",
    "dockerd": "docker.io",
    "containerd": "docker.io",
    "docker": "docker.io",
    "iptables": "iptables",
    "busybox": "busybox-static",
}
FIRST_HOST = 11
SETUP = 60.0
CLOSE = 60.0


class Lab:
    """A LAN of PCs in network namespaces; a context manager.

    `hosts` are their names, in the order of their addresses, which start at .11; .1 is the
    switch's, everybody's gateway. `engines` says which of them run a Docker Engine: all, none, or
    those named. `engine_options` are more options for dockerd. `trees` names the hosts whose engine
    is another Debian's, and its files (debian.py). With `subnet6` the LAN has IPv6.

    Nothing in it has a name on the machine, so labs do not meet. When the process that made it
    dies, its keeper removes it.
    """

    def __init__(
        self,
        hosts: Sequence[str] = ("qtpc", "qtrp"),
        *,
        subnet: str = "192.168.50.0/24",
        subnet6: str = "",
        engines: bool | Collection[str] = True,
        engine_options: Sequence[str] = (),
        trees: Mapping[str, Path] | None = None,
    ) -> None:
        self.subnet = IPNetwork(subnet)
        self.subnet6 = IPNetwork(subnet6) if subnet6 else None
        self.hosts: dict[str, Host] = {}
        self.strangers: list[Host] = []
        self._names = tuple(hosts)
        self._with_engine = tuple(hosts) if engines is True else tuple(engines or ())
        self._engine_options = tuple(engine_options)
        self._trees = dict(trees or {})
        self._made: list[Host] = []
        self._ports = 0

    def __enter__(self) -> Lab:
        check_requirements(engines=bool(self._with_engine))
        parent = Path(tempfile.gettempdir())
        keeper.remove_stale(parent)
        self.mark = f"{os.getpid()}-{secrets.token_hex(3)}"
        self.folder = parent / (keeper.PREFIX + self.mark)
        self.folder.mkdir(mode=0o755)
        self._keeper = start_keeper(self.folder)
        try:
            self._open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends and removes everything. Raises LabError if something stays."""
        try:
            _, said = self._keeper.communicate(timeout=CLOSE)
        except subprocess.TimeoutExpired:
            raise LabError(f"the lab {self.folder} was not removed in {CLOSE:g} s") from None
        for host in self._made:  # they are dead; what is left is to bury our own children
            host.close()
        if self._keeper.returncode != 0:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise LabError(f"the lab's keeper failed: {said.strip() or 'it was killed'}")

    def add_host(self, name: str, *, address: str = "", engine: bool = False) -> Host:
        """One more PC on the LAN, at the next address unless one is given."""
        address = address or str(self.subnet[FIRST_HOST + len(self.hosts)])
        (host,) = self._make([(name, address)])
        self.hosts[name] = host
        if engine:
            host.start_engine(*self._engine_options)
        return host

    def add_stranger(self, address: str, *, name: str = "") -> Host:
        """Somebody on the LAN who knows nothing of us and holds an address."""
        (host,) = self._make([(name or f"stranger{len(self.strangers) + 1}", address)])
        self.strangers.append(host)
        return host

    def unplug(self, host: Host) -> None:
        """Pulls the host's cable: its eth0 stays up, without a carrier."""
        self.switch.run("ip", "link", "set", self._port_of[host.name], "down")

    def plug(self, host: Host) -> None:
        """Puts the host's cable back."""
        self.switch.run("ip", "link", "set", self._port_of[host.name], "up")

    def reset(self) -> None:
        """Brings all back to how it was at the start, but for the images: for the next test.

        Strangers leave, every host gets back its link and its engine, and loses its containers,
        networks, volumes, reservations, settings and what a test has left running in it.
        """
        for stranger in self.strangers:
            stranger.close()
            self._made.remove(stranger)
            self.switch.run("ip", "link", "delete", self._port_of.pop(stranger.name), check=False)
        self.strangers.clear()
        for host in self.hosts.values():
            self._reset_host(host)

    def _reset_host(self, host: Host) -> None:
        host.end_processes()
        self.plug(host)
        host.link_up()
        if host.name in self._with_engine:
            host.engine.resume()
            if host.engine.pid is None:
                host.engine.start(*self._engine_options)
            for container in host.engine.call("GET", "/containers/json?all=1"):
                host.engine.call("DELETE", f"/containers/{container['Id']}?force=1&v=1")
            host.engine.call("POST", "/networks/prune")
            for volume in host.engine.call("GET", "/volumes")["Volumes"] or ():
                host.engine.call("DELETE", f"/volumes/{volume['Name']}?force=1")
        host.clear_links()
        host.run("sh", "-c", FORGET_STATE)

    def _open(self) -> None:
        gateway = str(self.subnet[1])
        self._port_of: dict[str, str] = {}
        address6 = f"{self.subnet6[1]}/{self.subnet6.prefixlen}" if self.subnet6 else ""
        wiring = Wiring(
            f"{gateway}/{self.subnet.prefixlen}", mac_of(gateway), gateway="", address6=address6
        )
        self.switch = self._host("switch", wiring)
        addresses = [str(self.subnet[FIRST_HOST + n]) for n in range(len(self._names))]
        made = self._start(zip(self._names, addresses, strict=True))
        self._await([self.switch, *made])
        self._wire_switch()
        for host in made:
            self._wire(host)
            self.hosts[host.name] = host
        for name in self._with_engine:
            self.hosts[name].engine.spawn(*self._engine_options)
        for name in self._with_engine:
            self.hosts[name].engine.wait()

    def _make(self, wanted: Iterable[tuple[str, str]]) -> list[Host]:
        made = self._start(wanted)
        self._await(made)
        for host in made:
            self._wire(host)
        return made

    def _start(self, wanted: Iterable[tuple[str, str]]) -> list[Host]:
        made: list[Host] = []
        for name, address in wanted:
            if name in self._port_of or name in (host.name for host in made):
                raise LabError(f"the lab has a host {name} already")
            made.append(self._host(name, self._wiring(address)))
        return made

    def _wiring(self, address: str) -> Wiring:
        length, gateway = self.subnet.prefixlen, str(self.subnet[1])
        if self.subnet6 is None:
            return Wiring(f"{address}/{length}", mac_of(address), gateway)
        address6 = self.subnet6[int(address.rpartition(".")[2])]
        return Wiring(
            f"{address}/{length}",
            mac_of(address),
            gateway,
            address6=f"{address6}/{self.subnet6.prefixlen}",
            gateway6=str(self.subnet6[1]),
        )

    def _wire_switch(self) -> None:
        made = f"link add lan address {self.switch.mac} type bridge\n"
        self.switch.run("ip", "-batch", "-", input=made + "".join(self.switch.wiring.lines("lan")))

    def _wire(self, host: Host) -> None:
        """Both ends of the cable are made in the switch: the machine never sees them."""
        self._ports += 1
        port = self._port_of[host.name] = f"port{self._ports}"
        peer = f"peer name eth0 address {host.mac} netns {host.pid}"
        lines = [f"link add {port} type veth {peer}", f"link set {port} master lan up"]
        self.switch.run("ip", "-batch", "-", input="\n".join(lines) + "\n")
        host.link_up()

    def _await(self, hosts: Iterable[Host]) -> None:
        deadline = time.monotonic() + SETUP
        for host in hosts:
            host.wait_until_ready(deadline)

    def _host(self, name: str, wiring: Wiring) -> Host:
        mark, folder = f"{self.mark}/{name}", self.folder / name
        host = Host(name, mark=mark, folder=folder, wiring=wiring, tree=self._trees.get(name))
        self._made.append(host)
        return host


FORGET_STATE = """
for folder in /etc/macvlan-ros /var/lib/macvlan-ros /run/macvlan-ros /run/home; do
    [ ! -d "$folder" ] || find "$folder" -mindepth 1 -delete
done
"""


def check_requirements(*, engines: bool) -> None:
    """Raises LabError, with the remedy, when this machine cannot carry a lab."""
    if os.geteuid() != 0:
        raise LabError("the lab needs root, for it makes network namespaces; run it with sudo")
    needed = [p for p in PROGRAMS if engines or PROGRAMS[p] not in ("docker.io", "iptables")]
    missing = {PROGRAMS[p] for p in needed if shutil.which(p, path=PATH) is None}
    if missing:
        remedy = f"apt-get install {' '.join(sorted(missing))}"
        raise LabError(f"the lab needs programs that are not installed; install them: {remedy}")


def start_keeper(folder: Path) -> subprocess.Popen[str]:
    """Starts the process that removes the lab, and notes it in the lab's folder."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", str(keeper.__file__), str(folder), str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    started = keeper.Process.read(process.pid)
    if started is None:
        raise LabError("the lab's keeper ended at its start")
    (folder / "keeper").write_text(f"{started.pid} {started.started}\n")
    return process
