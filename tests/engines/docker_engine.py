"""Docker engines of a test's own, several at once: each with its own folders, socket and, where wanted,
bridge."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from engines.image import busybox, load_image
from engines.leftovers import clear
from engines.nodes import wait_until

_START_SECONDS = 60.0
_STOP_SECONDS = 15.0
_NUMBERS_MAX = 200
_GIVEN: set[str] = set()


def why_no_docker() -> str | None:
    """Why no engine can be started here; None when one can. For `pytest.mark.skipif`."""
    if os.geteuid() != 0:
        return "docker: a test's own engine needs root"
    if missing := [name for name in ("dockerd", "containerd", "runc", "ip") if shutil.which(name) is None]:
        return f"docker: {', '.join(missing)} not found (Debian: apt-get install docker.io iproute2)"
    if busybox() is None:
        return "docker: no static busybox for the test's image (Debian: apt-get install busybox-static)"
    try:
        import docker  # noqa: F401
    except ImportError:
        return "docker: the Docker SDK for Python is not installed"
    return None


class DockerEngine:
    """One dockerd with the image `qrealm-test:1`.

    Args:
        bridge: give it a network bridge of its own, for containers with ports; else only ``network="none"``.
        options: more of dockerd's options, such as ``("-H", "tcp://127.0.0.1:23760")``.
        within: a command that becomes dockerd, such as ``("nsenter", "--net=/var/run/netns/a")``.

    Attributes:
        url: of its socket.
        folder: with its data, socket and log.
    """

    def __init__(
        self, *, bridge: bool = False, options: Sequence[str] = (), within: Sequence[str] = ()
    ) -> None:
        # Not pytest's folder: the path of a socket may have no more than 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="qrealm-dockerd-", dir="/tmp"))
        self.url = f"unix://{self.folder}/docker.sock"
        self._bridge = f"qr{free_number('qr{}')}" if bridge else None
        self._options = list(options)
        self._within = list(within)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, or start it again after `kill` or `stop`, and wait until it answers."""
        if self._bridge is not None and not Path("/sys/class/net", self._bridge).exists():
            self._add_bridge(self._bridge)
        at = self.folder
        command = [*self._within, "dockerd", "--data-root", f"{at}/data", "--exec-root", f"{at}/exec"]
        command += ["-p", f"{at}/pid", "-H", self.url, f"--bridge={self._bridge or 'none'}"]
        command += ["--iptables=false", "--ip-masq=false"]
        # What a killed one left behind would keep the next from starting: it takes a dead containerd that
        # nobody has waited for as one that lives.
        for name in ("pid", "exec/containerd/containerd.pid"):
            (at / name).unlink(missing_ok=True)
        with (at / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *self._options], stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0
            )
        self._wait_until_it_answers()

    def stop(self) -> None:
        """End it as a service manager would: its containers are stopped."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """End it with SIGKILL. Its containers' processes go on, as with a real engine that dies."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """End it and everything that it began, and remove its folder."""
        bridges = [] if self._bridge is None else [self._bridge]
        if self._process is not None and self._process.poll() is None:
            bridges += self._bridges()
            self.kill()
        clear(self.folder)
        for bridge in bridges:
            subprocess.run(["ip", "link", "del", bridge], check=False, capture_output=True)

    def _bridges(self) -> list[str]:
        """Of the networks that it still has: a machine has room for few, and they would stay."""
        words = ["docker", "-H", self.url, "network", "ls", "-q", "-f", "driver=bridge", "-f", "type=custom"]
        with suppress(subprocess.SubprocessError):
            told = subprocess.check_output(words, timeout=_STOP_SECONDS, text=True)
            return [f"br-{name}" for name in told.split()]
        return []

    def _wait_until_it_answers(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _START_SECONDS
        while not _pings(f"{self.folder}/docker.sock"):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"dockerd does not answer: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)

    def _add_bridge(self, name: str) -> None:
        net = f"10.213.{int(name[2:]) % 256}.1/24"
        for words in (
            ["link", "add", "name", name, "type", "bridge"],
            ["addr", "add", net, "dev", name],
            ["link", "set", name, "up"],
        ):
            subprocess.run(["ip", *words], check=True, capture_output=True)


def free_number(name: str) -> int:
    """One for which this machine has no bridge of that name, such as ``"qr{}"``: a run that was killed leaves
    its own, and others may run now."""
    for number in random.SystemRandom().sample(range(_NUMBERS_MAX), _NUMBERS_MAX):
        bridge = name.format(number)
        if bridge not in _GIVEN and not Path("/sys/class/net", bridge).exists():
            _GIVEN.add(bridge)
            return number
    raise RuntimeError(f"{_NUMBERS_MAX} bridges {name} are left: ip link del them")


def _pings(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(_START_SECONDS)
        try:
            sock.connect(path)
            sock.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in sock.recv(64)
        except OSError:
            return False


@contextmanager
def standing_still(engine: DockerEngine) -> Iterator[None]:
    """The engine takes connections meanwhile and answers nothing."""
    pid = int((engine.folder / "pid").read_text())
    os.kill(pid, signal.SIGSTOP)
    try:
        # Its threads stop one after the other, and the last may still answer.
        wait_until(lambda: all(_stopped(task) for task in Path(f"/proc/{pid}/task").iterdir()))
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _stopped(task: Path) -> bool:
    try:
        return (task / "stat").read_text().rpartition(")")[2].split()[0] in "Tt"
    except OSError:  # it has ended
        return True


@contextmanager
def docker_engine(*, bridge: bool = False, options: Sequence[str] = ()) -> Iterator[DockerEngine]:
    """One engine with the test's image, gone afterwards."""
    engine = DockerEngine(bridge=bridge, options=options)
    try:
        engine.start()
        load_image(engine.url)
        yield engine
    finally:
        engine.close()


@contextmanager
def docker_engines(count: int, *, bridge: bool = False) -> Iterator[list[DockerEngine]]:
    """Several engines at once: the nodes of a small cluster."""
    with ExitStack() as held:
        engines = [DockerEngine(bridge=bridge) for _ in range(count)]
        for engine in engines:
            held.callback(engine.close)
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(_start_with_image, engines))
        yield engines


def _start_with_image(engine: DockerEngine) -> None:
    engine.start()
    load_image(engine.url)
