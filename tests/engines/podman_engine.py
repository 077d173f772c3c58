"""A Podman service of a test's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from engines.image import CHANGES, IMAGE, KEEPING, KEEPING_CHANGES, busybox, image_tar
from engines.leftovers import clear

_START_SECONDS = 60.0
_MAX = 4096  # processes, and open files


def why_no_podman() -> str | None:
    """Why no Podman can be started here; None when one can."""
    if os.geteuid() != 0:
        return "podman: a test's own engine needs root"
    if shutil.which("podman") is None:
        return "podman: not found (Debian: apt-get install podman)"
    if busybox() is None:
        return "podman: no static busybox for the test's image (Debian: apt-get install busybox-static)"
    try:
        import docker  # noqa: F401
    except ImportError:
        return "podman: the Docker SDK for Python is not installed"
    return None


class PodmanEngine:
    """``podman system service`` with its own storage and the image `qrealm-test:1`.

    Attributes:
        url: of its socket.
        environment: with which the command `podman` speaks to the same storage.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="qrealm-podman-", dir="/tmp"))
        self.url = f"unix://{self.folder}/podman.sock"
        conf, storage = self.folder / "containers.conf", self.folder / "storage.conf"
        # Without systemd; and Podman's own limits would be above those of a process that may not raise them.
        conf.write_text(
            "[containers]\n"
            f'default_ulimits = ["nofile={_MAX}:{_MAX}", "nproc={_MAX}:{_MAX}"]\n'
            '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        )
        storage.write_text(
            '[storage]\ndriver = "overlay"\n'
            f'graphroot = "{self.folder}/data"\nrunroot = "{self.folder}/run"\n'
        )
        self.environment = os.environ | {
            "CONTAINERS_CONF": str(conf),
            "CONTAINERS_STORAGE_CONF": str(storage),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["podman", "system", "service", "--time=0", self.url],
                env=self.environment,
                cwd=self.folder,  # where conmon notes that a container ran out of memory
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not (self.folder / "podman.sock").exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"podman does not answer: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)

    def load_image(self, image: str, changes: Sequence[str]) -> None:
        """Give it an image of the tests."""
        options = [word for change in changes for word in ("--change", change)]
        subprocess.run(
            ["podman", "import", *options, "-", image],
            env=self.environment,
            input=image_tar(),
            check=True,
            capture_output=True,
        )

    def close(self) -> None:
        """Remove its containers, end it, and remove its folder."""
        subprocess.run(
            ["podman", "rm", "--all", "--force", "--time=0"],
            env=self.environment,
            check=False,
            capture_output=True,
        )
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        clear(self.folder)


@contextmanager
def podman_engine() -> Iterator[PodmanEngine]:
    """One engine with the test's image, gone afterwards."""
    engine = PodmanEngine()
    try:
        engine.start()
        engine.load_image(IMAGE, CHANGES)
        engine.load_image(KEEPING, KEEPING_CHANGES)
        yield engine
    finally:
        engine.close()
