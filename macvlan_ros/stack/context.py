"""Context: what the readers of a stack need to know beside the file, and where notes are kept."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from macvlan_ros.stack.nodes import Node
from macvlan_ros.values import dataclass


@dataclass(frozen=True, slots=True)
class Context:
    """One stack being read. `variables` is the caller's environment over the .env file's;
    relative paths start at `folder`. `notes` keeps its order and each sentence once.
    """

    project: str
    folder: Path
    variables: Mapping[str, str]
    network: str
    notes: dict[str, None] = field(default_factory=dict)
    warned: set[str] = field(default_factory=set)

    def note(self, sentence: str) -> None:
        """Keep a sentence for people to read."""
        self.notes.setdefault(sentence)

    def unset(self, name: str, place: str) -> None:
        """Note, once for each variable, that it has no value."""
        if name not in self.warned:
            self.warned.add(name)
            self.note(f"the variable {name} is not set; it is taken as empty ({place})")

    def path(self, node: Node) -> str:
        """The absolute path of a host's file that a node names: `~` is the caller's home."""
        text = node.string()
        if text == "~" or text.startswith("~/"):
            home = self.variables.get("HOME") or str(Path.home())
            text = home + text[1:]
        # not Path.resolve(): a link must stay one, the container may be meant to follow it
        return posixpath.normpath(posixpath.join(str(self.folder), node.base, text))
