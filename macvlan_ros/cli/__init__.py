"""The command line: thin click commands that parse, call one thing, and report."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from macvlan_ros import __version__, report
from macvlan_ros.cli import (
    begin,
    completion,
    daily,
    health,
    hosts,
    logs,
    networks,
    picture,
    plugin,
    pools,
    runs,
    shims,
    stacks,
    store,
    terminals,
    verifying,
    wire,
)
from macvlan_ros.cli.common import group_options, shared_options
from macvlan_ros.errors import MacvlanRosError

INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="macvlan-ros")
@group_options
@shared_options
def cli() -> None:
    """LAN addresses of their own for ROS containers, on as many PCs as there are.

    \b
    macvlan-ros interfaces          which interface the containers will hang off
    macvlan-ros allocate talker     reserve an address, for good
    macvlan-ros launch              start the stack in this folder
    """


#: In the order of `--help`.
_MODULES = (
    begin,
    hosts,
    pools,
    networks,
    stacks,
    daily,
    logs,
    runs,
    terminals,
    shims,
    wire,
    verifying,
    picture,
    health,
    store,
    plugin,
    completion,
)
for _module in _MODULES:
    for _command in _module.COMMANDS:
        cli.add_command(_command)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run one command and end the process with its exit code."""
    sys.exit(_run(list(sys.argv[1:] if argv is None else argv)))


def _run(argv: list[str]) -> int:
    if completion.VARIABLE in os.environ:
        completion.attach(cli)
    try:
        result = cli.main(argv, prog_name="macvlan-ros", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except MacvlanRosError as error:
        report.error(str(error))
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        report.error("interrupted; what was begun has been undone")
        return INTERRUPTED
    except BrokenPipeError:
        # the reader (`| head`) has enough; nothing may be written at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
