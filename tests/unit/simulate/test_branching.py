"""Circuits that decide something half-way, against theory and against a plain enumeration of all outcomes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import qrealm
from qrealm.base.errors import RequestError
from qrealm.circuits.noise import ReadoutError
from qrealm.circuits.types import Conditional, Initialize, Measurement, Segment, UnitarySegment
from qrealm.simulate import execute as execute_module
from qrealm.simulate.backends import QuantumBackend, loaded
from qrealm.simulate.branching import BranchWalk, Leaf, branch_points
from qrealm.simulate.execute import plan_state, shape_of_branches
from qrealm.simulate.plan.types import Request
from reference.dense import DenseSimulator
from reference.random_circuits import replayable


def every_way(
    segments: Sequence[Segment], state: DenseSimulator, clbits: int, weight: float
) -> list[tuple[float, int, DenseSimulator]]:
    """(probability, classical bits, final state) of every outcome: one qubit at a time, all copied."""
    for position, segment in enumerate(segments):
        rest = segments[position + 1 :]
        if isinstance(segment, UnitarySegment):
            state.apply(segment.packed)
        elif isinstance(segment, Conditional):
            value = sum(((clbits >> bit) & 1) << i for i, bit in enumerate(segment.clbits))
            body = segment.segments if value == segment.value else segment.otherwise
            return every_way((*body, *rest), state, clbits, weight)
        else:
            assert not isinstance(segment, Initialize)
            measurement = isinstance(segment, Measurement)
            qubits = segment.qubits if measurement else (segment.qubit,)
            if len(qubits) > 1:
                split = [Measurement((q,), (c,)) for q, c in zip(qubits, segment.clbits, strict=True)]
                return every_way((*split, *rest), state, clbits, weight)
            found = []
            for outcome in (0, 1):
                branch = DenseSimulator(state.num_qubits)
                kept = (np.arange(2**state.num_qubits) >> qubits[0]) & 1 == outcome
                branch.state = np.where(kept, state.state, 0)
                probability = float(np.vdot(branch.state, branch.state).real)
                if probability < 1e-12:
                    continue
                branch.state /= math.sqrt(probability)
                after = clbits
                if measurement:
                    bit = segment.clbits[0]
                    after = clbits & ~(1 << bit) | outcome << bit
                elif outcome:
                    branch.state = branch.state[np.arange(2**state.num_qubits) ^ (1 << qubits[0])]
                found += every_way(rest, branch, after, weight * probability)
            return found
    return [(weight, clbits, state)]


def exact_distribution(circuit: qrealm.Circuit) -> dict[int, float]:
    ways = every_way(circuit.segments(), DenseSimulator(circuit.num_qubits), 0, 1.0)
    total: dict[int, float] = {}
    for weight, clbits, _ in ways:
        total[clbits] = total.get(clbits, 0.0) + weight
    return total


def assert_follows(result: qrealm.Result, expected: dict[int, float]) -> None:
    values, draws = result.outcomes
    drawn = dict(zip(values, draws, strict=True))
    assert set(drawn) <= {value for value, weight in expected.items() if weight > 0}
    for value, weight in expected.items():
        spread = math.sqrt(result.shots * weight * (1 - weight))
        assert abs(drawn.get(value, 0) - result.shots * weight) < 6 * spread + 1


def random_dynamic_circuit(rng: np.random.Generator, num_qubits: int, length: int) -> qrealm.Circuit:
    circuit = qrealm.Circuit(num_qubits, num_qubits)
    for _ in range(length):
        first, second = (int(q) for q in rng.permutation(num_qubits)[:2])
        kind = int(rng.integers(7))
        if kind <= 1:
            circuit.ry(float(rng.uniform(0, 6)), first).cx(first, second)
        elif kind == 2:
            circuit.u(*(float(angle) for angle in rng.uniform(0, 6, 3)), first)
        elif kind == 3:
            circuit.measure(first, int(rng.integers(num_qubits)))
        elif kind == 4:
            circuit.reset(first)
        elif kind == 5:
            with circuit.if_(int(rng.integers(num_qubits)), int(rng.integers(2))):
                circuit.rx(1.0, first).cz(first, second)
        else:
            body = qrealm.Circuit(num_qubits, num_qubits).h(first).measure(first, second)
            other = qrealm.Circuit(num_qubits, num_qubits).reset(second).x(first)
            circuit.if_([first, second], int(rng.integers(4)), body, other)
    return circuit


@pytest.mark.parametrize("seed", range(12))
def test_random_circuits_follow_the_enumeration(seed):
    rng = np.random.default_rng(seed)
    with replayable(seed):
        circuit = random_dynamic_circuit(rng, 4, 14).measure_all()
        result = qrealm.run(circuit, shots=4000, seed=seed)
        assert sum(result.counts.values()) == 4000
        assert_follows(result, exact_distribution(circuit))


@pytest.mark.parametrize("seed", range(6))
def test_exact_expectations_follow_the_enumeration(seed):
    rng = np.random.default_rng(100 + seed)
    with replayable(100 + seed):
        circuit = random_dynamic_circuit(rng, 3, 10)
        ways = every_way(circuit.segments(), DenseSimulator(3), 0, 1.0)
        expected = sum(weight * state.expectation({0: "Z", 1: "X"}) for weight, _, state in ways)
        exact = qrealm.run(circuit, shots=0, observables="Z0 X1")
        assert exact.expectation_values["Z0 X1"] == pytest.approx(expected, abs=1e-10)
        sampled = qrealm.run(circuit, shots=3000, seed=seed, observables="Z0 X1")
        error = sampled.standard_errors["Z0 X1"]
        assert abs(sampled.expectation_values["Z0 X1"] - expected) < 6 * error + 1e-9


@pytest.mark.parametrize("copies", [0, 1, 3])
@pytest.mark.parametrize("seed", [3, 4])
def test_counts_do_not_depend_on_how_many_copies_are_kept(seed, copies, monkeypatch):
    circuit = random_dynamic_circuit(np.random.default_rng(seed), 4, 25).measure_all()
    expected = qrealm.run(circuit, shots=500, seed=9, precision="double").counts

    def tight(*args: Any, **kwargs: Any) -> Any:
        plan, reserved = plan_state(*args, **kwargs)
        return replace(plan, branch_copies=copies), reserved

    monkeypatch.setattr(execute_module, "plan_state", tight)
    assert qrealm.run(circuit, shots=500, seed=9, precision="double").counts == expected


def test_no_more_states_live_than_the_plan_says():
    circuit = random_dynamic_circuit(np.random.default_rng(8), 4, 30).measure_all()
    backend = loaded(QuantumBackend.STATEVECTOR)
    plan, _ = plan_state(shape_of_branches(circuit), Request(1000, None, 1, False, False), backend)
    plan = replace(plan, branch_copies=2)
    alive = _CountingBackend(backend)
    walk = BranchWalk(circuit, alive, plan, 1000, np.random.default_rng(1))
    shots = []
    walk.walk(lambda leaf: shots.append(leaf.shots))
    assert sum(shots) == 1000
    assert walk.leaves == len(shots) > 3
    assert alive.most == 1 + plan.branch_copies


class _CountingBackend:
    """The real backend; counts the states that are alive at once."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self.card = backend.card
        self.now = self.most = 0

    def compile(self, *args: Any) -> Any:
        return self.backend.compile(*args)

    def start(self, *args: Any) -> Any:
        return _CountedState(self, self.backend.start(*args))


