"""Three PCs with a member of etcd each: all reserve at once, while members and cables fail."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from tests.conftest import started
from tests.e2e.filling import POOL, PROCESSES, Line
from tests.e2e.members import Members
from tests.e2e.plugin_host import within
from tests.lab import Host, Lab
from tests.lab.host import ROOT

HOSTS = ("one", "two", "three")


@dataclass(frozen=True)
class Filling:
    """8 processes of one host, and the file in which they say what becomes of each request."""

    process: subprocess.Popen[str]
    said: Path


class Robots:
    """The LAN, and the etcd on it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.hosts = lab.hosts
        self.members = Members(lab)
        self.url = self.members.url

    def ours(self, host: Host, prefix: str, *words: str) -> subprocess.CompletedProcess[str]:
        return host.macvlan_ros(*words, "--store", f"{self.url}/{prefix}")

    def fill(self, host: Host, prefix: str, *, seconds: float) -> Filling:
        """8 processes of that host reserve until the pool is full, or the time is over."""
        # a pipe that nobody reads meanwhile would make them wait
        said = host.path("/var/lib/said")
        with said.open("w") as output:
            return Filling(self._start_filling(host, prefix, seconds, output), said)

    def _start_filling(
        self, host: Host, prefix: str, seconds: float, output: IO[str]
    ) -> subprocess.Popen[str]:
        return host.popen(
            *("env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "tests.e2e.filling"),
            *(f"{self.url}/{prefix}", host.name, str(host.path("/var/lib/macvlan-ros"))),
            *("0", str(seconds)),
            stdout=output,
        )

    def check(self, prefix: str, made: list[Line]) -> None:
        """No address twice, and nothing lost: what was promised stands, and nothing else."""
        shown = self.ours(self.hosts["one"], prefix, "list", "--json").stdout
        stands = {each["owner"]: each["address"] for each in json.loads(shown)}
        assert len(set(stands.values())) == len(stands)
        promised = {line.owner: line.address for line in made}
        assert promised.items() <= stands.items()
        refused = {owner for owner in stands if owner not in promised}
        # one whose answer was lost when the time was over has its address all the same
        assert len(refused) <= PROCESSES * len(self.hosts)
        assert self.ours(self.hosts["two"], prefix, "store", "check").returncode == 0


@pytest.fixture(scope="module")
def robots() -> Iterator[Robots]:
    with started(hosts=HOSTS, engines=False) as lab:
        made = Robots(lab)
        made.members.start()
        first = lab.hosts["one"]
        assert within(30, lambda: not made.ours(first, "lab", "pool", "list").returncode)
        yield made


def lines(processes: Sequence[Filling], *, seconds: float) -> list[Line]:
    found = []
    for each in processes:
        assert each.process.wait(seconds) == 0
        found += [Line(**json.loads(line)) for line in each.said.read_text().splitlines()]
    return found


def add_pool(robots: Robots, prefix: str, *, subnet: str, ranges: str) -> None:
    words = ("pool", "add", POOL, "--subnet", subnet, "--range", ranges, "--no-probe")
    done = robots.ours(robots.hosts["one"], prefix, *words)
    assert done.returncode == 0, done.stderr


def test_eight_processes_on_each_of_three_hosts_fill_a_pool(robots: Robots) -> None:
    add_pool(robots, "full", subnet="10.9.0.0/16", ranges="10.9.1.0-10.9.1.239")
    running = [robots.fill(host, "full", seconds=60) for host in robots.hosts.values()]
    made = [line for line in lines(running, seconds=90) if line.address]
    assert len(made) == 240
    assert {line.host for line in made} == set(HOSTS)
    robots.check("full", made)
    until_80 = sorted(made, key=lambda line: line.ended)[:192]
    tries = sum(line.tries for line in until_80) / len(until_80)
    assert tries <= 1.3, "24 processes at once, in a pool of 240"


def test_members_die_and_a_cable_is_cut_while_all_reserve(robots: Robots) -> None:
    """Nothing is given twice, nothing is lost, and nobody waits for more than 5 seconds."""
    add_pool(robots, "torn", subnet="10.8.0.0/16", ranges="10.8.0.10-10.8.200.0")
    hosts = robots.hosts
    running = [robots.fill(host, "torn", seconds=28) for host in hosts.values()]
    moments: dict[str, float] = {}

    def moment(name: str, *, after: float) -> None:
        time.sleep(after)
        moments[name] = time.monotonic()

    moment("all", after=2)
    moment("one member is dead", after=2)
    robots.members.kill("one")
    moment("it is back", after=4)
    robots.members.start("one")
    moment("three is cut off", after=3)
    robots.lab.unplug(hosts["three"])
    moment("three is back", after=5)
    robots.lab.plug(hosts["three"])
    time.sleep(3)
    robots.members.kill("one")
    robots.members.kill("two")
    moment("most members are dead", after=0)
    moment("they are back", after=3)
    robots.members.start("one")
    robots.members.start("two")
    said = lines(running, seconds=60)
    made = [line for line in said if line.address]
    robots.check("torn", made)
    assert max(line.seconds for line in said) < 5.5

    def hosts_in(first: str, last: str, *, later: float) -> set[str]:
        between = (moments[first] + later, moments[last])
        return {line.host for line in made if between[0] < line.ended < between[1]}

    assert hosts_in("one member is dead", "it is back", later=2) == set(HOSTS)
    assert hosts_in("three is cut off", "three is back", later=3) == {"one", "two"}
    dead, back = moments["most members are dead"], moments["they are back"]
    assert not [line for line in made if line.ended - line.seconds > dead and line.ended < back]
    moments["the end"] = max(line.ended for line in said) + 1
    assert hosts_in("they are back", "the end", later=2) == set(HOSTS)
    refused = {line.said for line in said if line.said}
    assert refused
    assert not [each for each in refused if " while etcd is away: " not in each]


def test_clocks_that_disagree_by_an_hour_change_nothing(robots: Robots) -> None:
    """Of an etcd's clients nobody's clock is asked: not for reservations, not for the copy."""
    add_pool(robots, "late", subnet="10.7.0.0/16", ranges="10.7.1.0-10.7.1.99")
    url = f"{robots.url}/late"
    owners = [f"o{number}" for number in range(30)]
    found: dict[str, str] = {}
    for host, shift in zip(robots.hosts.values(), ("-1h", "+0", "+1h"), strict=True):
        words = ("allocate", "--json", "--no-probe", "--store", url)
        mine = [*owners, *(f"{host.name}-{owner}" for owner in owners[:10])]
        done = host.run("faketime", "-f", shift, *host.macvlan_ros_command(*words, *mine))
        for each in json.loads(done.stdout):
            assert found.setdefault(each["owner"], each["address"]) == each["address"]
        listed = host.run(
            "faketime", "-f", shift, *host.macvlan_ros_command("list", "-q", "--store", url)
        )
        assert len(listed.stdout.split()) == len(found)
    assert len(set(found.values())) == len(found) == 60
