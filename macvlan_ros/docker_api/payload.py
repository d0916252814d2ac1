"""A service as the Engine API takes it: the body of POST /containers/create.

Pure: values in, plain dicts out, for API 1.41 (Docker 20.10) to 1.52 (Docker 29). See
https://docs.docker.com/reference/api/engine/version/v1.41/#operation/ContainerCreate
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from macvlan_ros.docker_api.labels import LABEL_MANAGED, MANAGED

if TYPE_CHECKING:
    from macvlan_ros.models.containers import Attachment, BridgeUse, Mount, Service

#: From here on a MAC belongs to the endpoint, and one of the container is refused or ignored.
ENDPOINT_MAC_SINCE = (1, 44)

#: From here on the engine can be told which network has the default route.
GATEWAY_PRIORITY_SINCE = (1, 48)

_NANO = 1_000_000_000


def api_number(version: str) -> tuple[int, ...]:
    """ "1.41" as (1, 41), to compare."""
    return tuple(int(part) for part in version.split("."))


def container_payload(
    service: Service,
    *,
    attachment: Attachment | None,
    environment: Mapping[str, str | None],
    hosts: Sequence[tuple[str, str]],
    labels: Mapping[str, str],
    api_version: str,
) -> dict[str, Any]:
    """The whole body for a container with this address and MAC on its macvlan network; None for
    one that is not on the LAN.

    An environment value of None removes what the image sets. `hosts` stand after the service's
    own `extra_hosts`, so that the file's entries win.
    """
    config = _config(service, environment=environment, labels=labels)
    network = attachment.network if attachment else service.off_lan
    config["HostConfig"] = _host_config(service, network=network, hosts=hosts)
    if attachment is None:
        config["NetworkingConfig"] = {"EndpointsConfig": _off_lan_endpoints(service)}
        return config
    endpoint_has_mac = api_number(api_version) >= ENDPOINT_MAC_SINCE
    endpoint: dict[str, Any] = {
        "IPAMConfig": _fixed(attachment),
        "Aliases": service_aliases(service),
    }
    (endpoint if endpoint_has_mac else config)["MacAddress"] = attachment.mac
    if service.bridges and api_number(api_version) >= GATEWAY_PRIORITY_SINCE:
        # older engines give the default route to the network whose name comes first; see sandbox.py
        endpoint["GwPriority"] = -1 if service.default_route else 1
    config["NetworkingConfig"] = {"EndpointsConfig": {attachment.network: endpoint}}
    return config


def _off_lan_endpoints(service: Service) -> dict[str, Any]:
    """The endpoint on the first bridge, if the container is on one."""
    return {bridge.name: bridge_endpoint(service, bridge) for bridge in service.bridges[:1]}


def bridge_endpoint(service: Service, bridge: BridgeUse) -> dict[str, Any]:
    """The service's endpoint on a network beside the macvlan one."""
    return {
        "IPAMConfig": {"IPv4Address": str(bridge.address)} if bridge.address else None,
        "Aliases": service_aliases(service, bridge.aliases),
    }


def _fixed(attachment: Attachment) -> dict[str, str]:
    fixed = {"IPv4Address": str(attachment.address)}
    if attachment.address6 is not None:
        fixed["IPv6Address"] = str(attachment.address6)
    return fixed


def service_aliases(service: Service, more: Iterable[str] = ()) -> list[str]:
    """The names by which Docker's DNS finds the service, each one once."""
    own = (service.name, service.container_name, service.compose_name, *service.aliases, *more)
    return [name for name in dict.fromkeys(own) if name]


def _config(
    service: Service, *, environment: Mapping[str, str | None], labels: Mapping[str, str]
) -> dict[str, Any]:
    config: dict[str, Any] = {
        "Image": service.image,
        "Env": environment_list(environment),
        "Labels": {**service.labels, **labels, LABEL_MANAGED: MANAGED},
        "Tty": service.tty,
        "OpenStdin": service.stdin_open,
    }
    optional = {
        "Hostname": service.hostname,
        "Domainname": service.domainname,
        "User": service.user,
        "WorkingDir": service.working_dir,
        "Cmd": None if service.command is None else list(service.command),
        "Entrypoint": None if service.entrypoint is None else list(service.entrypoint),
        "StopSignal": service.stop_signal,
        "StopTimeout": _whole_seconds(service.stop_grace_period),
        "Healthcheck": _healthcheck(service),
    }
    return config | {key: value for key, value in optional.items() if value is not None}


def environment_list(environment: Mapping[str, str | None]) -> list[str]:
    """NAME=VALUE, or NAME alone to remove the image's."""
    return [name if value is None else f"{name}={value}" for name, value in environment.items()]


def _whole_seconds(seconds: float | None) -> int | None:
    return None if seconds is None else math.ceil(seconds)


def _nanoseconds(seconds: float | None) -> int:
    """Docker reads 0 as "as the image has it"."""
    return 0 if seconds is None else round(seconds * _NANO)


def _healthcheck(service: Service) -> dict[str, Any] | None:
    check = service.healthcheck
    if check is None:
        return None
    return {
        "Test": list(check.test),
        "Interval": _nanoseconds(check.interval),
        "Timeout": _nanoseconds(check.timeout),
        "StartPeriod": _nanoseconds(check.start_period),
        "Retries": check.retries or 0,
    }


