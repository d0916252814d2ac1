"""Stacks: a Compose file with its `x-macvlan-ros` section, read into a `Stack`.

`load` is the way in. Every key is read, noted or refused; an error names the file, the line, the
service and the key. Nothing here talks to Docker or to the network.
"""

from macvlan_ros.stack.files import find_files
from macvlan_ros.stack.loading import load
from macvlan_ros.stack.selection import enabled, replace_network, select

__all__ = ["enabled", "find_files", "load", "replace_network", "select"]