class _CountedState:
    def __init__(self, owner: _CountingBackend, state: Any) -> None:
        self.owner, self.state = owner, state
        owner.now += 1
        owner.most = max(owner.most, owner.now)

    def __del__(self) -> None:
        self.owner.now -= 1

    def copy(self) -> _CountedState:
        return _CountedState(self.owner, self.state.copy())

    def __getattr__(self, name: str) -> Any:
        return getattr(self.state, name)


def teleportation(theta: float) -> qrealm.Circuit:
    circuit = qrealm.Circuit(3, 3).ry(theta, 0).h(1).cx(1, 2).cx(0, 1).h(0).measure([0, 1], [0, 1])
    with circuit.if_(1):
        circuit.x(2)
    with circuit.if_(0):
        circuit.z(2)
    return circuit


def test_teleportation():
    theta = 0.7
    result = qrealm.run(teleportation(theta).ry(-theta, 2).measure(2, 2), shots=4000, seed=5)
    assert {key[0] for key in result.counts} == {"0"}  # the state arrived
    assert_follows(result, dict.fromkeys(range(4), 0.25))
    exact = qrealm.run(teleportation(theta), shots=0, observables={"z": "Z2", "x": "X2"})
    assert exact.expectation_values == pytest.approx({"z": math.cos(theta), "x": math.sin(theta)})
    assert exact.metadata["branches"] == 4


