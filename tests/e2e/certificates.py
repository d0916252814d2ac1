"""Certificates for an engine on TLS, as Docker's documentation makes them with openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path


def make_certificates(folder: Path, *, address: str) -> None:
    """ca.pem, and in `server` and `client` each ca.pem, cert.pem and key.pem.

    The server's is good for `address`. https://docs.docker.com/engine/security/protect-access/
    """
    for name in ("server", "client"):
        (folder / name).mkdir(parents=True)
    root = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    ca = ["-keyout", f"{folder}/ca-key.pem", "-out", f"{folder}/ca.pem", "-subj", "/CN=lab"]
    _openssl("req", "-x509", *root, *ca)
    _sign(folder, "server", f"subjectAltName=IP:{address}\nextendedKeyUsage=serverAuth\n")
    _sign(folder, "client", "extendedKeyUsage=clientAuth\n")


def tls_options(folder: Path) -> tuple[str, ...]:
    """What dockerd is given to listen on TCP with these, beside its socket."""
    server = folder / "server"
    files = (f"--tlscacert={server}/ca.pem", f"--tlscert={server}/cert.pem")
    listeners = ("-H", "unix:///run/docker.sock", "-H", "tcp://0.0.0.0:2376")
    return ("--tlsverify", *files, f"--tlskey={server}/key.pem", *listeners)


def _sign(folder: Path, name: str, extensions: str) -> None:
    place = folder / name
    (place / "extensions").write_text(extensions)
    (place / "ca.pem").write_bytes((folder / "ca.pem").read_bytes())
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    _openssl(
        "req",
        *key,
        "-keyout",
        f"{place}/key.pem",
        "-out",
        f"{place}/request",
        "-subj",
        f"/CN={name}",
    )
    issuer = ["-CA", f"{folder}/ca.pem", "-CAkey", f"{folder}/ca-key.pem", "-CAcreateserial"]
    files = ["-in", f"{place}/request", "-out", f"{place}/cert.pem"]
    _openssl("x509", "-req", "-days", "2", *issuer, *files, "-extfile", f"{place}/extensions")


def _openssl(*args: str) -> None:
    subprocess.run(["openssl", *args], check=True, capture_output=True, timeout=60)
