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
    "cpu_count": "use 'cpus'",
    "cpu_percent": "use 'cpus'",
    "credential_spec": _NOTHING,
    "isolation": _NOTHING,
    "models": _NOTHING,
    "post_start": _NOTHING,
    "pre_stop": _NOTHING,
    "provider": _NOTHING,
    "use_api_socket": _NOTHING,
}
