"""The same circuits on every backend that is installed: the cross-check of the whole house."""

from __future__ import annotations

import importlib.util

import pytest

from qrealm.simulate.backends import BACKENDS
from qrealm.simulate.verify import verify


@pytest.mark.parametrize("name", list(BACKENDS), ids=str)
def test_every_backend_agrees_with_the_exact_answers(name):
    for package in BACKENDS[name].card.packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    report = verify([name], qubits=12, shots=500, seed=2026)
    assert report.passed, [row for row in report.rows if not row.passed]
    measured = {row.measure for row in report.rows if row.passed}
    assert "chi-squared" in measured
    assert measured & {"amplitudes", "values"}
    assert {row.circuit for row in report.rows if row.passed} >= {"clifford", "ghz, 12 qubits"}
