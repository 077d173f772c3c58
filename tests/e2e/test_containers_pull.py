"""Images fetched by real engines from a real registry on this machine: progress, what is fetched when, and
what is left of a pull that fails, breaks off or is given up."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engines.docker_engine import DockerEngine, docker_engine
from engines.eyes import clean, docker, states, why_no_eyes
from engines.image import IMAGE
from engines.nodes import WAIT_S, engine_of, request, wait_until
from engines.podman_engine import PodmanEngine, why_no_podman
from engines.qdocker_daemon import QDOCKER, daemon_on, qdocker
from engines.registry import Registry, image_registry, layer
from qrealm.base.errors import EngineUnavailableError, ImageError, RequestError
from qrealm.control.containers.engine import ContainerEngine
from qrealm.control.containers.reports import CreateRequest
from qrealm.fleet.containers.docker import DockerDriver
from qrealm.fleet.containers.podman import PodmanDriver
from qrealm.fleet.containers.protocol import Endpoint, PullProgress

pytestmark = pytest.mark.skipif(why_no_eyes() is not None, reason=str(why_no_eyes()))

SLOW_S = 1.0
"""Before each of some thirty pieces of the layer."""
HANG_S = 80.0
"""Before the first piece of the layer: whoever waits for it is seen to."""
BYTES = len(layer())


@pytest.fixture(scope="module")
def started() -> Iterator[str]:
    # A layer that breaks off is asked for once more, after five seconds; by default five times.
    with docker_engine(options=("--max-download-attempts", "1")) as engine:
        yield engine.url


@pytest.fixture(scope="module")
def serving() -> Iterator[Registry]:
    with image_registry() as registry:
        yield registry


@pytest.fixture
def registry(serving: Registry) -> Registry:
    serving.calm()
    return serving


@pytest.fixture
def url(started: str) -> Iterator[str]:
    """An engine that has nothing of the registry."""
    try:
        yield started
    finally:
        clean([started])
        forget(started)


@pytest.fixture
def driver(url: str) -> Iterator[DockerDriver]:
    made = DockerDriver(Endpoint("docker", url), timeout_s=5.0)
    yield made
    made.close()


@pytest.fixture
def engine(url: str, tmp_path: Path) -> Iterator[ContainerEngine]:
    with engine_of({"one": url}, tmp_path / "home") as opened:
        yield opened


def images(url: str) -> set[str]:
    """What an engine has besides the test's own image."""
    return set(docker(url, "image", "ls", "-aq", "--no-trunc").split()) - {
        json.loads(docker(url, "image", "inspect", IMAGE))[0]["Id"]
    }


def forget(url: str) -> None:
    """Remove everything that was fetched."""
    if found := images(url):
        docker(url, "rmi", "-f", *found)


def asking(registry: Registry, pull: str = "missing", *, image: str = "") -> CreateRequest:
    return replace(request("web", image=image or registry.image), pull=pull)


def nothing_of_web(engine: ContainerEngine, url: str) -> None:
    """Neither a record, nor a register, nor a container, nor an image."""
    assert engine.views.containers() == ()
    assert engine.circuits.registers() == ()
    assert states(url) == {}
    assert images(url) == set()


def test_a_pull_tells_of_its_layers_bytes(driver, registry):
    registry.pause_s = 0.1  # an engine tells the newest ten times a second, and may stand still for a moment
    steps: list[PullProgress] = []
    driver.pull(registry.image, steps.append)
    assert driver.has_image(registry.image)
    assert (registry.asked("blobs"), registry.layers_sent) == (2, 1), "the configuration and one layer"
    words = [step.status for step in steps if step.layer and step.bytes_total is None]
    assert words[0] == "Pulling from qrealm-pulled"
    assert words[-1] == "Pull complete"
    for kind in ("Downloading", "Extracting"):
        moving = [step for step in steps if step.status == kind]
        assert {step.bytes_total for step in moving} == {BYTES}
        done = [step.bytes_done or 0 for step in moving]
        assert done == sorted(done)
        assert 0 < done[0] <= done[-1] <= BYTES
        assert len({step.layer for step in moving}) == 1
    assert len({step.bytes_done for step in steps if step.status == "Downloading"}) > 3, "as it comes"
    assert steps[-1].layer == ""
    assert "Downloaded newer image" in steps[-1].status


def test_a_registry_may_rest_longer_than_an_engine_may_take_to_answer(url, registry):
    driver = DockerDriver(Endpoint("docker", url), timeout_s=2.0)

    def rest_once():
        wait_until(lambda: registry.rests > 0)
        registry.pause_s = 0.0

    try:
        registry.pause_s = 4.0
        resting = threading.Thread(target=rest_once)
        resting.start()
        driver.pull(registry.image)
        resting.join()
        assert driver.has_image(registry.image)
    finally:
        driver.close()


