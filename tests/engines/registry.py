"""A registry of images on this machine, so that real engines can really pull.

Its interface is https://distribution.github.io/distribution/spec/api/, the part for pulling. Docker asks
127.0.0.0/8 without TLS; Podman has to be told to.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import platform
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from engines.image import COMMAND, image_tar

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_BLOB = "application/octet-stream"
_CHUNK_BYTES = 1 << 15
# Docker's names of what `uname -m` says.
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def digest_of(data: bytes) -> str:
    """The name of a piece of content."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@cache
def _files() -> bytes:
    # One file more than in the test's image: of a layer that it has, an engine fetches nothing.
    held = io.BytesIO(image_tar())
    with tarfile.open(fileobj=held, mode="a") as tar:
        tar.addfile(tarfile.TarInfo("etc/pulled"))
    return held.getvalue()


@cache
def layer() -> bytes:
    """The image's files, compressed: its only layer."""
    return gzip.compress(_files(), mtime=0)


@cache
def config() -> bytes:
    """What the image runs, and which layers it has."""
    machine = platform.machine()
    return json.dumps(
        {
            "architecture": _ARCHITECTURES.get(machine, machine),
            "os": "linux",
            "created": "2024-01-01T00:00:00Z",
            "config": {"Cmd": ["sh", "-c", COMMAND], "Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(_files())]},
            "history": [{"created": "2024-01-01T00:00:00Z", "created_by": "test"}],
        }
    ).encode()


@cache
def manifest() -> bytes:
    """What the image consists of."""

    def entry(kind: str, data: bytes) -> dict[str, Any]:
        return {"mediaType": kind, "size": len(data), "digest": digest_of(data)}

    parts = {"config": entry(_CONFIG, config()), "layers": [entry(_LAYER, layer())]}
    return json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, **parts}).encode()


class Registry:
    """It has the image ``qrealm-pulled:1``.

    Attributes:
        pause_s: before each piece of the layer, of 32 KiB; may be set while it is being sent, and counts from
            the next piece on.
        breaks_after: hang up after this share of the layer, between 0 and 1; None: send all.
        rests: how many pauses have begun.
        layers_sent: how often the layer was sent to its end.
        layers_cut: how often its receiver hung up before.
    """

    def __init__(self) -> None:
        self.pause_s = 0.0
        self.breaks_after: float | None = None
        self.rests = 0
        self.layers_sent = 0
        self.layers_cut = 0
        self._asked: list[tuple[str, str]] = []
        self._calmed = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="registry")

    @property
    def host(self) -> str:
        """Its name in the names of images."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def image(self) -> str:
        """The image's name, with its tag."""
        return f"{self.host}/qrealm-pulled:1"

    @property
    def image_by_digest(self) -> str:
        """The image's name, with what it consists of."""
        return f"{self.host}/qrealm-pulled@{digest_of(manifest())}"

    def asked(self, kind: str) -> int:
        """How often an engine asked for ``"manifests"`` or for the content of ``"blobs"``."""
        methods = ("HEAD", "GET") if kind == "manifests" else ("GET",)
        return sum(f"/{kind}/" in path and method in methods for method, path in self._asked)

    def calm(self) -> None:
        """Forget what was asked, be quick and break nothing. What is being sent breaks off, and counts no
        more."""
        self._calmed.set()
        self._calmed = threading.Event()
        self.pause_s, self.breaks_after = 0.0, None
        self.rests = self.layers_sent = self.layers_cut = 0
        self._asked.clear()

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Answer nobody any more."""
        self._calmed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, asking: BaseHTTPRequestHandler) -> None:
        """One answer to GET or HEAD."""
        self._asked.append((asking.command, asking.path))
        parts = asking.path.strip("/").split("/")
        if parts == ["v2"]:
            _send(asking, "application/json", b"{}")
        elif parts[:2] != ["v2", "qrealm-pulled"] or len(parts) != 4:
            _refuse(asking, "NAME_UNKNOWN", "repository name not known to registry")
        elif parts[2] == "manifests" and parts[3] in ("1", digest_of(manifest())):
            _send(asking, MANIFEST, manifest())
        elif parts[2] == "manifests":
            _refuse(asking, "MANIFEST_UNKNOWN", "manifest unknown")
        elif parts[3] == digest_of(config()):
            _send(asking, _BLOB, config())
        elif parts[3] == digest_of(layer()):
            self._send_layer(asking)
        else:
            _refuse(asking, "BLOB_UNKNOWN", "blob unknown to registry")

    def _send_layer(self, asking: BaseHTTPRequestHandler) -> None:
        data, calmed = layer(), self._calmed
        end = len(data) if self.breaks_after is None else int(len(data) * self.breaks_after)
        # An engine whose connection broke asks for the rest: "bytes=500-".
        begin = int((asking.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")[0])
        _send_head(asking, _BLOB, data, begin)
        if asking.command == "HEAD":
            return
        asking.close_connection = end < len(data)
        try:
            for at in range(begin, end, _CHUNK_BYTES):
                pause_s = self.pause_s
                self.rests += 1
                if calmed.wait(pause_s):
                    asking.close_connection = True
                    return
                asking.wfile.write(data[at : min(at + _CHUNK_BYTES, end)])
        except ConnectionError:
            self.layers_cut += not calmed.is_set()
            asking.close_connection = True
        else:
            self.layers_sent += end == len(data)


def _handler(registry: Registry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            registry.answer(self)

        def do_HEAD(self) -> None:
            registry.answer(self)

        def log_message(self, *_: Any) -> None:
            """Tests read what was asked from the registry."""

    return Handler


def _send_head(asking: BaseHTTPRequestHandler, kind: str, data: bytes, begin: int = 0) -> None:
    asking.send_response(HTTPStatus.PARTIAL_CONTENT if begin else HTTPStatus.OK)
    asking.send_header("Docker-Distribution-Api-Version", "registry/2.0")
    asking.send_header("Docker-Content-Digest", digest_of(data))
    asking.send_header("Content-Type", kind)
    asking.send_header("Content-Length", str(len(data) - begin))
    asking.send_header("Accept-Ranges", "bytes")
    if begin:
        asking.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
    asking.end_headers()


def _send(asking: BaseHTTPRequestHandler, kind: str, data: bytes) -> None:
    _send_head(asking, kind, data)
    if asking.command == "GET":
        asking.wfile.write(data)


def _refuse(asking: BaseHTTPRequestHandler, code: str, message: str) -> None:
    told = json.dumps({"errors": [{"code": code, "message": message, "detail": {}}]}).encode()
    asking.send_response(HTTPStatus.NOT_FOUND)
    asking.send_header("Content-Type", "application/json")
    asking.send_header("Content-Length", str(len(told)))
    asking.end_headers()
    if asking.command == "GET":
        asking.wfile.write(told)


@contextmanager
def image_registry() -> Iterator[Registry]:
    """A registry that answers, gone afterwards."""
    registry = Registry()
    registry.start()
    try:
        yield registry
    finally:
        registry.close()
