"""The container engine when the disk is full, at several sizes and in every operation."""

from __future__ import annotations

import resource
from contextlib import contextmanager
from types import NoneType

import pytest
from tests.faults.operations import OPERATIONS, Template, check_kept

from qrealm.base.errors import EngineUnavailableError, QrealmError, StoreError

SIZES = (0, 4 << 10, 12 << 10, 20 << 10, 36 << 10, 60 << 10, 100 << 10, 1 << 20)
"""Bytes to which files may grow, from none to what every operation needs."""


@contextmanager
def files_up_to(size):
    """No file of this process may grow beyond `size` bytes: writing says so as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_full_disk_leaves_nothing_half_made(quick_path, name):
    operation = OPERATIONS[name]
    template = Template(quick_path / "here", operation)
    errors = []
    for size in SIZES:
        home = template.home()
        home.open()
        error = None
        with files_up_to(size):
            try:
                operation.run(home)
            except QrealmError as problem:
                error = problem
        errors.append(error)
        home.engine.upkeep.maintenance()
        home.engine.watch.look()
        check_kept(home, operation)
        if error is not None and operation.made:
            assert operation.made.isdisjoint(record.name for record in home.store.containers.all())
        home.come_back(*home.endpoints)
        check_kept(home, operation)
        home.close()
    # What the watch does in the background is told in the log, and done again.
    told = NoneType if name == "return" else StoreError | EngineUnavailableError
    assert isinstance(errors[0], told), errors
    assert errors[-1] is None, errors


def test_a_full_disk_is_told_as_such_and_work_goes_on_once_there_is_room(quick_path):
    template = Template(quick_path / "here", OPERATIONS["measure"])
    home = template.home()
    home.open()
    before = home.engine.circuits.probabilities("web")
    with files_up_to(0), pytest.raises(StoreError, match=r"full|failed") as caught:
        home.engine.circuits.measure("web")
    assert caught.value.hint
    assert home.engine.circuits.probabilities("web") == pytest.approx(before)
    home.engine.circuits.measure("web")
    home.check()
    home.close()