def test_repeat_until_success():
    # Each round flips a fair coin and stops at 1, so round r fails with probability 2^-r.
    rounds = 6
    circuit = qrealm.Circuit(1, 1)
    circuit.h(0).measure(0, 0)
    for _ in range(rounds - 1):
        with circuit.if_(0, 0):
            circuit.reset(0).h(0).measure(0, 0)
    shots = 64000
    result = qrealm.run(circuit, shots=shots, seed=1)
    assert_follows(result, {0: 0.5**rounds, 1: 1 - 0.5**rounds})


def test_ghz_made_by_measuring():
    # Parity measurements of neighbours, then corrections: a GHZ state of three qubits from two ancillas.
    circuit = qrealm.Circuit(5, 5).h([0, 1, 2])
    circuit.cx(0, 3).cx(1, 3).cx(1, 4).cx(2, 4).measure([3, 4], [3, 4])
    with circuit.if_(3):
        circuit.x([1, 2])
    with circuit.if_(4):
        circuit.x(2)
    exact = qrealm.run(circuit, shots=0, observables=["Z0 Z1", "Z1 Z2", "X0 X1 X2"])
    assert list(exact.expectation_values.values()) == pytest.approx([1, 1, 1])
    counts = qrealm.run(circuit.measure([0, 1, 2], [0, 1, 2]), shots=2000, seed=3).marginal([0, 1, 2])
    assert set(counts) == {"000", "111"}


def test_reset_leaves_the_partner_mixed():
    circuit = qrealm.Circuit(2).h(0).cx(0, 1).reset(0)
    exact = qrealm.run(circuit, shots=0, observables=["Z0", "Z1", "X1"])
    assert list(exact.expectation_values.values()) == pytest.approx([1, 0, 0])
    counts = qrealm.run(circuit, shots=4000, seed=1).counts
    assert set(counts) == {"00", "10"}
    assert abs(counts["10"] - 2000) < 200


def test_a_wide_measurement_half_way():
    num_qubits = 14  # more than one step measures at once
    circuit = qrealm.Circuit(num_qubits, num_qubits).h(0)
    for qubit in range(num_qubits - 1):
        circuit.cx(qubit, qubit + 1)
    circuit.measure(range(num_qubits), range(num_qubits)).x(range(num_qubits))
    counts = qrealm.run(circuit, shots=1000, seed=4).counts
    assert set(counts) == {"0" * num_qubits, "1" * num_qubits}
    assert branch_points(circuit.segments()) == 2


def test_hundreds_of_measurements_in_a_row():
    circuit = qrealm.Circuit(1, 1).h(0)
    for _ in range(700):
        circuit.measure(0, 0).ry(0.05, 0)
    result = qrealm.run(circuit, shots=300, seed=1)
    assert sum(result.counts.values()) == 300


