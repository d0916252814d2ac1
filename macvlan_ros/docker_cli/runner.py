"""Running: a `docker run` line -> the same container on the LAN, run by Docker's command line."""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from netaddr import IPAddress

from macvlan_ros import networks
from macvlan_ros.docker_api.labels import (
    LABEL_ADDRESS,
    LABEL_DEFAULT_ROUTE,
    LABEL_MANAGED,
    LABEL_OWNER,
    LABEL_POOL,
    LABEL_POOL6,
    MANAGED,
)
from macvlan_ros.docker_api.payload import ENDPOINT_MAC_SINCE, api_number
from macvlan_ros.docker_cli import finding, passing
from macvlan_ros.docker_cli.beside import Beside
from macvlan_ros.docker_cli.parsing import RunLine, option, render
from macvlan_ros.docker_cli.places import RunOptions, RunPlaces
from macvlan_ros.docker_cli.rewriting import joining, on_lan, with_ros
from macvlan_ros.docker_cli.watching import Watch
from macvlan_ros.errors import BadSubnet, ImageNotFound, InvalidRequest, NotFound
from macvlan_ros.lan_names import host_gateway, host_names
from macvlan_ros.models.containers import Attachment
from macvlan_ros.models.networks import Network
from macvlan_ros.near import did_you_mean
from macvlan_ros.ros import MASTER_PORT
from macvlan_ros.undo import Undo, all_or_nothing
from macvlan_ros.values import dataclass

if TYPE_CHECKING:
    from macvlan_ros.app import App

__all__ = ["Prepared", "Runner"]

#: What `docker run` ends with when it could not make the container, and when Ctrl-C came before.
_NOT_RUN = (125, 130)
#: What it ends with, before all else, where -it is asked for and stdin is no terminal.
_LACKS_TERMINAL = 1


@dataclass(frozen=True, slots=True)
class Prepared:
    """A line that may run. `unset` are variables that must not be in its environment; `tty` says
    whether the container has our terminal, `stdin_tty` whether it reads from it, too."""

    words: tuple[str, ...]
    unset: tuple[str, ...]
    name: str
    network: Network
    address: IPAddress
    tty: bool
    stdin_tty: bool


