"""Circuits compiled for a device do the same, in its gates, on its couplings, with as few gates as can be."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import unitary_group

from qrealm.base.errors import ChannelError
from qrealm.circuits import Circuit, Parameter
from qrealm.circuits.gate_rows import GATES
from qrealm.circuits.matrices import controlled, x
from qrealm.circuits.noise import Device, NoiseModel, depolarizing
from qrealm.circuits.noise.rules import PAIR_GATES
from qrealm.circuits.noise.two_qubits import parts
from qrealm.simulate.run import run
from reference.random_circuits import replayable
from unit.circuits.draws import random_circuit
from unit.circuits.outcomes import assert_same_outcomes, outcomes

LINE = frozenset({(0, 1), (1, 2), (2, 3), (3, 4)})


def device(pair_gate: str = "cx", coupling=LINE, num_qubits: int = 5, **figures: float) -> Device:
    given = {
        "t1_ns": math.inf, "t2_ns": math.inf, "gate_ns": 0.0, "gate_error": 0.0, "pair_ns": 0.0,
        "pair_error": 0.0, "read_1_given_0": 0.0, "read_0_given_1": 0.0, **figures,
    }  # fmt: skip
    return Device.uniform("five", num_qubits, coupling=coupling, pair_gate=pair_gate, **given)


def density(circuit: Circuit) -> np.ndarray:
    return run(circuit, 0, return_density_matrix=True).density_matrix


def assert_same_state(circuit: Circuit, made) -> None:
    """The state of the circuit's qubits, wherever on the device they end; all others are in |0>."""
    final = made.with_noise(NoiseModel())
    mine, theirs = density(circuit), density(final)
    size = len(mine)
    assert np.abs(theirs[:size, :size] - mine).max() < 1e-9
    assert theirs[:size, :size].trace() == pytest.approx(1.0, abs=1e-9)


def assert_native(made, used: Device) -> None:
    for op, qubits, args in made.circuit:
        if op.name in ("measure", "barrier"):
            continue
        assert op.name in ("rz", "sx", "x", used.pair_gate)
        if len(qubits) == 2:
            assert used.coupling is None or (min(qubits), max(qubits)) in used.coupling
            assert not args or args == (math.pi / 2,)


# ---- two qubits ---------------------------------------------------------------------------------------


def product(found) -> tuple[np.ndarray, int]:
    result, count = np.eye(4, dtype=complex), 0
    for part in found:
        if part is None:
            result, count = controlled(x(), 1) @ result, count + 1
        else:
            pair = (np.eye(2), part[1]) if part[0] == 0 else (part[1], np.eye(2))
            result = np.kron(*pair) @ result
    return result, count


def fidelity(a: np.ndarray, b: np.ndarray) -> float:
    return abs(np.trace(a.conj().T @ b)) / len(a)


@pytest.mark.parametrize("seed", range(40))
def test_any_matrix_takes_three_cx(seed: int) -> None:
    matrix = unitary_group.rvs(4, random_state=seed)
    found, count = product(parts(matrix))
    assert fidelity(matrix, found) == pytest.approx(1.0, abs=1e-12)
    assert count == 3


@pytest.mark.parametrize(
    "name, count",
    {"cx": 1, "cz": 1, "ch": 1, "ecr": 1, "cp": 2, "crx": 2, "rzz": 2, "rzx": 2, "iswap": 2, "dcx": 2,
     "siswap": 2, "swap": 3}.items(),
)  # fmt: skip
def test_known_gates_take_the_least_number_of_cx(name: str, count: int) -> None:
    """Numbers from V. Shende, I. Markov and S. Bullock, quant-ph/0308033."""
    matrix = GATES[name].full_matrix([0.3] * GATES[name].num_params)
    found, used = product(parts(matrix))
    assert used == count
    assert fidelity(matrix, found) == pytest.approx(1.0, abs=1e-12)


def test_products_take_none_and_corners_of_the_chamber_work() -> None:
    local = np.kron(unitary_group.rvs(2, random_state=1), unitary_group.rvs(2, random_state=2))
    found, count = product(parts(local))
    assert count == 0
    assert fidelity(local, found) == pytest.approx(1.0, abs=1e-12)
    for a, b, c in itertools.product((-math.pi / 4, -0.2, 0.0, 0.2, math.pi / 4), repeat=3):
        pair = Circuit(2).rxx(a, 0, 1).ryy(b, 0, 1).rzz(c, 0, 1)
        matrix = np.eye(4, dtype=complex)
        for op, _, args in pair:
            matrix = op.full_matrix(args) @ matrix
        assert fidelity(matrix, product(parts(matrix))[0]) == pytest.approx(1.0, abs=1e-12)


# ---- circuits -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("pair_gate", PAIR_GATES)
@pytest.mark.parametrize("coupling", [LINE, None], ids=["line", "all"])
@pytest.mark.parametrize("seed", range(4))
def test_random_circuits_do_the_same(pair_gate: str, coupling, seed: int) -> None:
    with replayable(seed):
        used = device(pair_gate, coupling)
        circuit = random_circuit(seed, 4, 25)
        made = used.compiled(circuit)
        assert_native(made, used)
        assert_same_state(circuit, made)


