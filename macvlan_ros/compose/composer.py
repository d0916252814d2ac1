"""The composer: runs the real Compose on a stack, with an override that puts it on the LAN."""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netaddr import IPAddress

from macvlan_ros import stack as stacks
from macvlan_ros.compose import finding
from macvlan_ros.compose import words as said
from macvlan_ros.compose.onlooking import Onlooker
from macvlan_ros.compose.override import override, unset, whole
from macvlan_ros.docker_api import labels
from macvlan_ros.docker_api.payload import ENDPOINT_MAC_SINCE, api_number
from macvlan_ros.docker_cli import passing
from macvlan_ros.errors import Unavailable
from macvlan_ros.launching import placement
from macvlan_ros.models.containers import Attachment
from macvlan_ros.models.pools import Reservation
from macvlan_ros.models.stacks import Stack
from macvlan_ros.stack.nodes import Node
from macvlan_ros.undo import Undo, all_or_nothing

if TYPE_CHECKING:
    from macvlan_ros.app import App
    from macvlan_ros.launch import Ready

__all__ = ["Composer"]

#: Those that make containers: with them goes the override.
_MAKING = frozenset(("up", "create", "run", "scale", "watch"))
#: Those that start what is made already.
_STARTING = frozenset(("start", "restart", "unpause"))
_ENDING = frozenset(("down", "stop", "kill", "rm", "pause"))
#: What Compose does by itself.
_WITHOUT_ENGINE = frozenset(("config", "help", "version", "--help", "-h", "--version", "-v"))


#: What Compose reads beside the stack's own files, in a folder that is gone afterwards.
_FILE = "macvlan-ros.yaml"


