"""The Docker Engine: the only module that imports the Docker SDK, and the border of its errors.

The SDK takes 105 ms to import, so it is loaded by the first call that needs it: one whose answer
comes bit by bit. The others are plain HTTP (`docker_api.plain`).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from netaddr import IPNetwork

from macvlan_ros.closing import Closing
from macvlan_ros.docker_api.attached import AttachedCalls, known_as
from macvlan_ros.docker_api.calls import QUICK, SLOW
from macvlan_ros.docker_api.containers import ContainerCalls
from macvlan_ros.docker_api.context import Endpoint, resolve
from macvlan_ros.docker_api.errands import ErrandCalls
from macvlan_ros.docker_api.errors import refusal, unreachable
from macvlan_ros.docker_api.hosts_files import HostsCalls
from macvlan_ros.docker_api.images import PULL_SILENCE, ImageCalls
from macvlan_ros.docker_api.logs import LogCalls
from macvlan_ros.docker_api.network_values import taken_subnets
from macvlan_ros.docker_api.networks import NetworkCalls
from macvlan_ros.docker_api.plain import PlainClient
from macvlan_ros.docker_api.swarm import SwarmCalls
from macvlan_ros.docker_api.values import EngineInfo, read_engine
from macvlan_ros.docker_api.wire import NotDocker, Refused, Wire
from macvlan_ros.errors import DockerDown, MacvlanRosError

if TYPE_CHECKING:
    from docker import APIClient
    from docker.tls import TLSConfig

    from macvlan_ros.docker_api.ssh_tunnel import Tunnel

#: Seconds for a listing that a quick command waits for.
_LISTING_TIMEOUT = 2.0


class Engine(
    NetworkCalls,
    AttachedCalls,
    ImageCalls,
    ContainerCalls,
    LogCalls,
    ErrandCalls,
    SwarmCalls,
    HostsCalls,
    Closing,
):
    """One Docker Engine, reached as the docker command line would reach it.

    `url` is a URL, a socket's path or a context's name, "" for what the environment says; see
    `docker_api.context.resolve` for the errors, and `source` for who gave it. Nothing is connected
    before the first call. Safe to be used by several threads. Every call raises
    `DockerDown` and `Forbidden`, and ends.
    """

    #: Whether it only writes down what it would be told; see `dry.engine`.
    dry = False
    #: How many containers are created, started or stopped at once. An engine on two cores starts
    #: eight of them in less time four by four than all together (docs/benchmarks.md).
    at_once = 4

    def __init__(
        self, url: str = "", *, environ: Mapping[str, str] = os.environ, source: str = "--docker"
    ) -> None:
        self.endpoint = resolve(url, environ, source=source)
        self.names = {}
        self._lock = threading.RLock()
        self._wire = Wire(self.endpoint, socket_path=self._socket_path)
        self._sdk: APIClient | None = None
        self._tunnel: Tunnel | None = None

    def close(self) -> None:
        """Give back connections and the ssh tunnel. Closing twice is fine."""
        with self._lock:
            if self._sdk is not None:
                self._sdk.close()
                self._sdk = None
            if self._tunnel is not None:
                self._tunnel.close()
                self._tunnel = None

    def info(self) -> EngineInfo:
        """Which engine answers."""
        with self.asking("say its version", quick=True) as client:
            return read_engine(client.version(), client.info())

    def version(self) -> str:
        """Which version of Docker answers ("20.10.24"); takes a tenth of the time of `info`."""
        with self.asking("say its version", quick=True) as client:
            return str(client.version().get("Version") or "")

    def api_version(self) -> str:
        """The newest version of the API that the engine speaks ("1.41")."""
        with self.asking("say its version", quick=True) as client:
            return client.api_version

    def subnets(self) -> Mapping[IPNetwork, str]:
        """The subnets that Docker keeps for its own networks, each with its network's name.

        Those over a parent are left out: theirs is the LAN's.
        """
        with self._lending("list its networks", _LISTING_TIMEOUT) as client:
            return taken_subnets(client.networks())

    def running(self) -> Mapping[str, str]:
        """The names of all running containers, by each of their MACs and addresses."""
        with self._lending("list its containers", _LISTING_TIMEOUT) as client:
            return known_as(client.containers())

    def asking(self, doing: str, *, quick: bool = False) -> AbstractContextManager[PlainClient]:
        """See `docker_api.calls.Calls.asking`."""
        return self._lending(doing, QUICK if quick else SLOW)

    @contextmanager
    def _lending(self, doing: str, timeout: float) -> Iterator[PlainClient]:
        try:
            yield PlainClient(self._wire, timeout=timeout)
        except Refused as error:
            raise refusal(error.status, error.message, doing) from error
        except NotDocker as error:
            raise DockerDown(
                f"what listens at {self.endpoint} does not speak as Docker does; name Docker's own"
                " with --docker or DOCKER_HOST"
            ) from error
        except OSError as error:
            raise self._unreachable(error, doing) from error

    @contextmanager
    def streaming(self, doing: str) -> Iterator[Any]:
        """See `docker_api.calls.Calls.streaming`."""
        import docker.errors
        import requests.exceptions
        import urllib3.exceptions

        try:
            yield self._client()
        except docker.errors.APIError as error:
            raise refusal(error.status_code or 0, error.explanation or "", doing) from error
        except (
            docker.errors.DockerException,
            requests.exceptions.RequestException,
            urllib3.exceptions.HTTPError,
            OSError,
        ) as error:
            raise self._unreachable(error, doing) from error

    def _unreachable(self, error: BaseException, doing: str) -> MacvlanRosError:
        with self._lock:
            explained = None if self._tunnel is None else self._tunnel.explain()
            if explained is not None:
                self.close()  # so that the next call tries a new tunnel
        return explained or unreachable(error, self.endpoint, doing)

    def _client(self) -> APIClient:
        """The SDK's client; made once, for all threads."""
        with self._lock:
            if self._sdk is None:
                self._sdk = self._connect()
            return self._sdk

    def _socket_path(self) -> str:
        """The engine's socket on this PC, or the end of the ssh to it; "" for one on tcp."""
        if self.endpoint.scheme != "ssh":
            return self.endpoint.path if self.endpoint.scheme == "unix" else ""
        from macvlan_ros.docker_api.ssh_tunnel import Tunnel

        with self._lock:
            if self._tunnel is None:
                self._tunnel = Tunnel(self.endpoint)
            return self._tunnel.path

    def _connect(self) -> APIClient:
        path = self._socket_path()
        url = f"unix://{path}" if path else self.endpoint.url
        tls = _tls_config(self.endpoint)
        # the first question is quick whatever the calls that follow may take
        client = _bounded_client(url, timeout=QUICK, tls=tls)
        client.timeout = SLOW
        return client


def _bounded_client(url: str, *, timeout: int, tls: TLSConfig | bool) -> APIClient:
    """An `APIClient` none of whose requests waits for ever, as the SDK's pull does. It asks for the
    engine's version of the API: engines refuse versions older or newer than their own."""
    from docker import APIClient
    from docker.errors import APIError, DockerException

    class BoundedClient(APIClient):
        def request(self, *args: Any, **options: Any) -> Any:
            options["timeout"] = options.get("timeout") or PULL_SILENCE
            return super().request(*args, **options)

    try:
        return BoundedClient(url, version="auto", timeout=timeout, tls=tls)
    except DockerException as error:
        # what the engine answered when asked for its version stands under the SDK's own words
        if isinstance(error.__cause__, APIError):
            raise error.__cause__ from None
        raise


def _tls_config(endpoint: Endpoint) -> TLSConfig | bool:
    if endpoint.tls is None:
        return False
    from docker.tls import TLSConfig

    tls = endpoint.tls
    if not tls.verify:
        import urllib3

        # the user has said that the server need not be verified
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    pair = (tls.cert, tls.key) if tls.cert and tls.key else None
    return TLSConfig(client_cert=pair, ca_cert=tls.ca, verify=tls.verify)
