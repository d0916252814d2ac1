"""Keys of a service that are one setting of Docker's HostConfig each: limits and namespaces.

Sources: the Compose Specification, "services"; Docker's API, "ContainerCreate".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from macvlan_ros.stack.nodes import Node, shorten
from macvlan_ros.stack.values import duration, size, text_pairs


def _unlimited_or(reader: Callable[[Node], int]) -> Callable[[Node], int]:
    return lambda node: -1 if node.text == "-1" else reader(node)


def _microseconds(node: Node) -> int:
    """A number of them, or a duration with its unit ("50ms")."""
    bare = node.text.isdecimal()
    return node.integer() if bare else round(duration(node) * 1_000_000)


def _only(*words: str) -> Callable[[Node], str]:
    def read(node: Node) -> str:
        if node.string() not in words:
            raise node.error(f"must be {' or '.join(words)}, is {shorten(node.string())}")
        return node.string()

    return read


#: What Docker calls each, and how it is read. Sizes are bytes, times microseconds.
_SETTINGS: dict[str, tuple[str, Callable[[Node], Any]]] = {
    "cgroup": ("CgroupnsMode", _only("host", "private")),
    "cgroup_parent": ("CgroupParent", Node.string),
    "cpu_period": ("CpuPeriod", _microseconds),
    "cpu_quota": ("CpuQuota", _unlimited_or(_microseconds)),
    "cpu_rt_period": ("CpuRealtimePeriod", _microseconds),
    "cpu_rt_runtime": ("CpuRealtimeRuntime", _microseconds),
    "cpu_shares": ("CpuShares", Node.integer),
    "cpuset": ("CpusetCpus", Node.string),
    "mem_reservation": ("MemoryReservation", size),
    "mem_swappiness": ("MemorySwappiness", Node.integer),
    "memswap_limit": ("MemorySwap", _unlimited_or(size)),
    "oom_kill_disable": ("OomKillDisable", Node.boolean),
    "oom_score_adj": ("OomScoreAdj", Node.integer),
    "pids_limit": ("PidsLimit", Node.integer),
    "storage_opt": ("StorageOpt", text_pairs),
    "userns_mode": ("UsernsMode", Node.string),
    "uts": ("UTSMode", _only("host")),
}

HOST_CONFIG_KEYS = tuple(_SETTINGS)


def host_config(entries: Mapping[str, Node]) -> dict[str, Any]:
    """The settings by Docker's names. Raises StackFileError."""
    return {name: read(entries[key]) for key, (name, read) in _SETTINGS.items() if key in entries}
