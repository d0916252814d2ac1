"""Drafts: a service's environment while it is being changed, and what is said about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from netaddr import IPAddress


@dataclass(slots=True)
class Draft:
    """`variables` are the service's own so far (None takes the image's away), `image` the
    image's, `files` what is to be put into the container, by path; a `read_only` one takes none."""

    service: str
    variables: dict[str, str | None]
    image: Mapping[str, str]
    read_only: bool = False
    notes: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)

    def note(self, sentence: str) -> None:
        """Say something about this service."""
        self.notes.append(f"service {self.service!r}: {sentence}")

    def remove(self, name: str) -> None:
        """Take a variable away, the image's own too."""
        self.variables.pop(name, None)
        if name in self.image:
            self.variables[name] = None

    def said(self, name: str) -> str | None:
        """What the file says, else the image; None when neither does."""
        if name in self.variables:
            return self.variables[name]
        return self.image.get(name)


def bracketed(address: IPAddress) -> str:
    """The address as it stands in a URI."""
    return f"[{address}]" if address.version == 6 else str(address)
