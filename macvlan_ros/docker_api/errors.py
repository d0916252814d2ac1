"""Docker's errors in our words: what was being done, what Docker said, what to do next.

Pure: statuses, messages and exceptions in, a `MacvlanRosError` out. Docker's messages have no
codes, so they are told apart by their text; the texts are those of Docker 20.10 to 29.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator

from macvlan_ros.docker_api.context import Endpoint
from macvlan_ros.errors import (
    AddressInUse,
    BadSubnet,
    Conflict,
    ContainerConflict,
    DeviceNotFound,
    DockerDown,
    EngineRefused,
    Forbidden,
    ImageNotFound,
    InvalidRequest,
    MacvlanRosError,
    NetworkNotFound,
    NotFound,
    ParentNotFound,
)

#: Docker's text, the class, and what stands after "Docker cannot DO THIS: ".
_KNOWN: tuple[tuple[str, type[MacvlanRosError], str], ...] = (
    (
        r'container name "/?(?P<name>[^"]+)" is already in use',
        ContainerConflict,
        "there is a container {name} already; rename it, or remove it with: docker rm -f {name}",
    ),
    (
        r"^Address already in use",
        AddressInUse,
        "another container of this engine, or Docker's own gateway, has its address; "
        "find it with: docker network inspect",
    ),
    (
        r"(?:Invalid address|contain the IP address) (?P<address>[0-9a-f.:]*[0-9a-f])",
        BadSubnet,
        "address {address} is not in its network's subnet; name another address, or make the "
        "network anew over the right one",
    ),
    (
        r'gathering device information while adding custom device "(?P<path>[^"]+)": '
        r"(no such file|stat)",
        DeviceNotFound,
        "{path} is not on this host; plug the device in, or take it out of the service's devices",
    ),
    (
        r'could not select device driver "cdi"',
        EngineRefused,
        "it does not find devices by their vendor's names (CDI), which Docker does from 25 on, with"
        " 'features: {{cdi: true}}' in its daemon.json before 28.2; name their paths instead",
    ),
    (
        r'could not select device driver "(?P<driver>[^"]*)" with capabilities: (?P<wanted>\S+)',
        EngineRefused,
        "it knows no driver for {wanted} devices; install the NVIDIA Container Toolkit and restart "
        "Docker, or take the GPUs out of the service",
    ),
    (
        r"(?:Unknown runtime specified|unknown or invalid runtime name:?) (?P<name>[^\s.]+)",
        EngineRefused,
        "it knows no runtime {name!r}; add it to /etc/docker/daemon.json and restart Docker, "
        "or take `runtime` out of the service",
    ),
    (
        r'exec: \\?"(?P<command>[^"\\]+)\\?": (?P<why>[^:]+)',
        InvalidRequest,
        "its command {command!r} cannot be run ({why}); is it in the image, with its full path?",
    ),
    (
        r"bind source path does not exist: (?P<path>\S+)",
        InvalidRequest,
        "{path} does not exist on this host; make it, or mend the service's volumes",
    ),
    (
        r"unable to find user (?P<user>\S+): no matching entries",
        InvalidRequest,
        "the image has no user {user!r}; mend the service's `user`",
    ),
    (
        r"invalid subinterface vlan name (?P<parent>[^\s,]+)"
        r"|parent interface (?:was not found|does not exist)[^:]*: ?(?P<other>\S+)",
        ParentNotFound,
        "there is no interface {parent} on its host; list them with: macvlan-ros interfaces",
    ),
    (r"network (?P<name>\S+) not found", NetworkNotFound, "there is no Docker network {name}"),
    (r"No such network", NetworkNotFound, "{message}"),
    (
        r"pull access denied|repository does not exist|manifest unknown|manifest for .* not found"
        r"|No such image",
        ImageNotFound,
        "no registry that it knows has such an image for us ({message}); check the name, build it, "
        "or log in with: docker login",
    ),
    (
        r"no matching manifest for (?P<platform>\S+)",
        ImageNotFound,
        "the image is not made for {platform}; name another image, or the service's `platform`",
    ),
    (
        r"toomanyrequests",
        EngineRefused,
        "the registry's limit for pulls is reached; wait, or log in with: docker login",
    ),
    (
        r"(?P<why>no such host|i/o timeout|network is unreachable|connection refused"
        r"|no route to host|Client\.Timeout exceeded|server misbehaving|TLS handshake timeout)",
        EngineRefused,
        "it does not reach the registry ({why}); check this host's network, or bring the image "
        "with: docker save IMAGE | docker -H HOST load",
    ),
    (
        r"Client sent an HTTP request to an HTTPS server",
        EngineRefused,
        "the engine wants TLS; set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH, or use a context",
    ),
)

_BY_STATUS: dict[int, type[MacvlanRosError]] = {404: NotFound, 409: Conflict}

#: What the layers below Docker put around the reason.
_WRAPPING = re.compile(
    r"(?:failed to create (?:shim )?task|OCI runtime create failed|runc create failed"
    r"|unable to start container process|failed to set up container networking"
    r"|failed to create task for container): |: unknown$"
)


def refusal(status: int, message: str, doing: str) -> MacvlanRosError:
    """Our error for Docker's answer `status` with `message`, when asked to do `doing`."""
    text = _WRAPPING.sub("", " ".join(message.split())).rstrip(" .")
    for pattern, kind, sentence in _KNOWN:
        found = re.search(pattern, text, re.IGNORECASE)
        if found:
            named = {key: value for key, value in found.groupdict().items() if value}
            if "other" in named:
                named["parent"] = named["other"]
            return kind(f"Docker cannot {doing}: " + sentence.format(message=text, **named))
    kind = _BY_STATUS.get(status, EngineRefused)
    return kind(f"Docker cannot {doing}: {text or f'it answered with status {status}'}")


