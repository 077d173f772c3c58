"""Averages over the leaves of a walk: means, standard errors, and the one state where there is one."""

from __future__ import annotations

import math

import pytest

from qrealm import Circuit, MPSOptions, PauliSum, run
from qrealm.base.errors import RequestError
from qrealm.simulate.leaves import LeafAverages


def test_means_and_standard_errors_are_those_of_the_shots() -> None:
    """30 shots read +1 and 10 read -1: mean 1/2, variance 3/4 over 39 (the sample's n - 1)."""
    averages = LeafAverages((("a", PauliSum("Z0")),), 40)
    averages.add(0.75, {"a": 1.0})
    averages.add(0.25, {"a": -1.0})
    assert averages.found() == ({"a": 0.5}, {"a": pytest.approx(math.sqrt(0.75 / 39))})
    for shots in (0, 1):
        assert LeafAverages((("a", PauliSum("Z0")),), shots).found() == ({"a": 0.0}, {"a": 0.0})


@pytest.mark.parametrize("backend", ["statevector", "mps", "density_matrix"])
def test_backends_agree_on_a_coin(backend: str) -> None:
    """Half of the shots end in each leaf: their mean is within 5 standard errors of 0."""
    circuit = Circuit(2, 1).h(0).measure(0, 0)
    circuit.if_(0, 1, Circuit(2).x(1))
    found = run(circuit, 400, 5, observables="Z1", backend=backend)
    error = found.standard_errors["Z1"]
    if backend == "density_matrix":
        assert (found.expectation_values["Z1"], error) == (pytest.approx(0, abs=1e-12), 0)  # exact
    else:
        assert error == pytest.approx(1 / math.sqrt(399), rel=0.02)
        assert abs(found.expectation_values["Z1"]) < 5 * error


@pytest.mark.parametrize(("backend", "options"), [("statevector", None), ("mps", MPSOptions())])
def test_several_outcomes_have_no_single_state(backend: str, options: MPSOptions | None) -> None:
    circuit = Circuit(2, 1).h(0).measure(0, 0)
    circuit.if_(0, 1, Circuit(2).x(1))
    with pytest.raises(RequestError, match="no single final state"):
        run(circuit, 100, 5, return_statevector=True, backend=backend, options=options)
    assert run(circuit, 1, 5, return_statevector=True, backend=backend).statevector is not None
