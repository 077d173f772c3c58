"""A small image, made of one static busybox: for engines that reach no registry."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

IMAGE = "qrealm-test:1"
# Ends at once when asked to: a shell as process 1 would ignore SIGTERM without the trap.
COMMAND = "trap 'exit 0' TERM; echo ready; sleep 3600 & wait"
CHANGES = [f'CMD ["sh", "-c", "{COMMAND}"]', "ENV PATH=/bin"]
KEEPING = "qrealm-keeping:1"
KEPT = "/kept"
KEEPING_CHANGES = [*CHANGES, f"VOLUME {KEPT}"]
"""Of an image that is the same, and declares a volume."""

_APPLETS = "sh echo cat sleep true false ls id env wc kill date head touch test mkdir rm dd seq httpd wget nc"


def busybox() -> Path | None:
    """The busybox of this machine, if it needs no shared library."""
    found = shutil.which("busybox")
    if found is None:
        return None
    # ldd fails on what is static, and where there is none nothing can be told.
    told = subprocess.run(["ldd", found], capture_output=True, check=False)
    return Path(found) if told.returncode != 0 else None


@cache
def image_tar() -> bytes:
    """The image's file system as a tar archive; /bin/locked is a file that nobody may execute."""
    source = busybox()
    assert source is not None
    program = source.read_bytes()
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as tar:
        for name in ("bin", "tmp", "etc", "var"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(folder)
        for name, data, mode in (
            ("bin/busybox", program, 0o755),
            ("bin/locked", b"#!/bin/sh\n", 0o644),
            ("etc/passwd", b"root:x:0:0::/:/bin/sh\n", 0o644),
        ):
            file = tarfile.TarInfo(name)
            file.size, file.mode = len(data), mode
            tar.addfile(file, io.BytesIO(data))
        for applet in _APPLETS.split():
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname, link.mode = tarfile.SYMTYPE, "busybox", 0o777
            tar.addfile(link)
    return held.getvalue()


def load_image(url: str, image: str = IMAGE, changes: Sequence[str] = CHANGES) -> None:
    """Give the image to the engine at `url`, through Docker's interface."""
    import docker

    name, _, tag = image.partition(":")
    client = docker.APIClient(base_url=url, version="auto", timeout=60)
    try:
        client.import_image_from_data(image_tar(), repository=name, tag=tag, changes=list(changes))
    finally:
        client.close()
