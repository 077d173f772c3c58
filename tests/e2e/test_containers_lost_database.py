"""What the command says when its database is lost."""

from __future__ import annotations

from pathlib import Path

from engines.qdocker_daemon import daemon_with, qdocker

NODES = "nodes:\n  - {name: n1, driver: simulated}\n"


def test_the_loss_is_told_at_start_and_by_maintenance():
    with daemon_with(NODES) as variables:
        for name in ("web", "job"):
            assert qdocker(variables, "create", "img:1", name).returncode == 0
        assert qdocker(variables, "entangle", "web", "job").returncode == 0
        qdocker(variables, "stop")
        for path in Path(variables["QUANTUM_DOCKER_HOME"]).glob("qdocker.db*"):
            path.unlink()
        started = qdocker(variables, "start")
        assert started.returncode == 0
        assert "warning: 2 containers were found by their labels" in started.stderr
        assert "which were entangled, and what was measured, is not known any more" in started.stderr
        first = qdocker(variables, "maintenance")
        assert first.returncode == 0
        assert "warning: web was not in the database" in first.stderr
        assert "job" in first.stdout
        assert "database" not in qdocker(variables, "maintenance").stderr
