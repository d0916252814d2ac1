"""Running another program in our place: its terminal, its signals and its exit code are ours.

It shares our process group, so that the terminal's own signals (Ctrl-C, a closed window) reach it
without us; what somebody sends to this process alone is handed on.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import NoReturn

from macvlan_ros.docker_cli.finding import cannot_run

_HANDED_ON = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
_WAITED_FOR = {*_HANDED_ON, signal.SIGCHLD}


class Child:
    """What the one who looks on may know: whether the program has ended."""

    def __init__(self) -> None:
        self.ended = threading.Event()


def run(
    words: Sequence[str],
    *,
    environ: Mapping[str, str] | None = None,
    meanwhile: Callable[[Child], None] | None = None,
    stdout_to_stderr: bool = False,
) -> int:
    """Run a program to its end and return its exit code: 128 and the signal if one ended it.

    `meanwhile` is called in a thread of its own once the program runs, and is waited for. Must be
    called in the main thread. Raises Unavailable when the program cannot be run.
    """
    _flush()
    with _handlers(), ExitStack() as undo:
        try:
            process = subprocess.Popen(
                words, env=environ, stdout=sys.stderr.fileno() if stdout_to_stderr else None
            )
        except OSError as error:
            raise cannot_run(words[0], error) from None
        # not before: the child would inherit the mask
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED_FOR)
        undo.callback(signal.pthread_sigmask, signal.SIG_SETMASK, before)
        return _attend(process, meanwhile)


def _attend(process: subprocess.Popen[bytes], meanwhile: Callable[[Child], None] | None) -> int:
    child = Child()
    aside: threading.Thread | None = None
    if meanwhile is not None:
        aside = threading.Thread(target=meanwhile, args=(child,), name="meanwhile", daemon=True)
        aside.start()
    while process.poll() is None:
        # a second at most, for a signal of a child that ended before the mask was set is lost
        info = signal.sigtimedwait(_WAITED_FOR, 1.0)
        # above 0 it came from the kernel, which has told the whole process group
        if info is not None and info.si_signo in _HANDED_ON and info.si_code <= 0:
            process.send_signal(info.si_signo)
    child.ended.set()
    if aside is not None:
        aside.join()
    code = process.returncode
    return 128 - code if code < 0 else code


@contextmanager
def _handlers() -> Iterator[None]:
    """From before the child's start until after its end, no signal ends us half way.

    A handler of Python's, unlike an ignored signal, is not inherited.
    """
    before = {one: signal.getsignal(one) for one in _HANDED_ON}
    for one, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(one, lambda _number, _frame: None)
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def become(words: Sequence[str], *, environ: Mapping[str, str] | None = None) -> NoReturn:
    """Become another program. Raises Unavailable when it cannot be run."""
    _flush()
    # Python ignores these two, and what is ignored stays so in the next program
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execve(words[0], list(words), {**(os.environ if environ is None else environ)})
    except OSError as error:
        raise cannot_run(words[0], error) from None


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
