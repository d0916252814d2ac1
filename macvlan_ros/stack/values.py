"""Values: durations, sizes, addresses and the like, each read from one node.

Sources: Go's time.ParseDuration, docker/go-units' RAMInBytes, the Compose Specification.
"""

from __future__ import annotations

import re
import shlex
from decimal import Decimal
from typing import Protocol, TypeVar

from netaddr import IPAddress, IPNetwork, IPRange

from macvlan_ros.errors import BadSubnet, InvalidRequest
from macvlan_ros.models.containers import Healthcheck, Ulimit
from macvlan_ros.near import did_you_mean
from macvlan_ros.notation import parse_address, parse_mac, parse_range, parse_subnet
from macvlan_ros.stack.nodes import Node, shorten, take

T_co = TypeVar("T_co", covariant=True)

_DURATION = re.compile(r"([0-9]*\.?[0-9]+|[0-9]+\.)(ns|us|µs|μs|ms|s|m|h|d|w)", re.ASCII)
_SECONDS = {
    "ns": Decimal("1e-9"),
    "us": Decimal("1e-6"),
    "µs": Decimal("1e-6"),
    "μs": Decimal("1e-6"),
    "ms": Decimal("1e-3"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
    "w": Decimal(604800),
}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([kmgtp]?)i?b?", re.ASCII | re.IGNORECASE)
_SIZE_STEPS = " kmgtp"
_RLIMITS = frozenset(
    (
        "core",
        "cpu",
        "data",
        "fsize",
        "locks",
        "memlock",
        "msgqueue",
        "nice",
        "nofile",
        "nproc",
        "rss",
        "rtprio",
        "rttime",
        "sigpending",
        "stack",
    )
)
#: What fits the engine's 64-bit signed numbers.
_MAX = 2**63 - 1


def duration(node: Node) -> float:
    """Seconds of a duration such as "1m30s"."""
    text = node.string()
    total, place = Decimal(0), 0
    for part in _DURATION.finditer(text):
        if part.start() != place:
            break
        total += Decimal(part[1]) * _SECONDS[part[2]]
        place = part.end()
    if text == "0":
        return 0.0
    if place != len(text) or not text or total * 10**9 > _MAX:
        hint = f", for instance {text}s" if text.isascii() and text.isdigit() else ""
        raise node.error(
            f"is no duration: {shorten(text)}; write a number with its unit{hint or ': 90s, 1m30s'}"
        )
    return float(total)


def size(node: Node) -> int:
    """Bytes of a size such as "64m" or "1.5gb" (units of 1024), or of a plain number."""
    text = node.string().strip()
    match = _SIZE.fullmatch(text)
    if match is None:
        raise node.error(f"is no size: {shorten(text)}; write bytes or a unit: 67108864, 64m, 1gb")
    step = _SIZE_STEPS.index(match[2].lower() or " ")
    number = int(Decimal(match[1]) * 1024**step)
    if number > _MAX:
        raise node.error(f"is larger than any memory: {shorten(text)}")
    return number


def words(node: Node) -> tuple[str, ...] | None:
    """A command: a list as it stands, a text split as a shell would; None when there is none."""
    if node.absent:
        return None
    if isinstance(node.value, list):
        return tuple(item.string() for item in node.value)
    try:
        return tuple(shlex.split(node.string()))
    except ValueError as error:
        raise node.error(f"cannot be split into words ({error}): {shorten(node.text)}") from None


def texts(node: Node) -> tuple[str, ...]:
    """One text or a list of them, each once."""
    return tuple(dict.fromkeys(item.string() for item in node.one_or_many()))


def text_pairs(node: Node) -> dict[str, str]:
    """Labels, sysctls and the like: a mapping, or a list of KEY=VALUE."""
    return {key: value.rendered() for key, value in node.pairs().items()}


def mac(node: Node) -> str:
    """A MAC of one host, in lower case with colons."""
    try:
        return parse_mac(node.string(), said="")
    except InvalidRequest as error:
        raise node.error(str(error).lstrip()) from None


def address(node: Node) -> IPAddress:
    """One IPv4 or IPv6 address."""
    return _parsed(node, parse_address)


def subnet(node: Node) -> IPNetwork:
    """A subnet with its prefix length."""
    return _parsed(node, parse_subnet)


def ranges(node: Node) -> tuple[IPRange, ...]:
    """One range or a list of them: FROM-TO, a subnet, or one address."""
    return tuple(_parsed(item, parse_range) for item in node.one_or_many())


class _Parser(Protocol[T_co]):
    """One of the pool's own parsers; `said` is what its errors begin with."""

    def __call__(self, text: str, *, said: str) -> T_co: ...


def _parsed(node: Node, parser: _Parser[T_co]) -> T_co:
    text = node.string()
    if not text.strip():
        raise node.error("is empty; write an address here or remove the key")
    try:
        return parser(text, said="")
    except BadSubnet as error:
        raise node.error(f"is{error}") from None


def ulimits(node: Node) -> tuple[Ulimit, ...]:
    """Limits by name: one number for both, or a mapping of soft and hard; -1 is without limit."""
    found = []
    for name, limit in node.mapping().items():
        if name not in _RLIMITS:
            raise limit.error(f"is no limit that setrlimit(2) knows{did_you_mean(name, _RLIMITS)}")
        if isinstance(limit.value, dict):
            entries = limit.known(("soft", "hard"), " of a limit")
            if len(entries) != 2:
                raise limit.error("must have both 'soft' and 'hard'")
            soft, hard = (_limit(entries[key]) for key in ("soft", "hard"))
        else:
            soft = hard = _limit(limit)
        if soft > hard != -1 or (soft == -1 != hard):
            raise limit.error("has a soft limit above its hard one")
        found.append(Ulimit(name, soft, hard))
    return tuple(found)


def _limit(node: Node) -> int:
    number = node.integer()
    if not -1 <= number <= _MAX:
        raise node.error(f"must be -1 (no limit) or more, is {node.text}")
    return number


def healthcheck(node: Node) -> Healthcheck:
    """How Docker tells whether the container is healthy. `disable` and "NONE" switch it off."""
    entries = node.known(
        ("test", "interval", "timeout", "start_period", "start_interval", "retries", "disable"),
        " of a healthcheck",
    )
    if "disable" in entries and entries["disable"].boolean():
        return Healthcheck(test=("NONE",))
    times = {
        key: duration(entries[key]) if key in entries else None
        for key in ("interval", "timeout", "start_period")
    }
    retries = take(entries, "retries", Node.integer, None)
    if retries is not None and not 0 <= retries <= 2**31 - 1:
        raise entries["retries"].error(f"must be 0 or more, is {retries}")
    return Healthcheck(
        test=take(entries, "test", _test, ()),
        interval=times["interval"],
        timeout=times["timeout"],
        start_period=times["start_period"],
        retries=retries,
    )


def _test(node: Node) -> tuple[str, ...]:
    if not isinstance(node.value, list):
        return ("CMD-SHELL", node.string())
    test = tuple(item.string() for item in node.value)
    if test and test[0] not in ("NONE", "CMD", "CMD-SHELL"):
        raise node.error(
            f"must begin with CMD, CMD-SHELL or NONE, begins with {shorten(test[0])}; "
            "write the command as one text to run it in a shell"
        )
    return test
