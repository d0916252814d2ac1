"""Where Docker is: the endpoint that the docker command line would use, from the same settings.

Reads the environment and `~/.docker`, and connects to nothing. The order is docker's own: what was
asked for, `DOCKER_HOST`, `DOCKER_CONTEXT`, `currentContext` of config.json, the local socket
(https://docs.docker.com/engine/manage-resources/contexts/). A context that is not there is an
error here; the Docker SDK would turn to the local socket without a word.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from macvlan_ros.errors import Forbidden, InvalidRequest, NotFound
from macvlan_ros.near import did_you_mean
from macvlan_ros.values import dataclass

DEFAULT_URL = "unix:///var/run/docker.sock"

#: How an engine is written.
_LIKE = "say unix:///path, tcp://host:port or ssh://user@host"


@dataclass(frozen=True, slots=True)
class Tls:
    """The files of a TLS connection; None where there is none. `verify` is about the server's."""

    ca: str | None
    cert: str | None
    key: str | None
    verify: bool


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an engine listens. `url` is unix:///path, tcp://host:port or ssh://[user@]host[:port].

    `source` says who named it ("DOCKER_HOST", "context 'qtrp'"), for messages; "" is the default.
    """

    url: str
    source: str = ""
    tls: Tls | None = None

    @property
    def scheme(self) -> str:
        return self.url.partition("://")[0]

    @property
    def path(self) -> str:
        """The socket's path (unix), or the path on the other side ("" when none was given)."""
        return self.url.removeprefix("unix://") if self.scheme == "unix" else self._parts.path

    @property
    def host(self) -> str:
        return self._parts.hostname or ""

    @property
    def port(self) -> int | None:
        return self._parts.port

    @property
    def user(self) -> str:
        return self._parts.username or ""

    @property
    def _parts(self) -> SplitResult:
        return urlsplit(self.url)

    def __str__(self) -> str:
        return f"{self.url} (from {self.source})" if self.source else self.url


def resolve(wanted: str, environ: Mapping[str, str], *, source: str = "--docker") -> Endpoint:
    """The endpoint for `wanted` (a URL, a socket's path, a context's name, or "" for none), which
    `source` says, for messages.

    Raises `NotFound` for a context that does not exist, naming those that do, `InvalidRequest`
    for a URL or a file that makes no sense, `Forbidden` for a file that may not be read.
    """
    named = _wanted(wanted, environ, source)
    if named is not None:
        return named
    if environ.get("DOCKER_HOST"):
        return _endpoint(environ["DOCKER_HOST"], "DOCKER_HOST", environ)
    if environ.get("DOCKER_CONTEXT"):
        return _context(environ["DOCKER_CONTEXT"], "DOCKER_CONTEXT", environ)
    config = _folder(environ) / "config.json"
    current = _read_json(config).get("currentContext") if config.exists() else None
    if current:
        return _context(str(current), str(config), environ)
    return _endpoint(DEFAULT_URL, "", environ)


def _wanted(wanted: str, environ: Mapping[str, str], source: str) -> Endpoint | None:
    if not wanted:
        return None
    if wanted.startswith("/"):
        return _endpoint(f"unix://{wanted}", source, environ)
    # host:port is a URL to docker, and no context's name may have a colon
    if ":" in wanted:
        return _endpoint(wanted, source, environ)
    return _context(wanted, source, environ)


def _folder(environ: Mapping[str, str]) -> Path:
    if environ.get("DOCKER_CONFIG"):
        return Path(environ["DOCKER_CONFIG"])
    return Path(environ.get("HOME") or Path.home()) / ".docker"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except PermissionError as error:
        raise Forbidden(
            f"no right to read {path}, which says where Docker is; mend it with: "
            f"sudo chown $USER {path}, or set DOCKER_HOST"
        ) from error
    except (OSError, ValueError) as error:
        raise InvalidRequest(
            f"{path}, which says where Docker is, cannot be read ({error}); "
            "mend it, or set DOCKER_HOST"
        ) from error
    if not isinstance(content, dict):
        raise InvalidRequest(f"{path} is not a JSON object; mend it, or set DOCKER_HOST")
    return content


