"""Exact values by light cones: what the parts lose adds up, and every part is accounted for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import qrealm
from qrealm.circuits import Circuit
from qrealm.simulate.backends import QuantumBackend, loaded
from qrealm.simulate.backends.mps.options import MPSOptions
from qrealm.simulate.execute import find_on
from qrealm.simulate.part_runs import by_cones
from qrealm.simulate.request import make_request


def entangled(circuit: Circuit, first: int, count: int) -> None:
    """Four layers of turns and CX on neighbouring qubits."""
    generator = np.random.default_rng(first)
    for layer in range(4):
        for qubit in range(first, first + count):
            circuit.ry(generator.uniform(0.3, 2.8), qubit)
        for qubit in range(first + layer % 2, first + count - 1, 2):
            circuit.cx(qubit, qubit + 1)


def parity(first: int, count: int) -> str:
    return " ".join(f"Z{qubit}" for qubit in range(first, first + count))


def test_truncation_errors_and_warnings_of_all_parts_are_told():
    """Chains with bonds of 2 lose something in both parts: what is kept is the product of what each keeps."""
    circuit = Circuit(30)
    entangled(circuit, 0, 16)
    entangled(circuit, 16, 14)
    asked = {"a": parity(0, 16), "b": parity(16, 14)}
    errors: list[float] = []

    def run_part(part, request):
        found = find_on(part, replace(request, options=MPSOptions(bond_max=2)), loaded(QuantumBackend.MPS))
        errors.append(found.details["truncation_error"])
        return replace(found, warnings=("coarse", f"{part.num_qubits} qubits")), None

    request = make_request(
        30,
        shots=0,
        seed=1,
        precision=None,
        threads=None,
        return_statevector=False,
        observables=asked,
        amplitudes=None,
        sampled=False,
        bit_order="little",
        backend=QuantumBackend.AUTO,
    )
    found, _ = by_cones(circuit, request, run_part)
    assert len(errors) == 2
    assert min(errors) > 1e-3
    assert found.details["truncation_error"] == pytest.approx(1 - (1 - errors[0]) * (1 - errors[1]))
    assert found.details["fidelity_estimate"] == pytest.approx(1 - found.details["truncation_error"])
    assert sorted(found.warnings) == ["14 qubits", "16 qubits", "coarse"]
    assert [part["truncation_error"] for part in found.details["parts"]] == errors


def test_every_part_tells_where_it_ran_and_what_was_considered():
    """A wide Clifford part and a small one with turns: two backends, and both are named."""
    pytest.importorskip("stim")
    generator = np.random.default_rng(1)
    circuit = Circuit(60)
    for layer in range(30):
        for qubit in range(45):
            getattr(circuit, ("h", "s", "x")[generator.integers(3)])(qubit)
        for qubit in range(layer % 2, 44, 2):
            circuit.cx(qubit, qubit + 1)
    circuit.ry(0.3, range(45, 60))
    for qubit in range(45, 59):
        circuit.cx(qubit, qubit + 1)
    result = qrealm.run(circuit, shots=0, observables={"a": "Z3", "b": "Z59"})
    assert result.expectation_values["b"] == pytest.approx(np.cos(0.3) ** 15)
    made = result.metadata
    wide, small = sorted(made["parts"], key=lambda part: -part["qubits"])
    assert [wide["qubits"], small["qubits"]] == made["light_cones"]
    assert (wide["backend"], small["backend"]) == ("stabilizer", "statevector")
    assert wide["considered"][0]["backend"] == "stabilizer"
    assert wide["considered"] == made["considered"]
    assert "done before another" in small["reasons"][0]
    assert all(part["seconds"] > 0 and part["terms"] == 1 for part in made["parts"])
    assert any("1 on stabilizer" in line and "1 on statevector" in line for line in made["reasons"])


def test_a_quick_run_and_a_sweep_say_why_nobody_was_asked():
    assert "done before another" in qrealm.run(Circuit(2).h(0).cx(0, 1)).metadata["reasons"][0]
    assert qrealm.run(Circuit(2).h(0).cx(0, 1), backend="statevector").metadata["reasons"] == []
    a = qrealm.Parameter("a")
    (row,) = qrealm.sweep(Circuit(1).ry(a, 0), [[0.1]], observables="Z0")
    assert "packs the circuit once" in row.metadata["reasons"][0]
