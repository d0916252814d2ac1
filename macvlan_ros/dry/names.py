"""Names in a dry run: the containers' hosts files are read, and stay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from netaddr import IPAddress

from macvlan_ros.lan_names.names import Names, with_block

__all__ = ["DryNames"]


class DryNames(Names):
    """`would` hears of each file that would be changed."""

    def __init__(self, *parts: Any, would: Callable[[str], None], **named: Any) -> None:
        super().__init__(*parts, **named)
        self._would = would

    def _change(self, file: Path, names: Mapping[str, IPAddress]) -> bool:
        text = file.read_bytes().decode("utf-8", "surrogateescape")
        differs = with_block(text, names) != text
        if differs:
            self._would(f"write {', '.join(names) or 'no names'} into {file}")
        return differs
