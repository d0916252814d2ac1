"""Errands: what people and their containers do all the time, whatever is broken meanwhile.

Any of it may be refused while something is broken. It may not hang, nor end with a traceback.
"""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Callable

from tests.chaos.world import World
from tests.e2e.plugin_host import IMAGE, PluginHost
from tests.lab import LabError

#: So many containers are on a PC at most; the pool has 32 addresses.
MOST = 6


class Trouble(AssertionError):
    """Something that must never happen."""


class Errands:
    """Those of one PC, one after the other. A docker command that has not ended after `limit`
    seconds hangs."""

    def __init__(self, world: World, pc: PluginHost, *, limit: float = 120.0) -> None:
        self._world = world
        self._book = world.book
        self._pc = pc
        self._limit = limit
        self._chance = random.Random(world.chance.random())
        self._doings: tuple[Callable[[], str], ...] = (
            *(self._run, self._run_known, self._run_fixed),
            *(self._begin, self._begin, self._end, self._end, self._again, self._remove),
            *(self._allocate, self._release, self._launch, self._down),
        )

    def do(self) -> None:
        """One of them, by chance; what became of it is said."""
        self._world.say(self._pc.host.name, self._chance.choice(self._doings)())

    # -- containers ---------------------------------------------------------------------------

    def _run(self) -> str:
        return self._start_new("", "box")

    def _run_known(self) -> str:
        taken = set(self._book.owners.values())
        free = sorted(set(self._book.macs) & set(self._book.static) - taken)
        mine = [owner for owner in free if owner.startswith(f"{self._pc.host.name}-r")]
        if not mine:
            return self._allocate()
        owner = self._chance.choice(mine)
        return self._start_new(owner, "named", "--mac-address", self._book.macs[owner])

    def _run_fixed(self) -> str:
        return self._start_new("", "fixed", "--ip", f"192.168.50.{self._chance.randint(192, 223)}")

    def _start_new(self, owner: str, kind: str, *options: str) -> str:
        if len(self._names()) >= MOST:
            return self._remove()
        name = f"{self._pc.host.name}-{kind}{self._world.number()}"
        self._book.owners[name] = owner
        return self._docker("run", "-d", "--name", name, "--network", "lan", *options, IMAGE)

    def _begin(self) -> str:
        return self._on_one("start")

    def _end(self) -> str:
        return self._on_one("stop", "-t", "1")

    def _again(self) -> str:
        return self._on_one("restart", "-t", "1")

    def _remove(self) -> str:
        return self._on_one("rm", "-f")

    def _on_one(self, *words: str) -> str:
        names = self._names()
        return self._docker(*words, self._chance.choice(names)) if names else self._run()

    def _names(self) -> list[str]:
        """Of those that Docker was told to run; launched ones are launch's."""
        try:
            found = self._world.containers(self._pc, all_of_them=True)
        except (LabError, OSError):
            return []
        return [name for name in found if name in self._book.owners]

    def _docker(self, *words: str) -> str:
        if self._pc.host.engine.pid is None:
            return f"docker {words[0]}: the engine is down"
        try:
            command = (*self._pc.host.engine.cli(), *words)
            done = self._pc.host.run(*command, check=False, timeout=self._limit)
        except LabError as error:
            raise Trouble(f"docker hangs: {error}") from None
        return f"docker {' '.join(words)}: {outcome(done)}"

    # -- our own commands ---------------------------------------------------------------------

    def _allocate(self) -> str:
        owner = f"{self._pc.host.name}-r{self._world.number()}"
        self._book.doubtful.add(owner)
        done = self.ours("allocate", "--json", "--pool", "lab", owner)
        if not done.returncode:
            (row,) = json.loads(done.stdout)
            self._told(owner, row["address"], row["mac"])
        return f"allocate {owner}: {outcome(done)}"

    def _release(self) -> str:
        taken = set(self._book.owners.values())
        mine = [o for o in self._book.macs if o.startswith(f"{self._pc.host.name}-r")]
        free = sorted(set(mine) & set(self._book.static) - taken)
        if not free:
            return self._allocate()
        owner = self._chance.choice(free)
        self._book.doubtful.add(owner)
        done = self.ours("release", "--pool", "lab", owner)
        if not done.returncode:
            self._book.doubtful.discard(owner)
            self._book.static.pop(owner, None)
        return f"release {owner}: {outcome(done)}"

    def _launch(self) -> str:
        self._book.doubtful |= self.services
        done = self.ours("launch", "--json", "--master-timeout", "0.1")
        if not done.returncode:
            for row in json.loads(done.stdout):
                self._told(row["service"], row["address"], row["mac"])
        return f"launch: {outcome(done)}"

    def _down(self) -> str:
        return f"down: {outcome(self.ours('down'))}"

    @property
    def services(self) -> set[str]:
        return {f"{self._pc.host.name}-core", f"{self._pc.host.name}-talker"}

    def _told(self, owner: str, address: str, mac: str) -> None:
        """The command line has promised that address."""
        before = self._book.static.get(owner, address)
        if before != address:
            raise Trouble(f"{owner} had {before}, and is told {address}")
        self._book.static[owner] = address
        self._book.macs[owner] = mac
        self._book.doubtful.discard(owner)

    def ours(self, *words: str) -> subprocess.CompletedProcess[str]:
        host = self._pc.host
        folder = str(self._world.folder(host))
        try:
            done = host.macvlan_ros(*words, timeout=self._limit, cwd=folder)
        except LabError as error:
            raise Trouble(f"macvlan-ros hangs: {error}") from None
        if "Traceback" in done.stderr or done.returncode == 1:
            raise Trouble(f"macvlan-ros {' '.join(words)} fails: {done.stderr}")
        return done


def outcome(done: subprocess.CompletedProcess[str]) -> str:
    """In a word or two; why not, if not."""
    if not done.returncode:
        return "done"
    lines = done.stderr.strip().splitlines() or ["?"]
    said = next((line for line in lines if "rror" in line), lines[-1])
    return f"refused ({done.returncode}): {said[:150]}"
