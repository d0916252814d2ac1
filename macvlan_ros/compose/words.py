"""Words: what a Compose command line asks for, as far as that concerns us. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from macvlan_ros import stack as stacks
from macvlan_ros.errors import InvalidRequest
from macvlan_ros.models.stacks import Stack
from macvlan_ros.near import did_you_mean
from macvlan_ros.stack.nodes import Node, take

#: Options before the command whose value is the next word (docker compose --help).
_VALUED = re.compile(
    r"-[fpHc]|--(ansi|env-file|file|parallel|profile|progress|project-directory|project-name|host"
    r"|context|log-level)"
)
#: With one of these Compose itself is to find out what has to be made anew.
_ANEW = (
    "--always-recreate-deps",
    "--build",
    "--force-recreate",
    "--no-recreate",
    "--pull",
    "--renew-anon-volumes",
    "-V",
)


def verb(words: Sequence[str]) -> str:
    """Compose's own command; "" when there is none."""
    place = _place(words)
    return words[place] if place < len(words) else ""


def _place(words: Sequence[str]) -> int:
    place = 0
    while place < len(words) and words[place].startswith("-"):
        place += 2 if _VALUED.fullmatch(words[place]) else 1
    return place


def keeps_what_stands(words: Sequence[str]) -> bool:
    """Whether it is an `up` or `create` that may leave what is there as it is."""
    asked = {word.partition("=")[0] for word in words}
    return verb(words) in ("up", "create") and not asked & {*_ANEW}


def with_flag(words: Sequence[str], flag: str) -> list[str]:
    """The words with one more flag of Compose's command."""
    after = _place(words) + 1
    return [*words[:after], flag, *words[after:]]


def scaled(words: Sequence[str], stack: Stack, tree: Node) -> frozenset[str]:
    """The services that are to be several containers; `tree` is the stack as `stack.resolve` gives
    it. Raises InvalidRequest where that cannot be, on the LAN, and ServiceNotFound."""
    asked = {name: number for name, _, number in (word.partition("=") for word in _scales(words))}
    if asked:
        stacks.select(stack, list(asked))  # for its error, when there is no such service
    found = []
    for name, node in tree.mapping()["services"].mapping().items():
        number = asked.get(name) or _replicas(node)
        if number in ("", "0", "1"):
            continue
        if not stack.services[name].off_lan:
            raise InvalidRequest(
                f"'{name}' is to be {number} containers, but one on the LAN has an address of its"
                " own; write a service for each in the stack file"
            )
        found.append(name)
    return frozenset(found)


def _replicas(node: Node) -> str:
    """How many the file wants."""
    entries = node.mapping()
    deploy = take(entries, "deploy", Node.mapping, {})
    said = entries.get("scale") or deploy.get("replicas")
    return said.text if said is not None else ""


def _scales(words: Sequence[str]) -> Iterable[str]:
    if verb(words) == "scale":
        yield from words[_place(words) + 1 :]
    for word, following in pairwise([*words, ""]):
        flag, sign, value = word.partition("=")
        if flag == "--scale":
            yield value if sign else following


def misspelt(words: Sequence[str], stack: Stack) -> str:
    """The word that is nearly a service, as a sentence; "" when there is none."""
    for word in words[_place(words) + 1 :]:
        near = "" if word.startswith("-") else did_you_mean(word, stack.services)
        if near and word not in stack.services:
            return f"the stack has no service {word!r}{near}"
    return ""