@pytest.mark.parametrize("name", [name for name in GATES if name != "unitary"])
def test_every_gate(name: str) -> None:
    gate = GATES[name]
    circuit = Circuit(max(1, gate.num_qubits))
    for qubit in range(circuit.num_qubits):
        circuit.ry(0.3 + qubit, qubit).rz(0.4 * qubit, qubit)
    circuit.append(gate, range(gate.num_qubits), [0.3 * (i + 1) for i in range(gate.num_params)])
    assert_same_state(circuit, device().compiled(circuit))


@pytest.mark.parametrize("name", [n for n, g in GATES.items() if g.rotations])
@pytest.mark.parametrize("controls", [0, 2])
def test_open_parameters_stay_open(name: str, controls: int) -> None:
    gate = GATES[name]
    names = [f"p{i}" for i in range(gate.num_params)]
    size = gate.num_qubits + controls
    circuit = Circuit(max(1, size))
    for qubit in range(circuit.num_qubits):
        circuit.ry(0.3 + qubit, qubit).rz(0.4 * qubit, qubit)
    wires = range(controls, size)
    circuit.append(gate, wires, [Parameter(p) for p in names], controls=range(controls))
    made = device(num_qubits=6, coupling=None).compiled(circuit)
    assert [p.name for p in made.circuit.parameters] == names
    values = {p: 0.3 * (i + 1) for i, p in enumerate(names)}
    bound = made.with_noise(NoiseModel()).bind(values)
    assert np.abs(density(bound) - density(circuit.bind(values))).max() < 1e-9


def test_what_cannot_stay_open() -> None:
    circuit = Circuit(1).rv(Parameter("a"), 0.1, 0.2, 0)
    with pytest.raises(ChannelError, match="the gate rv has open parameters"):
        device().compiled(circuit)
    assert device().compiled(circuit.bind(a=0.3)).circuit.count_ops()["sx"] == 2


def test_merging() -> None:
    """Gates that undo each other go, rotations join, and a swap on the way costs no more than the gate."""
    circuit = Circuit(2).h(0).t(0).tdg(0).h(0).cx(0, 1).rz(0.2, 1).cx(0, 1).cx(1, 0).cx(1, 0)
    counts = device().compiled(circuit).circuit.count_ops()
    assert counts["cx"] == 2
    assert counts.get("x", 0) == 0
    assert device().compiled(Circuit(1).h(0).h(0)).circuit.count_ops() == {"measure": 1}
    assert device().compiled(Circuit(2).x(0).rz(0.3, 0)).circuit.count_ops()["x"] == 1
    assert device().compiled(Circuit(2).cx(0, 1).swap(0, 1).ry(0.2, 1)).circuit.count_ops()["cx"] == 2
    kept = Circuit(2).cx(0, 1).barrier().cx(0, 1)
    assert device().compiled(kept).circuit.count_ops()["cx"] == 2


@pytest.mark.parametrize("size", [3, 4, 5])
def test_controlled_gates_take_few_cx_where_all_are_coupled(size: int) -> None:
    """2^n - 2 for a diagonal gate on n qubits, and for X under controls."""
    used = device(coupling=None)
    start = Circuit(size)
    for qubit in range(size):
        start.ry(0.3 + qubit, qubit)
    controls = range(size - 1)
    for circuit in (start.copy().mcz(controls, size - 1), start.copy().mcx(controls, size - 1)):
        made = used.compiled(circuit)
        assert made.circuit.count_ops()["cx"] == 2**size - 2
        assert_same_state(circuit, made)


def test_diagonal_gates_and_cx_keep_their_form() -> None:
    """RZ alone around CX: an angle costs no pulse, so there is none."""
    circuit = Circuit(2).cp(0.7, 0, 1).barrier().rzz(0.2, 1, 0).barrier().cu1(-6.0, 0, 1).barrier().cx(1, 0)
    made = device().compiled(circuit)
    counts = made.circuit.count_ops()
    assert counts["cx"] == 7
    assert "sx" not in counts
    spread = Circuit(2).ry(0.4, 0).ry(1.1, 1).rz(0.3, 0).compose(circuit)
    assert_same_state(spread, device().compiled(spread))


def test_the_layout_saves_swaps() -> None:
    """A star whose centre would be at the end of the line, and fits elsewhere without swaps."""
    made = device().compiled(Circuit(3).h(0).cx(0, 1).cx(0, 2))
    assert made.circuit.count_ops()["cx"] == 2
    assert made.initial_layout[0] in (1, 2, 3)
    ring = Circuit(5).h(range(5))
    for q in range(5):
        ring.cx(q, (q + 1) % 5)
    assert_same_state(ring, device().compiled(ring))


