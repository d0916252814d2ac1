"""Keys of Compose that no reader is for: those that change nothing here, those that are refused."""

from macvlan_ros.stack.section import SECTION

#: Keys of a service that change nothing here, with what is said about them.
IGNORED = {
    "ports": "ports are not published: on macvlan every port is open on the container's address",
    "expose": "expose has no meaning: on macvlan every port is open to the LAN",
    "links": "links are not needed: every service of the stack resolves by its name",
    "attach": "attach is ignored: the output is read with docker logs",
    "develop": "develop is ignored: it speaks to docker compose watch alone",
}

_FILE = "mount the file with a service's 'volumes' instead"
_NOTHING = "remove it"

#: Keys of the stack that are read.
TOP_KEYS = ("version", "name", "services", "networks", "volumes", "secrets", SECTION)

#: Keys of the stack that are refused, with what to do instead.
REFUSED_TOP = {
    "configs": _FILE,
    "models": _NOTHING,
}

#: Keys of a service that are refused, with what to do instead.
REFUSED = {
    "configs": _FILE,
    "secrets": _FILE,
    "volumes_from": "name the volumes under 'volumes' in both services",
    "external_links": "name the other container's address under 'extra_hosts'",
    "label_file": "write the labels under 'labels'",
    "annotations": _NOTHING,
    "blkio_config": _NOTHING,
    "cgroup": _NOTHING,
    "cgroup_parent": _NOTHING,
    "cpu_count": "use 'cpus'",
    "cpu_percent": "use 'cpus'",
    "cpu_period": "use 'cpus'",
    "cpu_quota": "use 'cpus'",
    "cpu_rt_period": _NOTHING,
    "cpu_rt_runtime": _NOTHING,
    "cpu_shares": _NOTHING,
    "cpuset": _NOTHING,
    "credential_spec": _NOTHING,
    "isolation": _NOTHING,
    "mem_reservation": "use 'mem_limit'",
    "mem_swappiness": _NOTHING,
    "memswap_limit": "use 'mem_limit'",
    "models": _NOTHING,
    "oom_kill_disable": _NOTHING,
    "oom_score_adj": _NOTHING,
    "pids_limit": _NOTHING,
    "post_start": _NOTHING,
    "pre_stop": _NOTHING,
    "provider": _NOTHING,
    "storage_opt": _NOTHING,
    "use_api_socket": _NOTHING,
    "userns_mode": _NOTHING,
    "uts": _NOTHING,
}
