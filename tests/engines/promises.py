"""What every driver for containers promises, with an engine or none; the contract tests run it."""

from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from engines.image import IMAGE
from qrealm.base.errors import EngineRefusalError, ImageError, NameTakenError, NoSuchContainerError
from qrealm.fleet.containers import DRIVERS, connect
from qrealm.fleet.containers.protocol import (
    ContainerSpec,
    ContainerState,
    ExecSpec,
    LogRequest,
)

NAMES = (f"web-{number}" for number in itertools.count())
MIB = 1 << 20
SECONDS = 60.0
"""For what must come about, however slow the machine is."""


def wait_for(condition, seconds=SECONDS):
    """The first true answer of `condition`."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)
    return answer


def text_of(outputs, stream=None):
    return b"".join(piece.data for piece in outputs if stream in (None, piece.stream)).decode()


class Contract:
    """The suite. A subclass gives `engine`, which starts one, and says how it differs."""

    network = "none"
    missing_image = "qrealm-nothing:1"

    @pytest.fixture
    def make(self, driver):
        """Create containers that are gone when the test is."""
        made = []

        def create(command=None, **fields):
            fields = {"network": self.network, "labels": {"suite": "contract"}} | fields
            spec = ContainerSpec(fields.pop("name", next(NAMES)), IMAGE, command, **fields)
            made.append(driver.create(spec))
            return made[-1]

        yield create
        for engine_id in made:
            driver.remove(engine_id, force=True)

    def test_facts(self, driver, endpoint):
        facts = driver.facts()
        assert facts.cpus > 0
        assert facts.memory_bytes > 64 * MIB
        assert facts.architecture
        assert facts.host
        assert facts.simulated is DRIVERS[endpoint.driver].simulated
        assert facts.engine.lower().startswith(endpoint.driver) or endpoint.driver == "swarm"

    def test_images(self, driver):
        assert driver.has_image(IMAGE)
        assert not driver.has_image(self.missing_image)

    def test_created_is_not_started(self, driver, make):
        name = next(NAMES)
        labels = {"io.qrealm.engine": "e1", "with": "a=b c"}
        engine_id = make(name=name, labels=labels)
        facts = driver.inspect(engine_id)
        assert facts.engine_id == engine_id
        assert (facts.name, facts.state) == (name, ContainerState.CREATED)
        assert facts.image.removeprefix("localhost/") == IMAGE
        assert labels.items() <= facts.labels.items()
        assert (facts.exit_code, facts.started_at, facts.finished_at, facts.health) == (None,) * 4

    def test_a_name_is_taken_once(self, make):
        name = next(NAMES)
        make(name=name)
        with pytest.raises(NameTakenError, match=name):
            make(name=name)

    def test_one_of_many_at_once_gets_the_name(self, driver, make):
        name = next(NAMES)

        def attempt(_):
            try:
                return make(name=name)
            except NameTakenError:
                return None

        with ThreadPoolExecutor(6) as pool:
            won = [engine_id for engine_id in pool.map(attempt, range(6)) if engine_id]
        assert len(won) == 1
        assert driver.inspect(won[0]).name == name

    def test_image_missing(self, driver):
        with pytest.raises(ImageError, match=self.missing_image):
            driver.create(ContainerSpec(next(NAMES), self.missing_image))

    def test_start_and_stop_are_safe_to_repeat(self, driver, make):
        engine_id = make()
        before = time.time() - 1.0
        driver.start(engine_id)
        driver.start(engine_id)
        facts = driver.inspect(engine_id)
        assert facts.state is ContainerState.RUNNING
        assert before < facts.started_at < time.time() + 1.0
        assert facts.exit_code is None
        assert facts.finished_at is None
        driver.stop(engine_id, 5.0)
        driver.stop(engine_id, 5.0)
        assert driver.inspect(engine_id).state is ContainerState.EXITED
        driver.start(engine_id)
        assert driver.inspect(engine_id).state is ContainerState.RUNNING

    def test_stop_of_what_never_ran(self, driver, make):
        engine_id = make()
        driver.stop(engine_id)
        assert driver.inspect(engine_id).state is ContainerState.CREATED

    def test_a_running_one_is_removed_by_force_only(self, driver, make):
        engine_id = make()
        driver.start(engine_id)
        with pytest.raises(EngineRefusalError):
            driver.remove(engine_id)
        assert driver.inspect(engine_id).state is ContainerState.RUNNING
        driver.remove(engine_id, force=True)
        driver.remove(engine_id, force=True)
        driver.remove(engine_id)

    def test_what_is_gone_is_gone(self, driver, make):
        engine_id = make()
        driver.remove(engine_id)
        for call in (
            driver.inspect,
            driver.start,
            driver.stop,
            lambda one: list(driver.logs(one, LogRequest())),
            lambda one: driver.execute(one, ExecSpec(("true",))),
        ):
            with pytest.raises(NoSuchContainerError):
                call(engine_id)

    def test_found_by_labels(self, driver, make):
        one = make(labels={"engine": "e7", "number": "1"})
        two = make(labels={"engine": "e7", "number": "2"})
        make(labels={"engine": "e8"})
        driver.start(two)
        found = {facts.engine_id: facts for facts in driver.find({"engine": "e7"})}
        assert set(found) == {one, two}
        assert found[two].state is ContainerState.RUNNING
        assert [facts.engine_id for facts in driver.find({"engine": "e7", "number": "1"})] == [one]
        assert list(driver.find({"engine": "none of this name"})) == []

    def test_a_glance_tells_what_the_watch_needs(self, driver, make):
        driver.ping()
        labels = {"engine": "e10"}
        ids = [make(labels=labels) for _ in range(3)]
        for engine_id in ids[1:]:
            driver.start(engine_id)
        driver.stop(ids[2], 2.0)

        def told(facts):
            assert labels.items() <= facts.labels.items()
            return (facts.name, facts.image, facts.state, facts.exit_code, facts.health)

        def both():
            glanced = {facts.engine_id: told(facts) for facts in driver.glance(labels)}
            return glanced, {engine_id: told(driver.inspect(engine_id)) for engine_id in ids}

        # A swarm forgets an exit code when it clears away what has ended, which may be between the two.
        wait_for(lambda: (pair := both())[0] == pair[1])

    def test_another_driver_finds_them_again(self, driver, endpoint, make):
        engine_id = make(labels={"engine": "e9"})
        other = connect(endpoint)
        assert [facts.engine_id for facts in other.find({"engine": "e9"})] == [engine_id]
        other.close()
