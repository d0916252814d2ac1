"""A plugin that is dead while Docker goes on: what Docker did meanwhile is made up for.

Docker asks a dead plugin five times within 15 s, for each of its calls. So each story has a PC of
its own, and all of them wait side by side; a test is what its story says in the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.conftest import started
from tests.e2e.plugin_host import PluginHost, plugged, within
from tests.lab import Host

Story = Callable[[PluginHost], None]

#: What leaves: its address, and how it goes.
LEAVING = {
    "stopped": ("192.168.50.70", ("stop", "-t", "1", "stopped")),
    "removed": ("192.168.50.73", ("rm", "-f", "removed")),
}

#: A story takes a minute at most; the time it is given is for slow machines.
PATIENCE = 170.0


def made_up_for(pc: PluginHost, driver: str, *leaving: str) -> None:
    """Containers stop and go while nobody hears of it."""
    pc.network(driver=driver)
    for name in leaving:
        pc.run(name, "--ip", LEAVING[name][0])
    kept = pc.run("kept").address.partition("/")[0]
    pc.kill()
    with ThreadPoolExecutor(len(leaving)) as side_by_side:
        for name in leaving:
            side_by_side.submit(pc.docker, *LEAVING[name][1], timeout=150, check=False)
    pc.start()
    assert within(60, lambda: set(pc.reservations()) == {kept}), pc.reservations()
    assert pc.own_links() == set()
    for name in leaving:
        address, how = LEAVING[name]
        if how[0] == "stop":
            pc.docker("start", name)
            assert pc.interface(name).address == f"{address}/24"
        else:
            assert pc.run(name, "--ip", address).address == f"{address}/24"
        assert pc.reaches("kept", address)


def collected_by_hand(pc: PluginHost) -> None:
    """gc says what it would collect, and then does it."""
    pc.network(driver="macvlan")
    running = pc.run("running").address.partition("/")[0]
    leaked = pc.run("leaked").address.partition("/")[0]
    pc.stop()
    pc.docker("kill", "leaked", timeout=120, check=False)
    young = pc.host.macvlan_ros("gc", "--settled", "1000", check=True)
    assert "nothing was left over" in young.stderr
    would = pc.host.macvlan_ros("gc", "--dry-run", "--settled", "0", check=True).stdout
    assert leaked in would
    assert running not in would
    assert set(pc.reservations()) == {running, leaked}
    assert leaked in pc.host.macvlan_ros("gc", "--settled", "0", check=True).stdout
    assert set(pc.reservations()) == {running}


def left_to_whoever_answers(pc: PluginHost) -> None:
    """gc asks the LAN, on which the address lives on."""
    pc.network(driver="macvlan")
    leaked = pc.run("leaked", "--ip", "192.168.50.70").address.partition("/")[0]
    mac = str(pc.reservations()[leaked]["mac"])
    pc.stop()
    pc.docker("kill", "leaked", timeout=120, check=False)
    pc.host.run("ip", "address", "add", "192.168.50.99/24", "dev", "eth0")
    with ExitStack() as undo:
        link = ("ip", "link", "add", "link", "eth0", "alive", "type", "macvlan", "mode", "bridge")
        pc.host.run(*link)
        undo.callback(pc.host.run, "ip", "link", "delete", "alive")
        pc.host.run("ip", "link", "set", "alive", "address", mac, "up")
        pc.host.macvlan_ros("gc", "--settled", "0", check=True)
        assert leaked in pc.reservations()
    pc.host.macvlan_ros("gc", "--settled", "0", check=True)
    assert pc.reservations() == {}


#: By the name of its PC.
STORIES: Mapping[str, Story] = {
    "theirs": lambda pc: made_up_for(pc, "macvlan", "stopped", "removed"),
    # our network driver is asked twice more for each container, so each is a story
    "ours-stops": lambda pc: made_up_for(pc, "macvlan-ros", "stopped"),
    "ours-goes": lambda pc: made_up_for(pc, "macvlan-ros", "removed"),
    "by-hand": collected_by_hand,
    "alive": left_to_whoever_answers,
}


@pytest.fixture(scope="module")
def told() -> Iterator[Mapping[str, Future[None]]]:
    """All stories, begun at once, each on a LAN of its own: their addresses are the same."""

    def tell(story: Story, host: Host) -> None:
        with plugged(host) as pc:
            story(pc)

    with ExitStack() as labs, ThreadPoolExecutor(len(STORIES)) as side_by_side:
        hosts = {name: labs.enter_context(started(hosts=(name,))).hosts[name] for name in STORIES}
        yield {
            name: side_by_side.submit(tell, story, hosts[name]) for name, story in STORIES.items()
        }


@pytest.mark.parametrize("story", ["ours-stops", "ours-goes", "theirs"])
def test_what_docker_did_while_the_plugin_was_dead_is_made_up_for(
    told: Mapping[str, Future[None]], story: str
) -> None:
    told[story].result(PATIENCE)


def test_gc_says_what_it_would_collect_and_then_does_it(told: Mapping[str, Future[None]]) -> None:
    told["by-hand"].result(PATIENCE)


def test_gc_does_not_free_an_address_that_somebody_answers_for(
    told: Mapping[str, Future[None]],
) -> None:
    told["alive"].result(PATIENCE)
