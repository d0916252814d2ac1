"""The flags of `docker run`: which take a value, which letter stands for which.

A table of all up to Docker 28; what a newer command line has, its own `--help` says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_SWITCHES = """
    detach disable-content-trust help init interactive no-healthcheck oom-kill-disable privileged
    publish-all quiet read-only rm sig-proxy tty use-api-socket
    """
_VALUES = """
    add-host annotation attach blkio-weight blkio-weight-device cap-add cap-drop cgroup-parent
    cgroupns cidfile cpu-count cpu-percent cpu-period cpu-quota cpu-rt-period cpu-rt-runtime
    cpu-shares cpus cpuset-cpus cpuset-mems detach-keys device device-cgroup-rule device-read-bps
    device-read-iops device-write-bps device-write-iops dns dns-opt dns-option dns-search domainname
    entrypoint env env-file expose gpus group-add health-cmd health-interval health-retries
    health-start-interval health-start-period health-timeout hostname io-maxbandwidth io-maxiops ip
    ip6 ipc isolation kernel-memory label label-file link link-local-ip log-driver log-opt
    mac-address memory memory-reservation memory-swap memory-swappiness mount name net net-alias
    network network-alias oom-score-adj pid pids-limit platform publish pull restart runtime
    security-opt shm-size stop-signal stop-timeout storage-opt sysctl tmpfs ulimit user userns uts
    volume volume-driver volumes-from workdir
    """
_LETTERS = {
    "a": "attach",
    "c": "cpu-shares",
    "d": "detach",
    "e": "env",
    "h": "hostname",
    "i": "interactive",
    "l": "label",
    "m": "memory",
    "p": "publish",
    "P": "publish-all",
    "q": "quiet",
    "t": "tty",
    "u": "user",
    "v": "volume",
    "w": "workdir",
}
#: Older spellings that Docker still takes without showing them.
_SAME = {"net": "network", "net-alias": "network-alias", "dns-opt": "dns-option"}

# as pflag writes its usage: "  -e, --env list      Set …"; two spaces at once mean no value
_USAGE = re.compile(r"^\s+(?:-(\w), )?--([a-z0-9][a-z0-9-]*)(?: (\S+))?(?:\s{2}|$)", re.MULTILINE)


@dataclass(frozen=True)
class Flags:
    """Which flags there are. `takes_value` says of each name whether it takes one, `letters` what
    each letter is short for."""

    takes_value: Mapping[str, bool]
    letters: Mapping[str, str] = field(default_factory=dict)

    def name(self, text: str) -> str:
        """A flag's name as it is spelt today."""
        return _SAME.get(text, text)

    def __or__(self, other: Flags) -> Flags:
        return Flags({**self.takes_value, **other.takes_value}, {**self.letters, **other.letters})


RUN = Flags(
    {**dict.fromkeys(_SWITCHES.split(), False), **dict.fromkeys(_VALUES.split(), True)},
    dict(_LETTERS),
)


def read_usage(text: str) -> Flags:
    """The flags of which a `--help` tells."""
    takes: dict[str, bool] = {}
    letters: dict[str, str] = {}
    for letter, name, kind in _USAGE.findall(text):
        takes[name] = bool(kind)
        if letter:
            letters[letter] = name
    return Flags(takes, letters)


class KnownFlags:
    """The table, and for what is not in it, once, what `usage` says (the text of `--help`)."""

    def __init__(self, usage: Callable[[], str], *, more: Flags = Flags({})) -> None:
        self._usage = usage
        self._flags = RUN | more
        self._asked = False

    def long(self, name: str) -> bool | None:
        """Whether a flag takes a value; None when there is no such flag."""
        if name not in self._flags.takes_value:
            self._ask()
        return self._flags.takes_value.get(name)

    def letter(self, letter: str) -> str | None:
        """What a letter is short for; None when there is no such flag."""
        if letter not in self._flags.letters:
            self._ask()
        return self._flags.letters.get(letter)

    def current(self, name: str) -> str:
        """A flag's name as it is spelt today."""
        return self._flags.name(name)

    def names(self) -> tuple[str, ...]:
        """All names that are known."""
        return tuple(self._flags.takes_value)

    def _ask(self) -> None:
        if not self._asked:
            self._asked = True
            # what the table says is right for any version: `--help` only adds to it
            self._flags = read_usage(self._usage()) | self._flags
