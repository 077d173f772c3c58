"""What every driver for real containers promises of their end."""

from __future__ import annotations

import shutil

import pytest

from engines.network_promises import raw
from engines.promises import wait_for
from qrealm.fleet.containers.protocol import ContainerState, Mount


class StopPromises:
    """Joins the contract of a driver, whose fixtures and words it uses.

    Attributes:
        why_no_init: why containers cannot have an init, where they cannot.
    """

    why_no_init = None if shutil.which("docker-init") else "docker: docker-init is not found (Debian: tini)"

    def test_a_process_that_does_not_listen_is_killed(self, driver, make, tmp_path):
        # It notes when it is told and how long it lives: speaking to the engine is no part of its grace.
        command = "trap 'touch /host/told' TERM; while true; do touch /host/lives; sleep 0.1; done"
        engine_id = make(("sh", "-c", command), mounts=(Mount(str(tmp_path), "/host"),), stop_grace_s=120.0)
        driver.start(engine_id)
        wait_for((tmp_path / "lives").exists)
        driver.stop(engine_id, 4.0)
        grace = (tmp_path / "lives").stat().st_mtime - (tmp_path / "told").stat().st_mtime
        assert 0.3 < grace < 100.0, "what the call says counts, not what it was made with"
        assert driver.inspect(engine_id).state is ContainerState.EXITED
        assert driver.inspect(engine_id).exit_code in ((137,) if self.keeps_output else (137, None))

    def test_the_engine_keeps_the_grace(self, driver, endpoint, make):
        # For the day when the engine itself stops it.
        engine_id = make(stop_grace_s=41.5)
        driver.start(engine_id)
        with raw(endpoint.url) as client:
            told = self.container_of(driver, client, engine_id)["Config"]
        assert told["StopTimeout"] == 42, "whole seconds, and never less than was asked for"

    def test_an_init_passes_signals_on(self, driver, make):
        if self.why_no_init is not None:
            pytest.skip(self.why_no_init)
        # Alone as process 1, sleep would not hear SIGTERM.
        engine_id = make(("sleep", "3600"), init=True)
        driver.start(engine_id)
        assert self.run(driver, engine_id, "cat", "/proc/1/comm")[0] != "sleep\n"
        driver.stop(engine_id, 60.0)
        assert driver.inspect(engine_id).exit_code in ((143,) if self.keeps_output else (143, None))
