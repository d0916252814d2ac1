"""The command line: thin click commands that parse, call one thing, and report."""

from __future__ import annotations

import errno
import gc
import importlib
import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click

from macvlan_ros import __version__, report
from macvlan_ros.cli import usage
from macvlan_ros.cli.common import COMPLETE, group_options, shared_options
from macvlan_ros.cli.contents import ENTRIES, SECTIONS
from macvlan_ros.errors import InvalidRequest, MacvlanRosError, Unavailable

INTERRUPTED = 130
#: What a shell says of a program that SIGPIPE ended, as other programs' readers end them.
UNREAD = 141


#: What the system's bytes become in Python that are not UTF-8 (PEP 383); nobody can encode it.
_NO_TEXT = range(0xDC80, 0xDD00)

#: What others call a command of ours.
_ELSEWHERE = {"up": "launch", "rm": "release", "start": "launch", "ls": "list"}


class _UnreadError(Exception):
    """Whoever read our output has enough of it, as in `| head`."""


@contextmanager
def _told_as_unread() -> Iterator[None]:
    """click ends with 1 where it meets a BrokenPipeError; this it leaves to us."""
    try:
        yield
    except BrokenPipeError:
        raise _UnreadError from None


class _Commands(click.Group):
    """Imports a command when it is asked for: all of them would cost each one 40 ms."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - as inherited
        return sorted(ENTRIES)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The commands by subject, in the order in which they are mostly needed."""
        import textwrap

        for section, commands in SECTIONS.items():
            rows = [
                (name, textwrap.shorten(entry.summary, formatter.width - 14, placeholder="..."))
                for name, entry in commands.items()
            ]
            with formatter.section(section):
                formatter.write_dl(rows, col_max=14)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in ENTRIES:
            return None
        module = importlib.import_module(f"macvlan_ros.cli.{ENTRIES[cmd_name].module}")
        commands: dict[str, click.Command] = {each.name: each for each in module.COMMANDS}
        return commands[cmd_name]

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        with _told_as_unread():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        with _told_as_unread():
            return super().invoke(ctx)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in ENTRIES and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], [*ENTRIES, *_ELSEWHERE], 1)
            meant = _ELSEWHERE.get(near[0], near[0]) if near else ""
            hint = f"did you mean '{meant}'?" if meant else "see: macvlan-ros --help"
            raise click.UsageError(f"there is no command '{args[0]}'; {hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
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


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run one command and end the process with its exit code."""
    _open_closed_streams()
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.encoding.lower() != "utf-8":
        sys.stdout.reconfigure(errors="backslashreplace")  # who knows no 'é' gets \xe9
    code = run(list(sys.argv[1:] if argv is None else argv))
    # Python would look for garbage in all that was imported before it ends: 45 ms after a launch
    gc.freeze()
    sys.exit(code)


def _open_closed_streams() -> None:
    """Whoever started us may have closed some (`>&-`): the next file that is opened, which may be
    the store's, would have their number, and be printed into."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            mode = "w" if number else "r"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def run(argv: list[str]) -> int:
    """Run one command and return its exit code."""
    if COMPLETE in os.environ:
        from macvlan_ros.cli import completion

        completion.attach(cli)
    try:
        result = cli.main(argv, prog_name="macvlan-ros", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except MacvlanRosError as error:
        report.error(str(error), because=error.__cause__)
        return error.exit_code
    except click.ClickException as error:
        return _misused(error)
    except (KeyboardInterrupt, click.Abort):
        report.break_line()
        report.error("interrupted; what was begun has been undone")
        return INTERRUPTED
    except (BrokenPipeError, _UnreadError):
        report.write_no_more(sys.stdout)
        return UNREAD
    except OSError as error:
        return _failed(error)
    except UnicodeEncodeError as error:
        if not any(ord(char) in _NO_TEXT for char in error.object):
            raise
        report.error(f"'{error.object}' is not UTF-8 text; write it in UTF-8")
        return InvalidRequest.exit_code


def _failed(error: OSError) -> int:
    """A disk that is full, a path that the system does not like, a folder that is gone."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        report.write_no_more(sys.stdout)
        what = error.filename or "what is to be printed"
        report.error(f"{what} cannot be written ({error.strerror}); make room")
    elif error.filename and error.strerror:
        report.error(f"{error.filename}: {error.strerror}; name another", because=error)
    elif error.errno == errno.ENOENT and _folder_is_gone():
        report.error("the folder that this was called in is gone; go to another with: cd")
    else:
        raise error
    return Unavailable.exit_code


def _folder_is_gone() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


def _misused(error: click.ClickException) -> int:
    if hasattr(click.exceptions, "NoArgsIsHelpError") and isinstance(
        error, click.exceptions.NoArgsIsHelpError
    ):
        error.show()
    else:
        report.error(usage.sentence(error))
    return error.exit_code