def test_an_image_named_by_its_digest(engine, url, registry):
    engine.lifecycle.create(asking(registry, image=registry.image_by_digest))
    assert registry.layers_sent == 1
    assert engine.lifecycle.run("web").started
    wait_until(lambda: docker(url, "logs", "web") == "ready\n")  # what was fetched runs


def test_missing_fetches_once_and_always_asks_again(engine, url, registry):
    assert engine.lifecycle.create(asking(registry)).pulled
    assert (registry.asked("manifests") > 0, registry.layers_sent) == (True, 1)
    assert engine.lifecycle.run("web").started
    engine.lifecycle.remove("web", force=True)

    registry.calm()
    assert not engine.lifecycle.create(asking(registry)).pulled
    assert (registry.asked("manifests"), registry.asked("blobs")) == (0, 0)
    engine.lifecycle.remove("web", force=True)

    assert engine.lifecycle.create(asking(registry, "always")).pulled
    assert registry.asked("manifests") > 0
    assert registry.layers_sent == 0, "the engine had its layer"
    engine.lifecycle.remove("web", force=True)

    registry.calm()
    assert not engine.lifecycle.create(asking(registry, "never")).pulled
    assert registry.asked("manifests") == 0


def test_never_asks_no_registry(engine, url, registry):
    with pytest.raises(ImageError, match="--pull never"):
        engine.lifecycle.create(asking(registry, "never"))
    assert (registry.asked("manifests"), registry.asked("blobs")) == (0, 0)
    nothing_of_web(engine, url)


@pytest.mark.parametrize(
    ("image", "told"),
    [
        ("{host}/qrealm-pulled:nosuch", "manifest unknown"),
        ("{host}/nosuch:1", "not found"),
        ("127.0.0.1:9/qrealm-pulled:1", "refused"),
    ],
)
def test_what_no_registry_has(engine, url, registry, image, told):
    with pytest.raises(ImageError, match=told) as caught:
        engine.lifecycle.create(asking(registry, image=image.format(host=registry.host)))
    assert image.format(host=registry.host) in caught.value.message
    nothing_of_web(engine, url)


@pytest.mark.parametrize("image", ["http://{host}/qrealm-pulled:1", "-a.example/qrealm-pulled:1", "../../x"])
def test_what_can_be_no_name_is_asked_of_nobody(engine, url, registry, image):
    with pytest.raises(RequestError, match="no name of an image") as caught:
        engine.lifecycle.create(asking(registry, image=image.format(host=registry.host)))
    assert image.format(host=registry.host) in caught.value.message
    assert registry.asked("manifests") == 0
    nothing_of_web(engine, url)


def test_a_registry_that_breaks_off(engine, url, registry):
    registry.breaks_after = 0.5
    steps: list[PullProgress] = []
    with pytest.raises(ImageError, match="EOF"):
        engine.lifecycle.create(asking(registry), steps.append)
    assert any(step.status.startswith("Retrying") for step in steps)
    assert registry.layers_sent == 0
    nothing_of_web(engine, url)
    registry.calm()
    assert engine.lifecycle.create(asking(registry)).pulled, "it can be tried again"


def test_who_gives_up_a_pull_ends_it(driver, url, registry):
    registry.pause_s = SLOW_S

    def give_up(step: PullProgress) -> None:
        if step.status == "Downloading":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        driver.pull(registry.image, give_up)
    wait_until(lambda: registry.layers_cut + registry.layers_sent > 0)
    assert (registry.layers_cut, registry.layers_sent) == (1, 0), "it was not fetched to its end"
    assert images(url) == set()
    registry.calm()
    driver.pull(registry.image)
    assert registry.layers_sent == 1, "the driver and its engine go on"


def test_a_pull_from_a_registry_that_hangs_can_be_given_up(driver, url, registry):
    registry.pause_s = HANG_S
    steps: list[PullProgress] = []

    def give_up(step: PullProgress) -> None:
        steps.append(step)
        if len(steps) > 2 and steps[-1] == steps[-2]:
            raise KeyboardInterrupt

    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        driver.pull(registry.image, give_up)
    assert time.monotonic() - begun < HANG_S / 2
    assert steps[-1].status == "Pulling fs layer", "the last step is told again"
    assert images(url) == set()
    # What was being sent goes on to hang: only who asks anew is answered.
    registry.pause_s = 0.0
    begun = time.monotonic()
    driver.pull(registry.image)
    assert time.monotonic() - begun < HANG_S / 2, "the engine does not wait for the pull that was given up"