def unreachable(error: BaseException, endpoint: Endpoint, doing: str) -> MacvlanRosError:
    """Our error for a connection to Docker that failed while it was asked to do `doing`."""
    import ssl  # 13 ms, which a command that meets no error need not wait for

    causes = tuple(_causes(error))
    for kind, explain in (
        (PermissionError, _forbidden),
        (FileNotFoundError, _down),
        (NotADirectoryError, _down),
        (ConnectionRefusedError, _down),
        (socket.gaierror, _unknown_host),
        (ssl.SSLError, _untrusted),
        (TimeoutError, _slow),
        (OSError, _down),
    ):
        for cause in causes:
            # requests' own exceptions are OSErrors without a number; the real one lies beneath
            if isinstance(cause, kind) and (isinstance(cause.errno, int) or kind is not OSError):
                return explain(cause, endpoint, doing)
    return DockerDown(
        f"Docker at {endpoint} broke off while asked to {doing} ({_plain(error)}); "
        "see what it says with: journalctl -u docker"
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception, and all that it was made from: requests and urllib3 wrap several deep."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop(0)
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [*cause.args, cause.__cause__, cause.__context__]
        waiting.append(getattr(cause, "reason", None))


def _forbidden(_error: OSError, endpoint: Endpoint, _doing: str) -> MacvlanRosError:
    return Forbidden(
        f"no right to use Docker at {endpoint}; run this with sudo, or join the docker group with: "
        "sudo usermod -aG docker $USER (and log in again)"
    )


def _down(error: OSError, endpoint: Endpoint, _doing: str) -> MacvlanRosError:
    if endpoint.scheme == "unix":
        return DockerDown(
            f"Docker at {endpoint} does not answer; start it with: sudo systemctl start docker"
        )
    return DockerDown(
        f"Docker at {endpoint} does not answer ({(error.strerror or str(error)).lower()}); is it "
        f"running on {endpoint.host}, and listening there?"
    )


def _unknown_host(_error: OSError, endpoint: Endpoint, _doing: str) -> MacvlanRosError:
    return DockerDown(
        f"Docker at {endpoint} does not answer: nobody knows a host {endpoint.host!r}; "
        "name its address instead, or mend DNS"
    )


def _untrusted(error: OSError, endpoint: Endpoint, _doing: str) -> MacvlanRosError:
    return DockerDown(
        f"Docker at {endpoint} and we do not agree on TLS ({_plain(error)}); check ca.pem, "
        "cert.pem and key.pem in DOCKER_CERT_PATH or the context"
    )


def _slow(_error: OSError, endpoint: Endpoint, doing: str) -> MacvlanRosError:
    return DockerDown(
        f"Docker at {endpoint} did not answer in time when asked to {doing}; "
        "see what it is at with: journalctl -u docker"
    )


def _plain(error: BaseException) -> str:
    """The innermost reason, in one line and not too long."""
    return " ".join(str(error).split())[:200]
