"""Finding Docker: the order of the sources, contexts and TLS, and what is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from macvlan_ros.docker_api.context import Endpoint, Tls, contexts, resolve
from macvlan_ros.errors import InvalidRequest, NotFound


def write_context(folder: Path, name: str, host: str, **more: object) -> Path:
    identity = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts" / "meta" / identity / "meta.json"
    meta.parent.mkdir(parents=True)
    endpoint = {"Host": host, "SkipTLSVerify": False, **more}
    meta.write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": {"docker": endpoint}}))
    return folder / "contexts" / "tls" / identity / "docker"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"DOCKER_CONFIG": str(tmp_path)}


def write_tls(folder: Path, *names: str) -> Tls:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text("x")
    ca, cert, key = (
        str(folder / name) if name in names else None for name in ("ca.pem", "cert.pem", "key.pem")
    )
    return Tls(ca, cert, key, verify=True)


def test_nothing_said_is_the_local_socket(environ: dict[str, str]) -> None:
    assert resolve("", environ) == Endpoint("unix:///var/run/docker.sock")


def test_what_is_asked_for_beats_the_environment(environ: dict[str, str]) -> None:
    environ["DOCKER_HOST"] = "tcp://other:2375"
    assert resolve("unix:///tmp/x.sock", environ).path == "/tmp/x.sock"
    assert resolve("/tmp/x.sock", environ).url == "unix:///tmp/x.sock"


def test_docker_host_beats_docker_context(environ: dict[str, str]) -> None:
    environ |= {"DOCKER_HOST": "unix:///tmp/x.sock", "DOCKER_CONTEXT": "nowhere"}
    assert resolve("", environ) == Endpoint("unix:///tmp/x.sock", "DOCKER_HOST")


def test_docker_context_beats_the_current_one(environ: dict[str, str], tmp_path: Path) -> None:
    write_context(tmp_path, "here", "unix:///tmp/here.sock")
    write_context(tmp_path, "there", "ssh://robot@192.168.50.12")
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": "here"}))
    assert resolve("", environ) == Endpoint("unix:///tmp/here.sock", "context 'here'")
    environ["DOCKER_CONTEXT"] = "there"
    endpoint = resolve("", environ)
    assert (endpoint.scheme, endpoint.user, endpoint.host) == ("ssh", "robot", "192.168.50.12")
    assert endpoint.port is None
    assert str(endpoint) == "ssh://robot@192.168.50.12 (from context 'there')"


def test_a_context_can_be_asked_for_by_name(environ: dict[str, str], tmp_path: Path) -> None:
    write_context(tmp_path, "qtrp", "tcp://192.168.50.12:2375")
    assert resolve("qtrp", environ).url == "tcp://192.168.50.12:2375"


def test_the_default_context_is_the_local_socket(environ: dict[str, str]) -> None:
    environ["DOCKER_CONTEXT"] = "default"
    assert resolve("", environ) == Endpoint("unix:///var/run/docker.sock")


def test_home_is_where_docker_keeps_its_settings(tmp_path: Path) -> None:
    write_context(tmp_path / ".docker", "qtrp", "unix:///tmp/q.sock")
    environ = {"HOME": str(tmp_path), "DOCKER_CONTEXT": "qtrp"}
    assert resolve("", environ).path == "/tmp/q.sock"
    assert contexts(environ) == ("qtrp",)


@pytest.mark.parametrize("source", ["--docker", "DOCKER_CONTEXT", "config.json"])
def test_an_unknown_context_is_refused_and_the_known_ones_are_named(
    source: str, environ: dict[str, str], tmp_path: Path
) -> None:
    write_context(tmp_path, "qtpc", "unix:///tmp/q.sock")
    if source == "DOCKER_CONTEXT":
        environ["DOCKER_CONTEXT"] = "qtrp"
    if source == "config.json":
        (tmp_path / "config.json").write_text('{"currentContext": "qtrp"}')
    with pytest.raises(NotFound) as caught:
        resolve("qtrp" if source == "--docker" else "", environ)
    message = str(caught.value)
    assert "no Docker context 'qtrp'" in message
    assert source in message
    assert "there are: default, qtpc" in message


@pytest.mark.parametrize("content", ["{", "[]", '{"Endpoints": {}}', '{"Endpoints": 3}'])
def test_a_context_that_cannot_be_read_is_refused(
    content: str, environ: dict[str, str], tmp_path: Path
) -> None:
    write_context(tmp_path, "qtrp", "unix:///tmp/q.sock")
    meta = next((tmp_path / "contexts" / "meta").glob("*/meta.json"))
    meta.write_text(content)
    with pytest.raises(InvalidRequest, match=r"meta\.json"):
        resolve("qtrp", environ)


def test_a_broken_config_file_is_refused(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InvalidRequest, match=r"config\.json.*set DOCKER_HOST"):
        resolve("", environ)


def test_tls_comes_from_the_environment(environ: dict[str, str], tmp_path: Path) -> None:
    tls = write_tls(tmp_path / "certs", "ca.pem", "cert.pem", "key.pem")
    environ |= {
        "DOCKER_HOST": "tcp://192.168.50.12",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": str(tmp_path / "certs"),
    }
    assert resolve("", environ) == Endpoint("tcp://192.168.50.12:2376", "DOCKER_HOST", tls)
    assert resolve("unix:///x.sock", environ).tls is None


def test_docker_tls_alone_does_not_verify(environ: dict[str, str]) -> None:
    environ |= {"DOCKER_HOST": "tcp://h:1", "DOCKER_TLS": "1"}
    assert resolve("", environ).tls == Tls(None, None, None, verify=False)


def test_a_path_to_certificates_alone_is_no_tls(environ: dict[str, str]) -> None:
    environ |= {"DOCKER_HOST": "tcp://192.168.50.12", "DOCKER_CERT_PATH": "/x"}
    assert resolve("", environ) == Endpoint("tcp://192.168.50.12:2375", "DOCKER_HOST")


def test_a_certificate_without_its_key_is_refused(environ: dict[str, str], tmp_path: Path) -> None:
    write_tls(tmp_path, "cert.pem")
    environ |= {"DOCKER_HOST": "tcp://h:1", "DOCKER_TLS_VERIFY": "1"}
    with pytest.raises(InvalidRequest, match=r"has no key\.pem"):
        resolve("", environ)


def test_tls_comes_from_the_context(environ: dict[str, str], tmp_path: Path) -> None:
    folder = write_context(tmp_path, "qtrp", "tcp://192.168.50.12:2376")
    tls = write_tls(folder, "ca.pem", "cert.pem", "key.pem")
    assert resolve("qtrp", environ).tls == tls


@pytest.mark.parametrize(
    ("said", "url"),
    [
        ("192.168.50.12:2375", "tcp://192.168.50.12:2375"),
        ("tcp://robot", "tcp://robot:2375"),
        ("tcp://[fd00::1]:2375", "tcp://[fd00::1]:2375"),
        ("tcp://robot:2375/docker/", "tcp://robot:2375/docker"),
        ("unix://", "unix:///var/run/docker.sock"),
        ("unix://var/run/x.sock", "unix:///var/run/x.sock"),
        ("ssh://robot@h:2222/run/d.sock", "ssh://robot@h:2222/run/d.sock"),
    ],
)
def test_urls_are_read_as_docker_reads_them(said: str, url: str, environ: dict[str, str]) -> None:
    environ["DOCKER_HOST"] = said
    assert resolve("", environ).url == url


@pytest.mark.parametrize(
    "said",
    [
        "fd://",
        "npipe:////./pipe/docker",
        "tcp://",
        "tcp://h:port",
        "tcp://h:99999999",
        "tcp://[::1",
        "ssh://robot:secret@h",
        "ssh://-oProxyCommand=x",
        "ssh://-l@h",
        "tcp://h:1?x=1",
    ],
)
def test_other_urls_are_refused_and_their_source_is_named(
    said: str, environ: dict[str, str]
) -> None:
    environ["DOCKER_HOST"] = said
    with pytest.raises(InvalidRequest, match="DOCKER_HOST"):
        resolve("", environ)