def test_an_engine_that_dies_while_it_fetches(registry):
    registry.pause_s = SLOW_S
    mortal = DockerEngine()
    try:
        mortal.start()
        driver = DockerDriver(Endpoint("docker", mortal.url), timeout_s=5.0)

        def kill(step: PullProgress) -> None:
            if step.status == "Downloading":
                mortal.kill()

        with pytest.raises(EngineUnavailableError, match="does not answer"):
            driver.pull(registry.image, kill)
        driver.close()
    finally:
        mortal.close()


@pytest.fixture(scope="module")
def daemon(started: str) -> Iterator[dict[str, str]]:
    """For commands: the environment of a daemon that has one node."""
    with daemon_on(started) as variables:
        yield variables


@pytest.fixture
def environment(daemon: dict[str, str]) -> Iterator[dict[str, str]]:
    """The same, without containers afterwards."""
    yield daemon
    if names := qdocker(daemon, "ps", "-aq").stdout.split():
        qdocker(daemon, "rm", "-f", *names)


def test_progress_is_written_beside_the_id(url, environment, registry):
    registry.pause_s = 0.1
    done = qdocker(environment, "create", "--network", "none", registry.image, "web")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{json.loads(qdocker(environment, 'inspect', 'web').stdout)[0]['Id']}\n"
    lines = done.stderr.splitlines()
    assert lines[0] == "1: Pulling from qrealm-pulled"
    whole = [line for line in lines if line.endswith(": Downloading")]
    assert len(whole) == 1, "bytes alone make no line"
    assert whole[0].replace("Downloading", "Pull complete") in lines
    assert "Downloaded newer image" in lines[-1]
    again = qdocker(environment, "create", "--quiet", "--pull", "always", registry.image, "db")
    assert (again.returncode, again.stderr) == (0, "")


def test_who_waits_for_a_pull_is_told(url, environment, registry):
    registry.pause_s = HANG_S
    words = [*QDOCKER, "create", "--network", "none", registry.image, "web"]
    with subprocess.Popen(words, env=environment, stdout=-1, stderr=-1, text=True) as making:
        assert making.stderr is not None
        while not making.stderr.readline().endswith(": Pulling fs layer\n"):
            assert making.poll() is None
        with subprocess.Popen(
            [*QDOCKER, "rm", "-f", "web"], env=environment, stdout=-1, stderr=-1, text=True
        ) as removing:
            assert removing.stderr is not None
            told = removing.stderr.readline()
            assert re.fullmatch(
                rf"web: waiting for create with image {registry.image}, which began \d+ s ago\n", told
            )
            making.send_signal(signal.SIGINT)
            assert removing.wait(timeout=WAIT_S) in (0, 1)
        assert making.wait(timeout=WAIT_S) == 130
    assert qdocker(environment, "ps", "-aq").stdout == ""


@pytest.mark.parametrize(("pause_s", "until"), [(SLOW_S, "Downloading"), (HANG_S, "Pulling fs layer")])
def test_ctrl_c_gives_up_a_pull_and_leaves_nothing(url, environment, registry, pause_s, until):
    registry.pause_s = pause_s
    words = [*QDOCKER, "create", "--network", "none", registry.image, "web"]
    with subprocess.Popen(words, env=environment, stdout=-1, stderr=-1, text=True) as running:
        assert running.stderr is not None
        assert running.stdout is not None
        while not running.stderr.readline().endswith(f": {until}\n"):
            assert running.poll() is None
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=WAIT_S) == 130
        assert running.stdout.read() == ""
    wait_until(lambda: qdocker(environment, "ps", "-aq").stdout == "")
    assert states(url) == {}
    assert images(url) == set()
    if until == "Downloading":
        wait_until(lambda: registry.layers_cut + registry.layers_sent > 0)
    assert registry.layers_sent == 0, "it was not fetched to its end"
    done = qdocker(environment, "create", "--network", "none", IMAGE, "web")
    assert done.returncode == 0, "the name is free again"
    assert list(states(url)) == ["web"]


@pytest.mark.skipif(why_no_podman() is not None, reason=f"docker: {why_no_podman()}")
def test_podman(registry, tmp_path):
    podman = PodmanEngine()
    conf = podman.folder / "registries.conf"
    conf.write_text(f'[[registry]]\nlocation = "{registry.host}"\ninsecure = true\n')
    podman.environment["CONTAINERS_REGISTRIES_CONF"] = str(conf)
    try:
        podman.start()
        driver = PodmanDriver(Endpoint("podman", podman.url), timeout_s=5.0)
        with pytest.raises(ImageError, match="manifest unknown"):
            driver.pull(f"{registry.host}/qrealm-pulled:nosuch")
        registry.pause_s = 0.02
        steps: list[PullProgress] = []
        driver.pull(registry.image, steps.append)
        layers = {step.layer for step in steps if step.status == "Download complete"}
        assert len(layers) == 2, "the layer and the configuration"
        assert driver.has_image(registry.image)
        assert registry.layers_sent == 1
        driver.close()
    finally:
        podman.close()