def random_dynamic(seed: int) -> Circuit:
    rng = np.random.default_rng(seed)
    circuit = Circuit(4, 4)

    def gates(target: Circuit, count: int) -> None:
        for _ in range(count):
            a, b = rng.permutation(4)[:2].tolist()
            target.ry(float(rng.uniform(-3, 3)), a).cx(a, b)

    gates(circuit, 3)
    for bit in range(2):
        circuit.measure(int(rng.integers(4)), bit)
        with circuit.if_(bit, int(rng.integers(2))):
            gates(circuit, 2)
            with circuit.if_(0, 1):
                gates(circuit, 2)
        circuit.reset(int(rng.integers(4)))
        gates(circuit, 2)
    circuit.initialize("01", [3, 1]).initialize("10", [0, 2]).cx(0, 3).ry(0.4, 1).cx(1, 2)
    return circuit.measure([3, 1], [2, 3])


@pytest.mark.parametrize("seed", range(6))
def test_measurements_conditions_resets_and_states(seed: int) -> None:
    with replayable(seed):
        circuit = random_dynamic(seed)
        made = device().compiled(circuit)
        assert made.circuit.registers == circuit.registers
        assert_same_outcomes(outcomes(circuit), outcomes(made.circuit))
        assert_same_outcomes(outcomes(circuit), outcomes(made.with_noise(NoiseModel())))


def test_states_become_gates() -> None:
    state = np.array([0.5, 0.1j, 0.3 - 0.2j, -0.4, 0, 0.2, 0.1 + 0.3j, 0.5])
    circuit = Circuit(4).h(range(4)).cx(0, 3).initialize(state / np.linalg.norm(state), [3, 0, 2])
    made = device().compiled(circuit)
    assert made.circuit.count_ops()["reset"] == 3
    assert "initialize" not in made.circuit.count_ops()
    assert_same_state(circuit, made)


def test_delays_and_bits_are_kept() -> None:
    circuit = Circuit(2, 3).h(0).delay(40.0, 0).cx(0, 1).measure([0, 1], [2, 0])
    made = device().compiled(circuit).circuit
    assert made.count_ops()["delay"] == 1
    assert made.num_clbits == 3
    assert set(run(made, 64, seed=1).counts) == {"000", "101"}


def test_what_the_device_cannot_do() -> None:
    with pytest.raises(ChannelError, match="the circuit has 6 qubits; the device five has 5"):
        device().compiled(Circuit(6))
    apart = device(coupling=frozenset({(0, 1), (2, 3)}))
    with pytest.raises(ChannelError, match="no couplings lead from qubit 0 to qubit 2"):
        apart.compiled(Circuit(4).cx(0, 2).cx(0, 1).cx(1, 3).cx(0, 3))
    with pytest.raises(ChannelError, match="the gate 'ccx' on two qubits; the rule is one of cx"):
        device("ccx")


# ---- noise --------------------------------------------------------------------------------------------


def test_noise_acts_on_the_compiled_gates() -> None:
    """Two CX and two qubits: each CX leaves (1 - p) of the state, p from its average error 3 p / 4."""
    error = 0.03
    made = device(pair_error=error).compiled(Circuit(2).h(0).cp(0.7, 0, 1).h(0))
    assert made.circuit.count_ops()["cx"] == 2
    noisy = made.with_noise(NoiseModel.from_device(device(pair_error=error)))
    kept = (1 - 4 * error / 3) ** 2
    pure = density(made.circuit)
    assert np.abs(density(noisy) - (kept * pure + (1 - kept) * np.eye(4) / 4)).max() < 1e-9


def test_idle_qubits_of_a_large_device_cost_nothing() -> None:
    """The 60th and 61st of a hundred qubits: only they are simulated."""
    pairs = frozenset((q, q + 1) for q in range(99))
    used = device(coupling=pairs, num_qubits=100, gate_error=0.001, pair_error=0.01, read_1_given_0=0.02)
    made = used.compiled(Circuit(3).h(0).cx(0, 1).cx(0, 2))
    noisy = made.with_noise(NoiseModel.from_device(used))
    assert noisy.num_qubits == 3
    assert run(noisy, 100, seed=1).metadata["backend"] in ("density_matrix", "trajectories", "stabilizer")


def test_a_pair_given_one_way_has_noise_both_ways() -> None:
    one = Device("one", (1e5,) * 2, (1e5,) * 2, (0.0,) * 2, (0.0,) * 2, {(0, 1): 100.0}, {(0, 1): 0.02}, (0.0,) * 2, (0.0,) * 2)  # fmt: skip # noqa: E501
    model = NoiseModel.from_device(one)
    forth, back = (model.apply(Circuit(2).x([0, 1]).cx(*pair)) for pair in ((0, 1), (1, 0)))
    assert forth.count_ops()["channel"] == back.count_ops()["channel"] > 0


def test_records_keep_the_gate() -> None:
    model = NoiseModel.from_device("infleqtion_2024")
    again = NoiseModel.from_dict(model.to_dict())
    assert again.wiring.pair_gate == "cz"
    assert again == model
    assert NoiseModel().after_gates(depolarizing(0.1)).wiring is None
