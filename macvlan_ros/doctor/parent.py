"""The doctor on the parent: what may keep it from carrying macvlan links."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from macvlan_ros.doctor.finding import OK, Finding
from macvlan_ros.models.links import Link

if TYPE_CHECKING:
    from macvlan_ros.app import App


def check(_app: App, parent: Link) -> Iterator[Finding]:
    """Which parent is taken."""
    shown = ", ".join(str(address) for address in parent.addresses if address.version == 4)
    yield Finding("parent", OK, f"{parent.name} ({parent.kind}), {shown}")