def test_the_state_of_a_single_outcome_is_kept():
    circuit = qrealm.Circuit(2, 1).x(0).measure(0, 0).h(1)  # certain
    result = qrealm.run(circuit, shots=10, return_statevector=True, amplitudes=["01"])
    assert result.statevector == pytest.approx([0, math.sqrt(0.5), 0, math.sqrt(0.5)])
    uncertain = qrealm.Circuit(1, 1).h(0).measure(0, 0).h(0)
    assert abs(
        qrealm.run(uncertain, shots=1, seed=1, return_statevector=True).statevector[0]
    ) ** 2 == pytest.approx(0.5)
    with pytest.raises(RequestError, match="no single final state") as caught:
        qrealm.run(uncertain, shots=100, seed=1, return_statevector=True)
    assert "shots=1" in caught.value.hint


def test_exact_results_have_a_limit():
    circuit = qrealm.Circuit(1, 1)
    for _ in range(13):
        circuit.h(0).measure(0, 0)
    with pytest.raises(RequestError, match="more than 4096 outcomes"):
        qrealm.run(circuit.h(0), shots=0, observables="Z0")


def test_sampling_rotated_bases_needs_measurements_at_the_end():
    with pytest.raises(RequestError, match="measurements all come last"):
        qrealm.run(teleportation(0.1), shots=10, observables="X2", sampled=True)


def test_a_prepared_state_beside_a_used_qubit():
    rng = np.random.default_rng(0)
    amplitudes = rng.normal(size=128) + 1j * rng.normal(size=128)
    amplitudes /= np.linalg.norm(amplitudes)
    order = [8, 1, 6, 3, 0, 5, 7]
    circuit = qrealm.Circuit(9).h(2).ry(0.3, 4).cx(2, 4)
    circuit.initialize(amplitudes, order)
    state = qrealm.run(circuit, shots=0, return_statevector=True).statevector
    pair = qrealm.run(
        qrealm.Circuit(2).h(0).ry(0.3, 1).cx(0, 1), shots=0, return_statevector=True
    ).statevector
    for index in range(512):
        inner = sum(((index >> qubit) & 1) << bit for bit, qubit in enumerate(order))
        outer = (index >> 2 & 1) | (index >> 4 & 1) << 1
        assert state[index] == pytest.approx(amplitudes[inner] * pair[outer], abs=1e-12)


def test_leaves_tell_their_share():
    circuit = qrealm.Circuit(1, 1).ry(1.0, 0).measure(0, 0).x(0)
    backend = loaded(QuantumBackend.STATEVECTOR)
    plan, _ = plan_state(shape_of_branches(circuit), Request(0, None, 1, True, False), backend)
    leaves: list[Leaf] = []
    BranchWalk(circuit, backend, plan, 0, np.random.default_rng(1)).walk(leaves.append)
    assert [leaf.clbits for leaf in leaves] == [0, 1]
    assert [leaf.share for leaf in leaves] == pytest.approx([math.cos(0.5) ** 2, math.sin(0.5) ** 2])


def test_a_misread_bit_decides_what_follows():
    """A quarter of the ones is read as zero, and nothing is done to them: five standard deviations."""
    circuit = qrealm.Circuit(2).x(0).measure(0, 0)
    circuit.append(ReadoutError.flips(0.0, 0.25), [0])
    with circuit.if_(0):
        circuit.x(1)
    circuit.measure(1, 1)
    counts = qrealm.run(circuit, shots=10_000, seed=1).counts
    assert set(counts) == {"00", "11"}
    assert counts["00"] == pytest.approx(2500, abs=5 * (10_000 * 0.25 * 0.75) ** 0.5)
    exact = qrealm.run(circuit, shots=0, observables="Z1").expectation_values["Z1"]
    assert exact == pytest.approx(0.25 - 0.75)
