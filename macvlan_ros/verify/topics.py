"""Topics: a name that is waited for in vain, where one much like it is spoken to nobody."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence

from macvlan_ros.verify.check import WARNING, Check
from macvlan_ros.verify.graph import Node

#: How much alike names of topics are that may be meant for one: 0 to 1, as difflib has it.
_ALIKE = 0.85


def examine(nodes: Sequence[Node], here: str) -> list[Check]:
    """A warning for each topic that somebody subscribes to and nobody publishes, where another one
    that nobody subscribes to differs from it by its namespace or by a letter or two."""
    published, subscribed = _by_topic(nodes, "publishes"), _by_topic(nodes, "subscribes")
    unheard = published.keys() - subscribed.keys()
    found = []
    for topic in sorted(subscribed.keys() - published.keys()):
        meant = _like(topic, unheard)
        if meant:
            text = (
                f"nobody publishes it, for which {_names(subscribed[topic])} waits; {meant}, which"
                f" {_names(published[meant])} publishes, has no subscriber"
            )
            remedy = (
                f"if one topic is meant, mend its name or namespace, or remap it: {topic}:={meant}"
            )
            found.append(Check("topic", here, topic, WARNING, text, remedy))
    return found


def _by_topic(nodes: Sequence[Node], what: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for node in nodes:
        for topic in getattr(node, what):
            found.setdefault(topic, []).append(node.name)
    return found


def _like(topic: str, others: Collection[str]) -> str:
    """The one that is most like it, "" when none is."""
    last = topic.rpartition("/")[2]
    elsewhere = sorted(one for one in others if one.rpartition("/")[2] == last)
    near = difflib.get_close_matches(topic, sorted(others), 1, _ALIKE)
    return next(iter([*elsewhere, *near]), "")


def _names(nodes: Sequence[str]) -> str:
    return sorted(nodes)[0] if len(nodes) == 1 else f"{sorted(nodes)[0]} and {len(nodes) - 1} more"