class Runner:
    """Runs single containers beside those of stacks."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._beside = Beside(app.engine, note=app.note)
        self._places = RunPlaces(app, self._beside)

    def prepare(self, line: RunLine, options: RunOptions, undo: Undo) -> Prepared:
        """Reserve the address, make the network, and write the line that runs the container there.

        What is made is taken back with `undo`. Raises what the parts raise.
        """
        cli = finding.find(self._app.settings.docker, needed_for="macvlan-ros run")
        ours = {one.name: one for one in self._app.engine.networks()}
        line, beside = self._beside.split(line, ours)
        place = self._places.find(line, ours, options, undo)
        name, network, held, six = place.name, place.network, place.held, place.six
        placed = on_lan(
            self._with_names(line, name, network, held.pool),
            name=name,
            place=Attachment(network.name, held.address, place.mac, six.address if six else None),
            labels={
                LABEL_MANAGED: MANAGED,
                LABEL_OWNER: name,
                LABEL_POOL: held.pool,
                LABEL_ADDRESS: str(held.address),
                **({LABEL_POOL6: six.pool} if six else {}),
                **({LABEL_DEFAULT_ROUTE: network.name} if beside else {}),
            },
            beside=beside,
            host=self._own_address(network) if self._asks_for_host(line) else None,
        )
        done = with_ros(
            placed.line,
            name=name,
            address=held.address,
            master=self._master(options.master, held.pool, network),
            image=self._image_environment(line.image),
            environ=os.environ,
        )
        for note in (*placed.notes, *done.notes):
            self._app.note(note)
        words = (*cli.words, "run", *render(done.line.options), line.image, *line.command)
        tty = line.has("tty") and not line.has("detach")
        reads = tty and line.has("interactive")
        return Prepared(words, done.unset, name, network, held.address, tty, reads)

    def rehearse(self, line: RunLine, options: RunOptions, undo: Undo) -> Prepared:
        """Prepare, and see to the container as if it had run; for an App that changes nothing."""
        ready = self.prepare(line, options, undo)
        self._app.attend(ready.network, [ready.name], addresses=[ready.address], undo=undo)
        return ready

    def run(
        self,
        line: RunLine,
        options: RunOptions,
        *,
        hold: Callable[[], AbstractContextManager[None]],
    ) -> int:
        """Run the container, and return the exit code of Docker's command line.

        The reservation stays, unless the container could not even be made. `hold` keeps notes back
        while the terminal is the container's.
        """
        with all_or_nothing(self._app.note) as undo:
            ready = self.prepare(line, options, undo)
            watch = Watch(self._app, ready.name, network=ready.network, address=ready.address)
            with hold() if ready.tty else nullcontext():
                code = passing.run(
                    ready.words, environ=environment(ready.unset), meanwhile=watch.attend
                )
            lacks = ready.stdin_tty and code == _LACKS_TERMINAL and not sys.stdin.isatty()
            nothing = code in _NOT_RUN or lacks
            if nothing and not (watch.seen or self._app.engine.container(ready.name)):
                undo.run(self._app.note)
                self._explain()
            if lacks:
                self._app.note("there is no terminal here; leave out -t, or come by: ssh -t")
        return code

    def _explain(self) -> None:
        """What Docker's command line says of this in words that do not tell what to do."""
        if api_number(self._app.engine.api_version()) >= ENDPOINT_MAC_SINCE:
            return
        cli = finding.find(self._app.settings.docker, needed_for="macvlan-ros run")
        if api_number(cli.api()) >= ENDPOINT_MAC_SINCE:
            self._app.note(
                f"if Docker spoke of 'mac-address per network', {cli.program} is too new for this"
                " engine; name one of the engine's age with MACVLAN_ROS_DOCKER_CLI"
            )

    def _master(self, said: str, pool: str, network: Network) -> str | None:
        if not said or "://" in said:
            return said or None
        if said == "host":
            own = self._own_address(network)
            if own is None:
                raise BadSubnet(f"this PC has no address in {network.subnet}; name the URI itself")
            return f"http://{own}:{MASTER_PORT}"
        held = self._app.store.held(pool, [said])
        if not held:
            owners = [one.owner for one in self._app.store.reservations(pool)]
            raise NotFound(
                f"--master '{said}': nobody of that name has an address"
                f"{did_you_mean(said, owners)}; reserve it with:"
                f" macvlan-ros allocate {said}, or say 'host' or http://ADDRESS:{MASTER_PORT}"
            )
        return f"http://{held[0].address}:{MASTER_PORT}"

    def _with_names(self, line: RunLine, name: str, network: Network, pool: str) -> RunLine:
        """The line with the names that it would have had by the network of the host. Those of
        containers with addresses of their own are told by Docker's DNS, and better."""
        if joining(line).name != "host" or self._app.far:
            return line
        own_name = socket.gethostname()
        own = str(self._own_address(network) or "")
        found = host_names.known(host_names.read(), own_name=own_name, own=own)
        said = {re.split("[:=]", text)[0] for text in line.values("add-host")}
        held = {one.owner for one in self._app.store.held(pool, list(found))}
        found = host_names.without(found, {*said, *held, name, line.value("hostname") or name})
        others = [one for one in found if one != own_name]
        if others:
            self._app.note(f"the names of this PC's /etc/hosts go along: {', '.join(others)}")
        more = (option("add-host", f"{one}:{address}") for one, address in found.items())
        return replace(line, options=(*line.options, *more))

    def _asks_for_host(self, line: RunLine) -> bool:
        """Whether the line has a name for the PC. Of another PC we do not know the address."""
        said = line.values("add-host")
        return not self._app.far and any(one.endswith(host_gateway.WORD) for one in said)

    def _own_address(self, network: Network) -> IPAddress | None:
        """This PC's address on the network's LAN."""
        # of a network of another PC, the parent says nothing of this one
        wanted = str(network.subnet) if self._app.far else network.parent
        return networks.address_on(self._app.parent(wanted), network.subnet)

    def _image_environment(self, image: str) -> Mapping[str, str] | None:
        try:
            return self._app.engine.image(image).environment
        except (ImageNotFound, InvalidRequest):
            return None  # Docker pulls it, or says what is wrong with the name


def environment(unset: tuple[str, ...]) -> dict[str, str]:
    """Our own environment without some variables."""
    return {key: value for key, value in os.environ.items() if key not in unset}
