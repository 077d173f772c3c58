"""The container engine when a node's call fails, at every call of every operation."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.faults.operations import OPERATIONS, Template, check_kept

from qrealm.base.errors import QrealmError
from qrealm.control.containers.values import NodeState

ROOT = Path(__file__).resolve().parents[2]
HOWS = ("unavailable before", "unavailable after", "refused before")
CALLS_MAX = 60
WITHOUT_CALLS = {"measure", "entangle"}


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in WITHOUT_CALLS])
def test_a_call_that_fails_leaves_nothing_half_made(quick_path, name, how):
    operation = OPERATIONS[name]
    template = Template(quick_path / "here", operation)
    for number in range(1, CALLS_MAX):
        home = template.home()
        home.open()
        home.faults.arm(number, how)
        try:
            operation.run(home)
            error = None
        except QrealmError as problem:
            error = problem
        failed = home.faults.failed
        home.faults.disarm()
        if error is not None:
            assert error.message
        home.engine.upkeep.maintenance()
        # The second round is for what was made on a node that was lost in the first.
        home.engine.watch.look()
        check_kept(home, operation)
        if error is not None and operation.made:
            assert operation.made.isdisjoint(record.name for record in home.store.containers.all()), failed
        home.come_back(*home.endpoints)
        assert NodeState.LOST not in {node.state for node in home.store.nodes.all()}
        check_kept(home, operation)
        home.close()
        if not failed:
            return
    pytest.fail(f"{name} makes more than {CALLS_MAX} calls")


def crashing(path, *words):
    """The figures that `crashing.py` tells; its own words when it finds something wrong."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.crashing", str(path), *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-6000:]
    return [int(word) for word in done.stdout.split()]


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_process_that_ends_at_any_step_is_mended_by_the_next(quick_path, name):
    (ended,) = crashing(quick_path, "exhaustive", name)
    assert ended >= 1


def test_a_process_that_is_killed_at_random_times(quick_path):
    kills, under_way = crashing(quick_path, "killed", "1")
    assert kills == 25
    assert under_way >= 10, "of the twenty that had opened, half were killed in the middle of something"