class Composer:
    """Runs Compose on one stack. `tree` is the stack as `stack.resolve` gives it."""

    def __init__(self, app: App, stack: Stack, tree: Node) -> None:
        self._app = app
        self._stack = stack
        self._tree = tree

    def config(self) -> str:
        """The override as YAML, for a Compose of today; what it names is reserved and made."""
        document, _ = self._document((), modern=True)
        return stacks.to_yaml(stacks.escape(document))

    def rehearse(self, words: Sequence[str]) -> str:
        """What would be typed to run Compose with these words. What its override names is reserved
        and made: with a dry App, told."""
        cli = finding.find()
        files = list(self._stack.files)
        if _makes(cli, said.verb(words)):
            _, ready = self._document(words, modern=cli.modern)
            words = self._sparing(words, ready)
            ours = str(Path(tempfile.gettempdir()) / "macvlan-ros-…" / _FILE)
            files = [*files, ours] if cli.modern else [ours]
        return shlex.join([*map(os.path.basename, cli.words), *self._options(files), *words])

    def run(self, words: Sequence[str]) -> int:
        """Run Compose with these words, and return its exit code."""
        cli = finding.find()
        if not cli.modern and _WITHOUT_ENGINE.isdisjoint(words):
            self._app.engine.api_version()  # the old one tells of none by a traceback
        code = self._run(cli, words)
        if code and (near := said.misspelt(words, self._stack)):
            self._app.note(near)
        return code

    def _run(self, cli: finding.ComposeCli, words: Sequence[str]) -> int:
        verb = said.verb(words)
        if not _makes(cli, verb):
            return self._run_plain(cli, words, verb)
        document, ready = self._document(words, modern=cli.modern)
        with _folder() as folder:
            path = Path(folder) / _FILE
            files = [*self._stack.files, str(path)]
            content: Mapping[str, Any] = document
            if not cli.modern:
                content, files = whole(document, self._tree, self._stack), [str(path)]
            _write(path, stacks.to_yaml(stacks.escape(content)))
            environ = {k: v for k, v in self._environ().items() if k not in unset(document)}
            if not cli.modern and self._api() >= ENDPOINT_MAC_SINCE:
                # the old one has no word for the MAC of an endpoint, and engines of today heed that
                # of a container only from those who speak as of old
                environ.setdefault("COMPOSE_API_VERSION", "1.43")
            words = self._sparing(words, ready)
            if cli.modern and self._api() < ENDPOINT_MAC_SINCE:
                self._app.note(
                    "this Compose hands no MACs to an engine as old as this one: containers get"
                    " their addresses, but Docker's own MACs"
                )
            look = Onlooker(self._app, ready.network)
            code = passing.run(
                [*cli.words, *self._options(files), *words],
                environ=environ,
                meanwhile=look.attend,
            )
        # in the foreground it has stopped them all again
        self._see_off(one.attachment.address for one in ready.planned if one.attachment)
        return code

    def _sparing(self, words: Sequence[str], ready: Ready) -> Sequence[str]:
        """The words, with --no-recreate where what stands is as it shall be, and `launch` made some
        of it: Compose knows its own containers alone by what they were made from."""
        if not said.keeps_what_stands(words):
            return words
        wanted = {one.service.container_name: one for one in ready.planned}
        found = self._app.engine.named(wanted)
        for name, one in found.items():
            plan = wanted[name]
            if one.config_hash != plan.config_hash or plan.service.name in self._stack.forgiven:
                return words
        launched = any(labels.made_by_launch(one.labels) for one in found.values())
        return said.with_flag(words, "--no-recreate") if launched else words

    def _named(self, words: Sequence[str]) -> list[str]:
        return [word for word in words if word in self._stack.services]

    def _run_plain(self, cli: finding.ComposeCli, words: Sequence[str], verb: str) -> int:
        elsewhere = self._elsewhere()
        if cli.modern and not elsewhere:
            return self._attended([*cli.words, *self._options(self._stack.files), *words], verb)
        # other hosts' images and files are none of this one's
        document = override(
            self._stack, (), elsewhere=elsewhere, tree=self._tree, endpoint_macs=False
        )
        with _folder() as folder:
            path = Path(folder) / _FILE
            files = [*self._stack.files, str(path)]
            if not cli.modern:
                # files that only a Compose of today reads are no obstacle to looking at containers
                document, files = whole(document, self._tree, self._stack), [str(path)]
            _write(path, stacks.to_yaml(stacks.escape(document)))
            return self._attended([*cli.words, *self._options(files), *words], verb)

    def _elsewhere(self) -> list[str]:
        """The services that other hosts start."""
        host, stack = self._app.settings.host_name, self._stack
        return [one.name for one in stack.services.values() if not placement.is_here(one, host)]

    def _attended(self, words: Sequence[str], verb: str) -> int:
        """Run it, and see to what it started or ended."""
        app = self._app
        if verb not in _STARTING | _ENDING:
            return passing.run(words, environ=self._environ())
        before = [one.address for one in app.engine.containers(stack=self._stack.name)]
        if verb in _STARTING and before:
            look = Onlooker(app, app.engine.network(self._stack.network))
            return passing.run(words, environ=self._environ(), meanwhile=look.attend)
        code = passing.run(words, environ=self._environ())
        self._see_off(filter(None, before))
        return code

    def _see_off(self, addresses: Iterable[IPAddress]) -> None:
        """See to those of the addresses whose containers run no more."""
        found = self._app.engine.containers(stack=self._stack.name)
        running = {one.address for one in found if one.running}
        gone = [one for one in addresses if one not in running]
        if gone:
            self._app.attendance.stopped(gone)

    def _beside(self, ready: Ready, name: str, undo: Undo) -> Ready:
        """What is planned, with another address for one more container of a service that runs: its
        own has the first. That address is kept for the next one."""
        app = self._app
        planned = next((one for one in ready.planned if one.service.name == name), None)
        if planned is None or planned.attachment is None:
            return ready
        standing = app.engine.container(planned.service.container_name)
        if standing is None or not standing.running:
            return ready
        owner = f"{planned.service.container_name}-run"
        held = []
        for pool in filter(None, (planned.pool, planned.pool6)):
            (done,) = app.ipam.allocate(pool, [owner], hosts={owner: app.host})
            held.append(done.reservation)
            if done.new:
                undo.add(app.ipam.release, pool, [owner])
        one = replace(planned, attachment=_at(planned.attachment, held))
        if "ROS_IP" in planned.environment:
            own = str(planned.attachment.address)
            new = held[0] if own == planned.environment["ROS_IP"] else held[-1]
            one = replace(one, environment={**planned.environment, "ROS_IP": str(new.address)})
        app.note(
            f"'{name}' runs, and has its address; this container has {held[0].address}, which is"
            f" kept for '{owner}'"
        )
        others = tuple(one if each is planned else each for each in ready.planned)
        return replace(ready, planned=others)

    def _document(self, words: Sequence[str], *, modern: bool) -> tuple[dict[str, Any], Ready]:
        """The override, with all that it names reserved and made."""
        app, names = self._app, self._named(words)
        scaled = said.scaled(words, self._stack, self._tree)
        endpoint_macs = modern and self._api() >= ENDPOINT_MAC_SINCE
        profiles = [one for name in names for one in self._stack.services[name].profiles]
        stack = replace(self._stack, profiles=(*self._stack.profiles, *profiles))
        with all_or_nothing(app.note) as undo:
            ready = app.launcher.place(stack, undo=undo)
            if names and said.verb(words) == "run":
                ready = self._beside(ready, names[0], undo)
        for note in stack.notes:
            app.note(note)
        document = override(
            stack,
            ready.planned,
            elsewhere=self._elsewhere(),
            scaled=scaled,
            tree=self._tree,
            endpoint_macs=endpoint_macs,
        )
        return document, ready

    def _api(self) -> tuple[int, ...]:
        return api_number(self._app.engine.api_version())

    def _options(self, files: Sequence[str]) -> list[str]:
        folder = str(Path(self._stack.files[0]).absolute().parent)
        words = ["--project-name", self._stack.name, "--project-directory", folder]
        words += [word for file in files for word in ("--file", str(Path(file).absolute()))]
        return words + [word for one in self._stack.profiles for word in ("--profile", one)]

    def _environ(self) -> dict[str, str]:
        """The engine is named as both Composes understand it."""
        wanted = self._app.settings.docker
        if not wanted:
            return dict(os.environ)
        bare = {k: v for k, v in os.environ.items() if k not in ("DOCKER_HOST", "DOCKER_CONTEXT")}
        if wanted.startswith("/"):
            return {**bare, "DOCKER_HOST": f"unix://{wanted}"}
        return {**bare, ("DOCKER_HOST" if ":" in wanted else "DOCKER_CONTEXT"): wanted}


def _at(place: Attachment, held: Sequence[Reservation]) -> Attachment:
    """The same network, with these addresses, IPv4's first."""
    six = held[1].address if len(held) > 1 else None
    return replace(place, address=held[0].address, mac=held[0].mac, address6=six)


def _makes(cli: finding.ComposeCli, verb: str) -> bool:
    """Whether the override goes with it. The old one joins a container that it starts to the
    networks of its files."""
    return verb in _MAKING or (verb == "start" and not cli.modern)


def _folder() -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="macvlan-ros-")
    except OSError as error:
        raise _no_room(error) from error


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _no_room(error) from error


def _no_room(error: OSError) -> Unavailable:
    return Unavailable(
        f"the file that Compose is to read cannot be written ({error.strerror}); make room, or name"
        " another folder for such files with TMPDIR"
    )