def _host_config(
    service: Service, *, network: str, hosts: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    entries = dict.fromkeys((*service.extra_hosts, *hosts))
    config: dict[str, Any] = {
        "NetworkMode": network,
        "Privileged": service.privileged,
        "ReadonlyRootfs": service.read_only,
        "RestartPolicy": _restart_policy(service),
        "ExtraHosts": [f"{name}:{address}" for name, address in entries],
        "Dns": list(service.dns),
        "DnsSearch": list(service.dns_search),
        "DnsOptions": list(service.dns_options),
        "CapAdd": list(service.cap_add),
        "CapDrop": list(service.cap_drop),
        "GroupAdd": list(service.group_add),
        "Sysctls": dict(service.sysctls),
    }
    optional = {
        "Init": service.init,
        "IpcMode": service.ipc,
        "PidMode": service.pid,
        "ShmSize": service.shm_size,
        "Memory": service.memory,
        "NanoCpus": None if service.cpus is None else round(service.cpus * _NANO),
        "Runtime": service.runtime,
        "LogConfig": _log_config(service),
    }
    config |= {key: value for key, value in optional.items() if value is not None}
    config |= service.host_config
    return config | _device_config(service) | _storage_config(service) | _security(service)


def _restart_policy(service: Service) -> dict[str, Any]:
    # Docker refuses a number of retries with any other policy
    retries = service.restart_retries if service.restart == "on-failure" else 0
    return {"Name": service.restart, "MaximumRetryCount": retries}


def _log_config(service: Service) -> dict[str, Any] | None:
    if service.log_driver is None and not service.log_options:
        return None
    # an empty type is the engine's own default driver
    return {"Type": service.log_driver or "", "Config": dict(service.log_options)}


def _device_config(service: Service) -> dict[str, Any]:
    return {
        "Devices": [
            {
                "PathOnHost": device.source,
                "PathInContainer": device.target,
                "CgroupPermissions": device.permissions,
            }
            for device in service.devices
        ],
        "DeviceCgroupRules": list(service.device_cgroup_rules),
        "DeviceRequests": [
            {
                "Driver": request.driver,
                "Count": request.count or 0,
                "DeviceIDs": list(request.device_ids),
                "Capabilities": [list(group) for group in request.capabilities],
                "Options": dict(request.options),
            }
            for request in service.device_requests
        ],
        "Ulimits": [
            {"Name": limit.name, "Soft": limit.soft, "Hard": limit.hard}
            for limit in service.ulimits
        ],
    }


def _security(service: Service) -> dict[str, Any]:
    """What `--security-opt` is to the docker command line, which turns one into masked paths."""
    unmasked = "systempaths=unconfined"
    options = [option for option in service.security_opt if option != unmasked]
    if len(options) == len(service.security_opt):
        return {"SecurityOpt": options}
    return {"SecurityOpt": options, "MaskedPaths": [], "ReadonlyPaths": []}


def _storage_config(service: Service) -> dict[str, Any]:
    binds = [mount for mount in service.mounts if _is_bind_text(mount)]
    return {
        "Binds": [_bind_text(mount) for mount in binds],
        "Mounts": [_mount(mount) for mount in service.mounts if not _is_bind_text(mount)],
        "Tmpfs": dict(service.tmpfs),
    }


def _is_bind_text(mount: Mount) -> bool:
    """Whether it must be written as SOURCE:TARGET:MODE.

    That form alone makes a missing folder (before API 1.42) and relabels for SELinux; a path with
    a colon can only be said in the other form.
    """
    if mount.kind not in ("bind", "volume") or not mount.source:
        return False
    if ":" in mount.source or ":" in mount.target:
        return False
    return mount.create_source or bool(_modes(mount) & {"z", "Z"})


def _modes(mount: Mount) -> set[str]:
    return {word for word in mount.mode.split(",") if word}


def _bind_text(mount: Mount) -> str:
    words = ["ro"] if mount.read_only else []
    words += [word for word in mount.mode.split(",") if word and word not in ("ro", "rw")]
    return ":".join((mount.source, mount.target, ",".join(words or ["rw"])))


_PROPAGATIONS = ("private", "rprivate", "shared", "rshared", "slave", "rslave")
_CONSISTENCIES = ("consistent", "cached", "delegated")


def _mount(mount: Mount) -> dict[str, Any]:
    modes = _modes(mount)
    said: dict[str, Any] = {
        "Type": mount.kind,
        "Target": mount.target,
        "ReadOnly": mount.read_only,
    }
    if mount.source:
        said["Source"] = mount.source
    consistency = next((word for word in _CONSISTENCIES if word in modes), None)
    if consistency:
        said["Consistency"] = consistency
    propagation = next((word for word in _PROPAGATIONS if word in modes), None)
    if mount.kind == "bind" and propagation:
        said["BindOptions"] = {"Propagation": propagation}
    if mount.kind == "volume" and "nocopy" in modes:
        said["VolumeOptions"] = {"NoCopy": True}
    if mount.kind == "tmpfs":
        said["TmpfsOptions"] = _tmpfs_options(mount)
    return said


def _tmpfs_options(mount: Mount) -> dict[str, int]:
    """`size` in bytes; a mode of digits is octal, as chmod(1) takes it."""
    options = {} if mount.size is None else {"SizeBytes": mount.size}
    octal = next((word for word in mount.mode.split(",") if word.isdecimal()), None)
    return options if octal is None else {**options, "Mode": int(octal, 8)}
