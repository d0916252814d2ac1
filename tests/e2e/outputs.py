"""Our commands with an output of a special kind: python -m tests.e2e.outputs closed|full < COMMANDS

Reads a JSON list of commands, runs each in a process of its own, and prints their exit codes. With
`closed` nobody reads their output any more, with `full` it is a full disk. A fork each, for a new
interpreter takes longer than the command.
"""

from __future__ import annotations

import json
import os
import sys

from macvlan_ros import cli


def output(kind: str) -> int:
    """A file descriptor to write to."""
    if kind == "full":
        return os.open("/dev/full", os.O_WRONLY)
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def ends_with(words: list[str], kind: str) -> int:
    """The exit code of one command."""
    child = os.fork()
    if not child:
        os.dup2(output(kind), sys.stdout.fileno())
        cli.main(words)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    found = [[words, ends_with(words, sys.argv[1])] for words in json.load(sys.stdin)]
    sys.stdout.write(json.dumps(found))
