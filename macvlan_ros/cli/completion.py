"""Completion: what a shell proposes when Tab is pressed, with the names that there are right now.

click makes the scripts and asks each parameter's type; here the types learn which names are meant.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click
from click.shell_completion import CompletionItem, get_completion_class

from macvlan_ros.cli.common import COMPLETE, choices, open_app
from macvlan_ros.errors import MacvlanRosError, Unavailable

PROGRAM = "macvlan-ros"
SHELLS = ("bash", "zsh", "fish")

Names = Callable[[click.Context], Iterable[str]]


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a script that lets the shell complete commands, options and names.

    \b
    bash   macvlan-ros completion bash | sudo tee /etc/bash_completion.d/macvlan-ros
    zsh    macvlan-ros completion zsh | sudo tee /usr/local/share/zsh/site-functions/_macvlan-ros
    fish   macvlan-ros completion fish | sudo tee /etc/fish/completions/macvlan-ros.fish
    """
    made = get_completion_class(shell)
    if made is None:
        raise Unavailable(f"this version of click knows no completion for {shell}; update it")
    click.echo(made(context.find_root().command, {}, PROGRAM, COMPLETE).source())


class LiveName(click.types.StringParamType):
    """A text of which there are names to propose."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The names that begin so; none where they cannot be had, for Tab is no time for errors."""
        given = ctx.params.get(param.name or "") or ()
        try:
            found = sorted(set(self._names(ctx)))
        except MacvlanRosError:
            return []
        return [CompletionItem(n) for n in found if n.startswith(incomplete) and n not in given]


def attach(group: click.Group) -> None:
    """Tell the parameters of all commands which names they take."""
    for path, command in _commands(group, ()):
        for param in command.params:
            names = _names_for(path, param)
            if names is not None and isinstance(param.type, click.types.StringParamType):
                param.type = LiveName(names)


def _commands(
    group: click.Group, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None:
            continue
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))


def _names_for(path: tuple[str, ...], param: click.Parameter) -> Names | None:
    if isinstance(param, click.Argument) and param.name in ("name", "network"):
        # what is made has no name yet
        return None if path[1:] in (("add",), ("create",)) else _NAMED.get(path[0])
    return _NAMES.get(param.name or "")


def _pools(context: click.Context) -> Iterator[str]:
    app, _ = open_app(context)
    return (pool.name for pool in app.store.pools())


def _owners(context: click.Context) -> Iterator[str]:
    app, _ = open_app(context)
    return (held.owner for held in app.store.reservations())


def _networks(context: click.Context) -> Iterator[str]:
    app, _ = open_app(context)
    return (network.name for network in app.engine.networks())


def _services(context: click.Context) -> Iterable[str]:
    from macvlan_ros import stack

    paths = choices(context).files or stack.find_files(Path.cwd(), os.environ)
    return stack.load(tuple(paths), environ=os.environ).services


def _known_hosts(context: click.Context) -> Iterator[str]:
    app, _ = open_app(context)
    return (entry.name for entry in app.membership.register.hosts())


def _hosts(_context: click.Context) -> Iterable[str]:
    from macvlan_ros import stack

    return stack.load(stack.find_files(Path.cwd(), os.environ), environ=os.environ).hosts


def _interfaces(_context: click.Context) -> Iterable[str]:
    import socket

    return (name for _, name in socket.if_nameindex() if name != "lo")


#: By the command's first word: what its NAME is the name of.
_NAMED: dict[str, Names] = {
    "hosts": _known_hosts,
    "move": _owners,
    "network": _networks,
    "pool": _pools,
    "rename": _owners,
    "shim": _networks,
}
#: By the parameter's name.
_NAMES: dict[str, Names] = {
    "pool": _pools,
    "pool_name": _pools,
    "pool6_name": _pools,
    "names": _owners,
    "owner": _owners,
    "service": _services,
    "services": _services,
    "host": _hosts,
    "parent": _interfaces,
}

COMMANDS = (completion,)
