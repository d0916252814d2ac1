"""Holding: who runs with an address that is to be given up, as far as anybody knows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import pytest
from netaddr import IPAddress

from macvlan_ros.errors import Conflict, DockerDown, KernelRefused
from macvlan_ros.models.pools import Reservation
from macvlan_ros.reserving.holding import Holder, Holding
from macvlan_ros.stores.memory import MemoryStore
from macvlan_ros.uses import Use, Uses

TALKER = Reservation("lab", IPAddress("192.168.50.195"), "talker", "02:00:00:00:00:01")
OTHER = Reservation("lab", IPAddress("192.168.50.196"), "other", "02:00:00:00:00:02")
FOREIGN = "02:00:00:00:00:99"


@dataclass
class World:
    """What Docker and the kernel of a PC say; None: they cannot be asked."""

    containers: Mapping[str, str] | None = field(default_factory=dict)
    running: Collection[str] | None = ()
    notes: list[str] = field(default_factory=list)
    uses: Uses = field(default_factory=lambda: Uses(MemoryStore(), host="qtpc"))

    def holding(self) -> Holding:
        return Holding(
            self.uses,
            host="qtpc",
            containers=self._containers,
            running=self._running,
            note=self.notes.append,
        )

    def use(self, mac: str, *, host: str) -> None:
        self.uses.keep(Use("lab", TALKER.address, mac, host, 0.0))

    def _containers(self) -> Mapping[str, str]:
        if self.containers is None:
            raise DockerDown("Docker does not run")
        return self.containers

    def _running(self) -> Collection[str]:
        if self.running is None:
            raise KernelRefused("the kernel refused", 1)
        return self.running


@pytest.mark.parametrize("known_as", [TALKER.mac, str(TALKER.address), FOREIGN])
def test_docker_names_the_container_by_its_mac_its_address_or_the_one_it_was_given_with(
    known_as: str,
) -> None:
    world = World(containers={known_as: "robot"})
    world.use(FOREIGN, host="qtpc")
    assert world.holding().holders([OTHER, TALKER]) == (Holder(TALKER, container="robot"),)


def test_without_docker_the_kernel_tells() -> None:
    world = World(containers=None, running={TALKER.mac})
    assert world.holding().holders([TALKER, OTHER]) == (Holder(TALKER),)
    assert world.notes == ["Docker was not asked what runs: Docker does not run"]


def test_a_container_that_the_plugin_gave_the_address_counts_while_its_mac_runs() -> None:
    world = World(running={FOREIGN})
    world.use(FOREIGN, host="qtpc")
    assert world.holding().holders([TALKER]) == (Holder(TALKER),)
    world.running = ()
    assert world.holding().holders([TALKER]) == ()


def test_on_another_host_the_store_has_the_word() -> None:
    world = World()
    world.use(FOREIGN, host="qtrp")
    assert world.holding().holders([TALKER]) == (Holder(TALKER, host="qtrp"),)


def test_what_the_store_says_counts_when_the_kernel_cannot_be_asked() -> None:
    world = World(containers=None, running=None)
    assert world.holding().holders([TALKER]) == ()
    world.use(FOREIGN, host="qtpc")
    assert world.holding().holders([TALKER]) == (Holder(TALKER),)


def test_nothing_held_asks_nobody() -> None:
    world = World(containers=None, running=None)
    world.holding().check([])
    assert world.notes == []


@pytest.mark.parametrize(
    ("world", "said"),
    [
        (
            World(containers={TALKER.mac: "robot"}),
            "the container 'robot' runs with 192.168.50.195; stop it first with: docker stop "
            "robot, or give it up all the same with: --force",
        ),
        (
            World(running={TALKER.mac, OTHER.mac}),
            "'talker' runs on this PC with 192.168.50.195 (and 1 more of these names run); stop it "
            "first, or give it up all the same with: --force",
        ),
    ],
)
def test_the_refusal_names_who_runs_and_the_remedy(world: World, said: str) -> None:
    with pytest.raises(Conflict) as raised:
        world.holding().check([TALKER, OTHER])
    assert str(raised.value) == said
