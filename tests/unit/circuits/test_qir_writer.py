"""Circuits written as QIR: every gate exactly, the counts of published decompositions, LLVM's own opinion."""

from __future__ import annotations

import math
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from qrealm.base.errors import MissingExtraError, ParameterError, WriteError
from qrealm.circuits import Circuit, Parameter, read
from qrealm.circuits.formats.qir_basis import CONTROLS_MAX, steps
from qrealm.circuits.formats.qir_unitary import Step, cosine_sine, euler, multiplexed, prepare, shannon
from qrealm.circuits.gate_rows import GATES, UNITARY
from qrealm.circuits.gates import Matrix
from qrealm.circuits.matrices import u
from qrealm.circuits.noise import amplitude_damping
from reference.dense import DenseSimulator
from reference.random_circuits import replayable
from unit.circuits.draws import random_circuit, random_unitary
from unit.circuits.matrix_of import assert_same_up_to_phase, matrix_of
from unit.circuits.outcomes import outcomes

TOLERANCE = 1e-12


def built(found: list[Step], num_qubits: int) -> Circuit:
    circuit = Circuit(num_qubits)
    for name, angles, qubits in found:
        circuit.append(name, qubits, angles)
    return circuit


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Largest difference of an entry, but for a global phase."""
    overlap = np.trace(b.conj().T @ a)
    return float(np.abs(a - b * (overlap / abs(overlap))).max())


def acts_alike(a: Circuit, b: Circuit, seed: int) -> bool:
    """Whether two circuits do the same to random states, but for one global phase: for wide circuits."""
    rng = np.random.default_rng(seed)
    overlaps = []
    for _ in range(3):
        states = []
        start = rng.normal(size=1 << a.num_qubits) + 1j * rng.normal(size=1 << a.num_qubits)
        start /= np.linalg.norm(start)
        for circuit in (a, b):
            simulator = DenseSimulator(circuit.num_qubits)
            simulator.state = start.copy()
            simulator.apply(circuit.packed())
            states.append(simulator.state)
        overlaps.append(complex(np.vdot(*states)))
    return all(
        abs(overlap - overlaps[0]) < TOLERANCE and abs(abs(overlap) - 1) < TOLERANCE for overlap in overlaps
    )


# ---- gates -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extra,idle", [(0, 0), (1, 0), (1, 1), (2, 0), (2, 2)])
@pytest.mark.parametrize("name", [name for name in GATES if name != "unitary"])
def test_every_gate_in_the_basis(name: str, extra: int, idle: int) -> None:
    gate = GATES[name]
    count = gate.num_qubits + extra + idle
    if not 0 < count <= 6:
        return
    rng = np.random.default_rng(count)
    wires = rng.permutation(count).tolist()[: gate.num_qubits + extra]
    circuit = Circuit(count).append(
        gate, wires[extra:], rng.uniform(-3, 3, gate.num_params), controls=wires[:extra]
    )
    found = [step for op, qubits, args in circuit for step in steps(op, qubits, args, count)]
    assert distance(matrix_of(circuit), matrix_of(built(found, count))) < TOLERANCE


@pytest.mark.parametrize("name", ["x", "z", "h", "p", "ry", "u", "swap", "rzx"])
@pytest.mark.parametrize("controls,idle", [(4, 0), (5, 0), (5, 1), (5, 2), (5, 3), (6, 0), (6, 1)])
def test_many_controls(name: str, controls: int, idle: int) -> None:
    gate = GATES[name]
    count = controls + gate.targets + idle
    order = np.random.default_rng(controls + idle).permutation(count).tolist()
    wires = order[: controls + gate.targets]
    params = [0.7, -1.1, 0.4][: gate.num_params]
    circuit = Circuit(count).append(gate, wires[controls:], params, controls=wires[:controls])
    assert acts_alike(circuit, built(steps(gate, wires, params, count), count), 1)


@pytest.mark.parametrize("controls", range(3, 9))
def test_borrowed_qubits_make_a_long_toffoli_of_4_m_minus_2(controls: int) -> None:
    """Barenco et al., Phys. Rev. A 52, 3457 (1995), lemma 7.2: m controls, m - 2 borrowed qubits."""
    count = 2 * controls - 1
    found = steps(GATES["mcx"], range(controls + 1), (), count)
    assert Counter(name for name, _, _ in found) == {"ccx": 4 * (controls - 2)}


def test_the_number_of_gates_is_linear_with_one_borrowed_qubit() -> None:
    sizes = [len(steps(GATES["mcx"], range(count), (), count + 1)) for count in (50, 100, 200)]
    assert sizes[1] / sizes[0] < 2.2
    assert sizes[2] / sizes[1] < 2.2


def test_too_many_controls_are_refused() -> None:
    count = CONTROLS_MAX + 1
    with pytest.raises(WriteError, match=f"{count} qubits has too many gates"):
        steps(GATES["mcp"], range(count), (0.3,), count)
    assert steps(GATES["mcx"], range(count), (), count + 1)  # with a spare qubit it is linear


# ---- matrices and states -----------------------------------------------------------------------------


@pytest.mark.parametrize("size", range(2, 6))
def test_shannon_decomposition(size: int) -> None:
    """CX count of Shende, Bullock and Markov, IEEE Trans. CAD 25, 1000 (2006), table 1: 3/4 4^n - 3/2 2^n."""
    matrix = random_unitary(np.random.default_rng(size), size)
    found = shannon(matrix, range(size))
    assert acts_alike(Circuit(size).unitary(matrix, range(size)), built(found, size), size)
    assert Counter(name for name, _, _ in found)["cx"] == 3 * 4**size // 4 - 3 * 2**size // 2


def awkward_matrices(size: int) -> dict[str, np.ndarray]:
    """Unitaries with equal eigenvalues, equal singular values, and sines too small to be seen in cosines."""
    rng = np.random.default_rng(size)
    count = 1 << size
    vectors = random_unitary(rng, size)
    energies = rng.uniform(-1, 1, count)
    found = {
        "identity": np.eye(count, dtype=complex),
        "minus the identity": -np.eye(count, dtype=complex),
        "permutation": np.eye(count, dtype=complex)[rng.permutation(count)],
        "reversal": np.eye(count, dtype=complex)[::-1],
        "diagonal": np.diag(np.exp(1j * rng.uniform(0, 6, count))),
        "Hadamards": np.array([[(-1) ** (i & j).bit_count() for i in range(count)] for j in range(count)])
        / math.sqrt(count)
        + 0j,
        "reflection": np.eye(count) - 2 * np.outer(vectors[0], vectors[0].conj()),
        "blocks": np.kron(np.diag([1, 1j]), random_unitary(rng, size - 1)) if size > 1 else vectors,
        "local": np.kron(random_unitary(rng, size - 1), random_unitary(rng, 1)) if size > 1 else vectors,
    }
    for exponent in (3, 6, 8, 10, 13, 15):
        small = (vectors * np.exp(1j * 10.0**-exponent * energies)) @ vectors.conj().T
        found[f"1e-{exponent} off"] = (
            small @ np.kron(np.eye(2), random_unitary(rng, size - 1)) if size > 1 else small
        )
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_awkward_matrices(size: int) -> None:
    for name, matrix in awkward_matrices(size).items():
        found = built(shannon(matrix, range(size)), size)
        assert acts_alike(Circuit(size).unitary(matrix, range(size)), found, size), name


@pytest.mark.parametrize("size", [2, 3, 4, 5])
def test_cosine_sine(size: int) -> None:
    for name, matrix in awkward_matrices(size).items():
        (l0, l1), angles, (r0, r1) = cosine_sine(matrix)
        half = len(matrix) // 2
        for block in (l0, l1, r0, r1):
            assert np.abs(block.conj().T @ block - np.eye(half)).max() < 1e-13, name
        cosine, sine = np.diag(np.cos(angles)), np.diag(np.sin(angles))
        whole = np.block([[l0 @ cosine @ r0, -l0 @ sine @ r1], [l1 @ sine @ r0, l1 @ cosine @ r1]])
        assert np.abs(whole - matrix).max() < 1e-13, name


def test_diagonal_matrices_take_one_cx_for_each_sign() -> None:
    found = shannon(np.diag(np.exp(1j * np.arange(16.0))), range(4))
    assert Counter(name for name, _, _ in found)["cx"] == 8 + 4 + 2
    assert not any(name == "ry" for name, _, _ in found)


def test_controlled_matrices() -> None:
    rng = np.random.default_rng(5)
    for size, controls in ((1, 1), (1, 3), (2, 1), (2, 2)):
        count = size + controls
        wires = rng.permutation(count).tolist()
        matrix = Matrix(random_unitary(rng, size))
        circuit = Circuit(count).unitary(matrix, wires[controls:], controls=wires[:controls])
        found = built(steps(UNITARY, wires, (matrix,), count), count)
        assert distance(matrix_of(circuit), matrix_of(found)) < TOLERANCE


def test_euler_angles() -> None:
    rng = np.random.default_rng(2)
    matrices = [random_unitary(rng, 1) for _ in range(20)]
    matrices += [g.matrix() for g in GATES.values() if g.targets == 1 and not g.params]
    for matrix in matrices:
        alpha, theta, phi, lam = euler(matrix)
        assert np.abs(np.exp(1j * alpha) * u(theta, phi, lam) - matrix).max() < 1e-14


def test_multiplexed_rotations() -> None:
    angles = np.array([0.3, -1.0, 2.0, 0.1])
    matrix = matrix_of(built(multiplexed("ry", angles, [2, 0], 1), 3))
    for state, angle in enumerate(angles):
        low = (state >> 1 & 1) | (state & 1) << 2  # the first control is qubit 2
        block = matrix[np.ix_([low, low | 2], [low, low | 2])]
        assert np.abs(block - GATES["ry"].matrix(angle)).max() < TOLERANCE


@pytest.mark.parametrize("size", range(1, 8))
def test_states(size: int) -> None:
    rng = np.random.default_rng(size)
    amplitudes = rng.normal(size=1 << size) + 1j * rng.normal(size=1 << size)
    amplitudes[rng.random(1 << size) < 0.3] = 0
    amplitudes[-1] += 1
    amplitudes /= np.linalg.norm(amplitudes)
    found = built(prepare(amplitudes, range(size)), size)
    state = DenseSimulator.run(found.packed()).state
    assert abs(abs(np.vdot(state, amplitudes)) - 1) < TOLERANCE
    assert found.count_ops().get("cx", 0) <= 2 * 2**size  # Moettoenen et al. 2005


# ---- programs ----------------------------------------------------------------------------------------


@pytest.fixture
def pyqir():
    return pytest.importorskip("pyqir")


def entry_of(pyqir, text: str):
    module = pyqir.Module.from_ir(pyqir.Context(), text)
    assert module.verify() is None
    return next(f for f in module.functions if pyqir.is_entry_point(f))


def profile_of(text: str) -> str:
    return "base" if '"qir_profiles"="base_profile"' in text else "adaptive"


def test_base_profile(pyqir) -> None:
    circuit = Circuit(3).h(0).measure(0, 0).cx(1, 2).rx(0.1, 1).measure([1, 2], [1, 2])
    text = circuit.to_qir()
    entry = entry_of(pyqir, text)
    assert profile_of(text) == "base"
    assert [block.name for block in entry.basic_blocks] == ["entry", "body", "measurements", "output"]
    assert pyqir.required_num_qubits(entry) == 3
    assert pyqir.required_num_results(entry) == 3
    body = text.split("\nbody:")[1].split("\nmeasurements:")[0]
    assert "mz" not in body
    assert body.count("call") == 3
    assert "read_result" not in text
    assert "ret i64 0" in text


@pytest.mark.parametrize(
    "circuit",
    [
        Circuit(1).measure(0).x(0),
        Circuit(2).x(0).reset(0),
        Circuit(2).measure(0, 0).measure(1, 0),
        Circuit(2).h(0).initialize("1", 0),
        Circuit(1).measure(0).measure(0),
    ],
)
def test_adaptive_profile(pyqir, circuit: Circuit) -> None:
    text = circuit.to_qir()
    entry_of(pyqir, text)
    assert profile_of(text) == "adaptive"
    assert read(text).instructions[-1] == circuit.instructions[-1] or "initialize" in circuit.count_ops()


def test_states_are_prepared_on_fresh_qubits_without_reset(pyqir) -> None:
    state = np.array([0.6, 0, 0, 0.8j])
    text = Circuit(3).x(2).initialize(state, [1, 0]).initialize("1", 2).to_qir()
    assert text.count("call void @__quantum__qis__reset__body") == 1
    assert "reset__body(ptr inttoptr (i64 2" in text
    simple = Circuit(2).initialize(state, [1, 0])
    found = DenseSimulator.run(read(simple.to_qir()).packed()).state
    assert abs(abs(np.vdot(found, [0.6, 0, 0, 0.8j])) - 1) < TOLERANCE


def test_output_is_recorded_under_the_names_of_the_registers(pyqir) -> None:
    circuit = Circuit(3, 1)
    circuit.add_register("größe", 2)
    circuit.measure([0, 1, 2], [0, 1, 2])
    text = circuit.to_qir()
    output = [
        line.strip() for line in text.split("\noutput:")[1].split("}")[0].splitlines() if "record" in line
    ]
    assert ["array" in line for line in output] == [False, True, False, False]
    assert r"gr\C3\B6\C3\9Fe\00" in text
    assert [(r.name, r.start, r.size) for r in read(text).registers] == [("größe", 1, 2)]


def test_a_bit_that_was_never_measured_is_0(pyqir) -> None:
    circuit = Circuit(2, 2).measure(0, 0)
    circuit.if_(1, 1, Circuit(2).x(0), Circuit(2).y(0))
    circuit.if_([0, 1], 1, Circuit(2).z(1))
    again = read(circuit.to_qir())
    assert again.count_ops() == {"measure": 1, "y": 1, "if": 1}
    assert again.instructions[-1][2][0].clbits == (0,)


def test_every_module_is_accepted_by_llvm(pyqir) -> None:
    for seed in range(5):
        with replayable(seed):
            circuit = random_circuit(seed, 5, 15)
            entry_of(pyqir, circuit.to_qir())
            module = pyqir.Module.from_bitcode(pyqir.Context(), circuit.to_qir(bitcode=True))
            assert module.verify() is None
            assert_same_up_to_phase(matrix_of(read(module)), matrix_of(circuit))


def test_what_qir_cannot_say(pyqir) -> None:
    with pytest.raises(ParameterError, match="open parameters: theta"):
        Circuit(1).rx(Parameter("theta"), 0).to_qir()
    with pytest.raises(WriteError, match="noise"):
        Circuit(1).append(amplitude_damping(0.1), [0]).to_qir()


def test_without_pyqir(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyqir", None)
    with pytest.raises(MissingExtraError, match="pyqir") as caught:
        Circuit(1).to_qir()
    assert caught.value.hint == 'pip install "qrealm[qir]"'
    with pytest.raises(MissingExtraError, match="bitcode"):
        read(b"BC\xc0\xde\x00\x00")


# ---- a second opinion --------------------------------------------------------------------------------


def random_dynamic(seed: int) -> Circuit:
    rng = np.random.default_rng(seed)
    circuit = random_circuit(seed, 4, 12)
    circuit.measure([0, 1], [0, 1])
    circuit.compose(random_circuit(seed + 100, 4, 3))
    circuit.if_(
        [1, 0], int(rng.integers(4)), random_circuit(seed + 200, 4, 3), random_circuit(seed + 300, 4, 3)
    )
    circuit.reset(2).if_(1, 0, Circuit(4).h(2).cx(2, 3))
    return circuit.measure(range(4), [2, 3, 4, 5])


@pytest.mark.parametrize("seed", range(6))
def test_the_qir_alliances_runner_has_the_same_counts(pyqir, tmp_path: Path, seed: int) -> None:
    """Every count within 5 standard deviations of its exact expectation; the seeds are fixed."""
    runner = pytest.importorskip("qirrunner")
    circuit = random_dynamic(seed)
    shots = 2000
    path = tmp_path / "program.bc"
    path.write_bytes(circuit.to_qir(bitcode=True))
    told = runner.OutputHandler()
    runner.run(str(path), shots=shots, rng_seed=seed, output_fn=told.handle)
    counts: Counter[int] = Counter()
    for shot in told.get_output().split("START")[1:]:
        bits = [line.split("\t")[2] for line in shot.splitlines() if line.startswith("OUTPUT\tRESULT")]
        counts[sum(int(bit) << place for place, bit in enumerate(bits))] += 1
    assert counts.total() == shots
    exact = outcomes(circuit)
    assert set(counts) <= set(exact)
    for bits, p in exact.items():
        assert abs(counts[bits] - shots * p) <= 5 * math.sqrt(shots * p * (1 - p)) + 1, bits
