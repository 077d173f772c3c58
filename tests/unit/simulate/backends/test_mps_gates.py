"""Every kernel operation on chains, against the dense reference; the parts that runs are made of."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from qrealm.circuits import Circuit
from qrealm.circuits.kernel_ops import OpCode
from qrealm.simulate.backends.mps import schedule
from qrealm.simulate.backends.mps.chain import Chain
from qrealm.simulate.backends.mps.linalg import Limits, Tally, one_thread, split
from qrealm.simulate.backends.mps.program import matrix_train, operator_rank, prepare, turned
from qrealm.simulate.backends.mps.sampling import draw, outcomes_of
from qrealm.simulate.backends.mps.values import amplitudes, expectations, probabilities, vector
from qrealm.simulate.plan.types import Precision
from reference.dense import DenseSimulator
from reference.random_circuits import CircuitBuilder, random_circuit, random_unitary, replayable


def chain_of(packed: object, num_qubits: int, bond_max: int | None = None) -> Chain:
    chain = Chain(num_qubits, Precision.DOUBLE, Limits(bond_max, 0.0), 1 << 30, lambda: None)
    chain.apply(prepare(packed))  # type: ignore[arg-type]
    return chain


def check_canonical(chain: Chain) -> None:
    """Columns left of the centre and rows right of it are orthonormal."""
    for site, tensor in enumerate(chain.tensors):
        if site < chain.centre:
            flat = tensor.reshape(-1, tensor.shape[2])
            assert np.abs(flat.conj().T @ flat - np.eye(flat.shape[1])).max() < 1e-10
        if site > chain.centre:
            flat = tensor.reshape(len(tensor), -1)
            assert np.abs(flat @ flat.conj().T - np.eye(len(flat))).max() < 1e-10


@pytest.mark.parametrize("seed", range(40))
def test_random_circuits_of_all_operations(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 11))
    circuit = random_circuit(rng, count, 40)
    with replayable(seed, qubits=count):
        chain = chain_of(circuit, count)
        dense = DenseSimulator.run(circuit)
        assert np.abs(vector(chain) - dense.state).max() < 1e-10
        check_canonical(chain)
        picked = rng.integers(2**count, size=9).tolist()
        assert np.abs(amplitudes(chain, picked) - dense.state[picked]).max() < 1e-10
        strings = [(int(x), int(z)) for x, z in rng.integers(2**count, size=(12, 2))]
        found = expectations(chain, strings)
        for x, z in strings:
            letters = {q: "IXZY"[(x >> q & 1) + 2 * (z >> q & 1)] for q in range(count) if (x | z) >> q & 1}
            assert found[x, z] == pytest.approx(dense.expectation(letters), abs=1e-9)
        some = rng.permutation(count)[: min(count, 3)].tolist()
        assert np.abs(probabilities(chain, some) - dense.probabilities(some)).max() < 1e-10


def test_fourteen_qubits() -> None:
    rng = np.random.default_rng(99)
    circuit = random_circuit(rng, 14, 60)
    assert np.abs(vector(chain_of(circuit, 14)) - DenseSimulator.run(circuit).state).max() < 1e-10


@pytest.mark.parametrize("code", list(OpCode), ids=lambda code: code.name)
@pytest.mark.parametrize("controls", [(), (6,), (0, 6), (5, 0, 2)], ids=["none", "one", "two", "three"])
def test_each_operation_far_apart(code: OpCode, controls: tuple[int, ...]) -> None:
    rng = np.random.default_rng(code.value)
    builder = CircuitBuilder(7)
    for qubit in range(7):
        builder.add("U", [qubit], params=rng.uniform(0, 6, 3).tolist())
    if code is OpCode.MATRIX:
        builder.add_matrix(random_unitary(rng, 3), [4, 1, 3], controls=controls)
    else:
        from reference.ops import OP_BY_CODE

        row = OP_BY_CODE[code.value]
        targets = [4, 1][: row.num_targets]
        builder.add(code.name, targets, params=rng.uniform(-3, 3, row.num_params).tolist(), controls=controls)
    circuit = builder.build()
    assert np.abs(vector(chain_of(circuit, 7)) - DenseSimulator.run(circuit).state).max() < 1e-11


def test_sixty_controls_need_a_bond_of_two() -> None:
    """X under 59 controls that are all 1 but for one in superposition."""
    circuit = Circuit(60).x(range(58)).h(58).append("x", [59], controls=list(range(59)))
    chain = chain_of(circuit.packed(), 60)
    assert max(chain.bonds) == 2
    ones = (1 << 60) - 1
    found = amplitudes(chain, [ones, ones ^ (3 << 58), 0])
    assert found == pytest.approx([0.5**0.5, 0.5**0.5, 0], abs=1e-12)


def test_swaps_alone_are_names() -> None:
    program = prepare(Circuit(4).h(0).swap(0, 3).swap(1, 3).packed())
    assert [op.qubits for op in program.ops] == [(0,)]
    assert program.carrier == (3, 0, 2, 1)


def test_gates_on_a_pair_become_one() -> None:
    circuit = Circuit(3).h(0).cx(0, 1).rz(0.3, 1).cx(0, 1).swap(0, 1).t(0).cx(1, 2)
    assert [op.qubits for op in prepare(circuit.packed()).ops] == [(0, 1), (1, 2)]


@pytest.mark.parametrize(
    "cost", [{2: -1e9, 3: -1e9, 4: -1e9}, {2: 1e9, 3: 1e9, 4: 1e9}], ids=["train", "swaps"]
)
def test_far_gates_by_trains_and_by_swaps(cost: dict[int, float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "TRAIN_COST", cost)
    rng = np.random.default_rng(3)
    circuit = Circuit(9)
    for _ in range(30):
        a, b = rng.choice(9, 2, replace=False).tolist()
        circuit.u(*rng.uniform(0, 3, 3).tolist(), a).unitary(random_unitary(rng, 2), [a, b]).cx(b, a)
    chain = chain_of(circuit.packed(), 9)
    assert np.abs(vector(chain) - DenseSimulator.run(circuit.packed()).state).max() < 1e-10
    assert (chain.place == list(range(9))) is (cost[2] < 0)


def test_a_matrix_is_its_train() -> None:
    rng = np.random.default_rng(1)
    matrix = random_unitary(rng, 3)
    order = [2, 0, 1]
    product = np.ones((1, 1, 1))  # (out, in, bond)
    for core in matrix_train(matrix, order):
        product = np.einsum("oib,bpjc->opijc", product, core).reshape(
            2 * product.shape[0], 2 * product.shape[1], -1
        )
    bits = [
        sum((index >> (2 - place) & 1) << qubit for place, qubit in enumerate(order)) for index in range(8)
    ]
    assert np.abs(product[:, :, 0] - matrix[np.ix_(bits, bits)]).max() < 1e-12


def test_ranks_of_operators() -> None:
    rng = np.random.default_rng(1)
    assert operator_rank(np.kron(random_unitary(rng, 1), random_unitary(rng, 1))) == 1
    assert operator_rank(Circuit(2).cx(0, 1).packed() and np.diag([1, 1, 1, -1]).astype(complex)) == 2
    assert operator_rank(np.eye(4)[[0, 2, 1, 3]].astype(complex)) == 4
    matrix = random_unitary(rng, 2)
    assert np.abs(turned(turned(matrix, True), True) - matrix).max() == 0


def test_a_split_drops_what_it_may() -> None:
    rng = np.random.default_rng(2)
    u, v = random_unitary(rng, 4), random_unitary(rng, 4)
    values = np.array([0.9, 0.4, 0.1, 0.01] + [0] * 12)
    values /= np.linalg.norm(values)
    matrix = (u * values) @ v
    tally = Tally()
    left, kept, right = split(matrix, Limits(None, 1e-3), tally)
    assert len(kept) == 3
    assert tally.discarded == pytest.approx(values[3] ** 2)
    assert (kept**2).sum() == pytest.approx(1)
    assert np.abs((left * kept) @ right * np.linalg.norm(values[:3]) - matrix).max() < 0.011
    assert len(split(matrix, Limits(2, 0.0), tally)[1]) == 2
    assert len(split(matrix, Limits(None, 0.0), tally)[1]) == 4


def test_collapse_of_a_chain() -> None:
    rng = np.random.default_rng(8)
    circuit = random_circuit(rng, 7, 30)
    truth = DenseSimulator.run(circuit).state
    chain = chain_of(circuit, 7)
    kept = chain.copy()
    share = chain.collapse(3, 1)
    ones = (np.arange(128) >> 3 & 1) == 1
    assert share == pytest.approx(float((np.abs(truth[ones]) ** 2).sum()), abs=1e-10)
    assert np.abs(vector(chain) - np.where(ones, truth, 0) / np.sqrt(share)).max() < 1e-10
    assert np.abs(vector(kept) - truth).max() < 1e-10
    check_canonical(chain)


def test_collapse_takes_a_ghz_state_apart() -> None:
    circuit = Circuit(50).h(0)
    for qubit in range(49):
        circuit.cx(qubit, qubit + 1)
    chain = chain_of(circuit.packed(), 50)
    assert chain.collapse(20, 1) == pytest.approx(0.5)
    assert max(chain.bonds) == 1
    assert amplitudes(chain, [(1 << 50) - 1])[0] == pytest.approx(1)


def test_samples_of_some_qubits_follow_their_probabilities() -> None:
    rng = np.random.default_rng(11)
    circuit = random_circuit(rng, 8, 40)
    shots = 40_000
    for qubits in ([2], [5, 1], [7, 0, 4], list(range(8))):
        drawn = draw(chain_of(circuit, 8), qubits, shots, 3, 1, lambda: None)
        values, counts = outcomes_of(drawn, range(len(qubits)), len(qubits))
        share = np.zeros(2 ** len(qubits))
        share[np.asarray(values, dtype=np.int64)] = counts / shots
        truth = DenseSimulator.run(circuit).probabilities(qubits)
        # Five standard deviations of each binomial share.
        assert (np.abs(share - truth) < 5 * np.sqrt(truth / shots) + 1e-3).all()


def test_one_thread_gives_the_threads_back() -> None:
    from qrealm.simulate.backends.mps.linalg import _libraries

    before = [get() for get, _ in _libraries()]
    with one_thread(), one_thread():
        assert all(get() == 1 for get, _ in _libraries())
    assert [get() for get, _ in _libraries()] == before


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS binds on Linux")
def test_too_few_addresses_for_scipy_are_an_error_and_no_wait() -> None:
    program = """
        import resource
        import qrealm
        from qrealm.base.errors import ResourceError
        import qrealm.simulate.backends.mps.run
        circuit = qrealm.Circuit(2).h(0)
        size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + 60 * 1024**2,) * 2)
        try:
            qrealm.run(circuit, 10, backend="mps")
        except ResourceError as problem:
            print(problem)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60
    )
    assert "ulimit -v" in done.stdout, done.stderr
