"""A registry with one image, robot:1, on port 5000 of the host that it runs in.

Speaks as much of the registry's API as a pull needs
(https://distribution.github.io/distribution/spec/api/). Layers trickle, so that there is progress
to see; robot:stuck stops in the middle of its layer. Run as a program.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import sys
import tarfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MEDIA = "application/vnd.docker.distribution.manifest.v2+json"


def layer() -> tuple[bytes, str]:
    """A compressed layer that does not compress, and the digest of what is in it."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        entry = tarfile.TarInfo("data")
        entry.size = 3_000_000
        archive.addfile(entry, io.BytesIO(os.urandom(entry.size)))
    return gzip.compress(plain.getvalue(), 1), digest(plain.getvalue())


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


LAYER, DIFF = layer()
CONFIG = json.dumps(
    {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["FROM_REGISTRY=1"]},
        "rootfs": {"type": "layers", "diff_ids": [DIFF]},
    }
).encode()
MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": MEDIA,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": len(CONFIG),
            "digest": digest(CONFIG),
        },
        "layers": [
            {
                "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
                "size": len(LAYER),
                "digest": digest(LAYER),
            }
        ],
    }
).encode()


class Registry(BaseHTTPRequestHandler):
    """GET and HEAD of a manifest by tag or digest, and of its two blobs."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer one request; the layer takes about three seconds."""
        name = self.path.rpartition("/")[2]
        if self.path == "/v2/":
            self.answer(b"{}", "application/json")
        elif name in ("1", "stuck", digest(MANIFEST)) and "/manifests/" in self.path:
            self.answer(MANIFEST, MEDIA)
        elif name == digest(CONFIG):
            self.answer(CONFIG, "application/octet-stream")
        elif name == digest(LAYER):
            self.trickle()
        else:
            error = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}
            self.answer(json.dumps(error).encode(), "application/json", status=404)

    do_HEAD = do_GET  # noqa: N815

    def answer(self, body: bytes, kind: str, *, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Docker-Content-Digest", digest(body))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def trickle(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(LAYER)))
        self.end_headers()
        steps = 30
        for step in range(steps):
            if "/stuck/" in self.path and step == 10:
                time.sleep(60)
            self.wfile.write(LAYER[step * len(LAYER) // steps : (step + 1) * len(LAYER) // steps])
            time.sleep(0.1)

    def log_message(self, *_: object) -> None:
        """The test's output is no place for it."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 5000), Registry)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    server.serve_forever()
