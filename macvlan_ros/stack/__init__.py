"""Stacks: a Compose file with its `x-macvlan-ros` section, read into a `Stack`.

`load` is the way in. Every key is read, noted or refused; an error names the file, the line, the
service and the key. Nothing here talks to Docker or to the network.
"""

from macvlan_ros.stack.extract import extract
from macvlan_ros.stack.files import find_files
from macvlan_ros.stack.loading import load, resolve
from macvlan_ros.stack.selection import enabled, replace_network, select
from macvlan_ros.stack.sources import plain
from macvlan_ros.stack.writing import escape, to_yaml

__all__ = [
    "enabled",
    "escape",
    "extract",
    "find_files",
    "load",
    "plain",
    "replace_network",
    "resolve",
    "select",
    "to_yaml",
]
