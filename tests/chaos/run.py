"""A run: fault after fault, errands on all PCs meanwhile, and the truths after each."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from tests.chaos import faults, truths
from tests.chaos.errands import Errands, Trouble
from tests.chaos.faults import Fault
from tests.chaos.world import World, made
from tests.e2e.plugin_host import PluginHost


def run(
    kind: str,
    seed: int,
    *,
    seconds: float = 0.0,
    wanted: Iterable[tuple[Fault, Fault]] = (),
    busy: int = 4,
) -> None:
    """For that long, or what is wanted, in its order: what is broken around a PC, and what happens
    to it then. `busy` errands are done on each PC for each.

    Raises Trouble when something is not as it must be.
    """
    end = time.monotonic() + seconds
    with made(kind, seed) as world:
        world.say("chaos", f"store on {kind}, seed {seed}")
        errands = {pc.host.name: Errands(world, pc) for pc in world.pcs}
        queue = list(wanted)
        while queue or time.monotonic() < end:
            _step(world, *(queue.pop(0) if queue else _by_chance(world)), errands, busy=busy)
        _finish(world)
        world.say("chaos", "all is well")


def _by_chance(world: World) -> tuple[Fault, Fault]:
    accident = world.chance.choice(faults.ACCIDENTS[world.kind])
    weather = world.chance.choice(faults.WEATHER[world.kind])
    return (faults.nothing if accident in faults.MENDED_LAST else weather), accident


def _step(
    world: World, weather: Fault, accident: Fault, errands: dict[str, Errands], *, busy: int
) -> None:
    there, here = world.chance.choice(world.pcs), world.chance.choice(world.pcs)
    with ThreadPoolExecutor(len(errands)) as side_by_side, weather(world, there) as around:
        world.say(there.host.name, f"** {around}")
        with accident(world, here) as what:
            world.say(here.host.name, f"** {what}")
            doing = [side_by_side.submit(_several, each, busy) for each in errands.values()]
            if accident in faults.MENDED_LAST or world.chance.random() < 0.5:
                _wait(doing)  # else it is mended while they are at it
        if world.chance.random() < 0.5:
            _wait(doing)
    _wait(doing)
    truths.check(world)


def _several(errands: Errands, number: int) -> None:
    for _ in range(number):
        errands.do()


def _wait(doing: Iterable[object]) -> None:
    for each in doing:
        each.result()  # type: ignore[attr-defined]


def _finish(world: World) -> None:
    """Everything is given back, and nothing is left."""
    for pc in world.pcs:
        for name in world.containers(pc, all_of_them=True):
            pc.docker("rm", "-f", name)
    owners = sorted(world.book.static)
    first = world.pcs[0].host
    if owners:
        first.macvlan_ros("release", "--pool", "lab", "--force", *owners, check=True)
    for pc in world.pcs:
        pc.host.macvlan_ros("gc", "--settled", "0", check=True)
        _nothing_stays(world, pc)


def _nothing_stays(world: World, pc: PluginHost) -> None:
    held = [row for row in world.listed(pc) if not row["owner"].startswith("shim-")]
    mine = [row for row in held if row["host"] in ("", pc.host.name)]
    if mine or pc.own_links() - {"mvr-eth0"}:
        raise Trouble(f"{pc.host.name} keeps {mine} {pc.own_links()}")