def _context(name: str, asked_by: str, environ: Mapping[str, str]) -> Endpoint:
    """The endpoint of a context in Docker's store: contexts/meta/<sha256 of the name>/meta.json."""
    if name == "default":
        return _endpoint(DEFAULT_URL, "", environ)
    store = _folder(environ) / "contexts"
    identity = hashlib.sha256(name.encode()).hexdigest()
    meta = store / "meta" / identity / "meta.json"
    if not meta.exists():
        known = ("default", *contexts(environ))
        raise NotFound(
            f"there is no Docker context {name!r} (named by {asked_by}); there are:"
            f" {', '.join(known)}{did_you_mean(name, known)};"
            f" make it with: docker context create {name} --docker host=ssh://USER@HOST"
        )
    endpoints = _read_json(meta).get("Endpoints")
    docker = endpoints.get("docker") if isinstance(endpoints, dict) else None
    if not isinstance(docker, dict):
        raise InvalidRequest(
            f"Docker context {name!r} names no docker endpoint (in {meta}); take another context"
        )
    files = store / "tls" / identity / "docker"
    skip = bool(docker.get("SkipTLSVerify"))
    tls = _tls(files, verify=not skip) if skip or files.is_dir() else None
    url = parse_url(str(docker.get("Host") or DEFAULT_URL), f"context {name!r}", tls=tls)
    return Endpoint(url, f"context {name!r}", tls if url.startswith("tcp://") else None)


def contexts(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The names of the contexts in Docker's store, sorted; one that cannot be read is left out."""
    names = []
    for meta in (_folder(environ) / "contexts" / "meta").glob("*/meta.json"):
        try:
            names.append(str(_read_json(meta)["Name"]))
        except (InvalidRequest, Forbidden, KeyError):
            continue
    return tuple(sorted(names))


def _endpoint(url: str, source: str, environ: Mapping[str, str]) -> Endpoint:
    """An endpoint that no context describes: TLS comes from the environment."""
    tls = None
    if environ.get("DOCKER_TLS_VERIFY") or environ.get("DOCKER_TLS"):
        files = Path(environ.get("DOCKER_CERT_PATH") or _folder(environ))
        tls = _tls(files, verify=bool(environ.get("DOCKER_TLS_VERIFY")))
    normal = parse_url(url, source, tls=tls)
    # as docker does: a socket of this host and an ssh connection need no TLS
    return Endpoint(normal, source, tls if normal.startswith("tcp://") else None)


def _tls(files: Path, *, verify: bool) -> Tls:
    """The files that are there; docker leaves out those that are not, and so do we."""

    def existing(name: str) -> str | None:
        return str(files / name) if (files / name).is_file() else None

    tls = Tls(existing("ca.pem"), existing("cert.pem"), existing("key.pem"), verify)
    if (tls.cert is None) != (tls.key is None):
        missing = "cert.pem" if tls.cert is None else "key.pem"
        raise InvalidRequest(f"TLS for Docker needs cert.pem and key.pem; {files} has no {missing}")
    return tls


def parse_url(url: str, source: str, *, tls: Tls | None = None) -> str:
    """An endpoint's URL in full, with the port that docker would take. Raises `InvalidRequest`."""
    where = f" (from {source})" if source else ""
    text = url.strip()
    if "://" not in text:
        text = f"tcp://{text}"
    scheme, _, rest = text.partition("://")
    if scheme == "unix":
        return f"unix:///{rest.lstrip('/')}" if rest else DEFAULT_URL
    if scheme not in ("tcp", "ssh"):
        raise InvalidRequest(
            f"Docker endpoint {url!r}{where} is not understood; {_LIKE}, or name a context"
        )
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidRequest(
            f"Docker endpoint {url!r}{where} is not a URL: {error}; {_LIKE}"
        ) from error
    if not host or host.startswith("-") or (parts.username or "").startswith("-"):
        # a leading dash would be an option to ssh
        raise InvalidRequest(f"Docker endpoint {url!r}{where} names no host; {_LIKE}")
    if parts.password is not None or parts.query or parts.fragment:
        raise InvalidRequest(
            f"Docker endpoint {url!r}{where} may hold user, host, port and path alone; "
            "for ssh, set up a key with: ssh-copy-id"
        )
    if scheme == "tcp" and port is None:
        netloc = f"{parts.netloc.rstrip(':')}:{2376 if tls else 2375}"
        return f"tcp://{netloc}{parts.path}".rstrip("/")
    return text.rstrip("/")
