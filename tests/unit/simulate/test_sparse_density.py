"""Sparse density matrices against the reference's dense ones and against closed forms."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qrealm.base.errors import TooLargeError
from qrealm.simulate.sparse_density import (
    ENTRIES_MAX,
    SparseDensity,
    basis_state,
    from_dense,
    joined,
    pure,
    reduced,
    summed,
    to_dense,
)
from qrealm.simulate.sparse_density_filled import changed_filled
from qrealm.simulate.sparse_density_maps import FILLED_ENTRIES_MIN, changed, is_filled
from qrealm.simulate.sparse_density_measures import (
    BLOCK_MAX,
    coherence_bits,
    entropy_bits,
    mutual_information_bits,
    outcome_probabilities,
    purity,
)
from qrealm.simulate.sparse_density_steps import Operators, Permutation, Preparation, Relaxation
from reference.density import DensitySimulator

SEEDS = st.integers(0, 2**32 - 1)


def random_matrix(rng, rows, cols):
    return rng.normal(size=(rows, cols)) + 1j * rng.normal(size=(rows, cols))


def random_density(rng, num_qubits, rank):
    """A mixed state of some rank, with some basis states left out so that the matrix has zeros."""
    a = random_matrix(rng, 2**num_qubits, rank)
    a[rng.random(2**num_qubits) < 0.4] = 0
    a[0] += 1
    rho = a @ a.conj().T
    return rho / np.trace(rho).real


def random_unitary(rng, size):
    return np.linalg.qr(random_matrix(rng, size, size))[0]


def random_step(rng, num_qubits):
    width = int(rng.integers(1, min(3, num_qubits) + 1))
    qubits = tuple(int(q) for q in rng.permutation(num_qubits)[:width])
    size = 2**width
    kind = rng.integers(5)
    if kind == 0:
        return Operators((random_unitary(rng, size),), qubits)
    if kind == 1:
        whole = random_unitary(rng, 3 * size)[:, :size]  # an isometry, cut into Kraus operators
        return Operators(tuple(whole[i * size : (i + 1) * size] for i in range(3)), qubits)
    if kind == 2:
        a = rng.random()
        chances = rng.dirichlet(np.ones(size))
        chances[-1] = 0
        return Relaxation(chances / chances.sum(), a, a * rng.random(), qubits)
    if kind == 3:
        vector = random_matrix(rng, size, 1)[:, 0]
        return Preparation(vector / np.linalg.norm(vector), qubits)
    return Permutation(rng.permutation(size).astype(np.uint32), qubits)


def assert_is_state(density: SparseDensity) -> None:
    """Trace 1, Hermitian, no negative eigenvalue; entries sorted and none twice."""
    keys = density.rows.astype(np.uint64) << np.uint64(32) | density.cols
    assert (keys[1:] > keys[:-1]).all()
    matrix = to_dense(density)
    assert np.trace(matrix) == pytest.approx(1)
    np.testing.assert_allclose(matrix, matrix.conj().T, atol=1e-14)
    assert np.linalg.eigvalsh(matrix).min() > -1e-13


@settings(max_examples=60)
@given(SEEDS, st.integers(1, 4))
def test_steps_agree_with_the_reference(seed, num_qubits):
    rng = np.random.default_rng(seed)
    reference = DensitySimulator(num_qubits)
    reference.rho = random_density(rng, num_qubits, 2)
    density = from_dense(reference.rho)
    for _ in range(4):
        step = random_step(rng, num_qubits)
        filled = changed_filled(to_dense(density), [step])
        density = changed(density, [step])
        reference.kraus(step.kraus(), step.qubits)
        np.testing.assert_allclose(filled, reference.rho, atol=1e-13)
        np.testing.assert_allclose(to_dense(density), reference.rho, atol=1e-13)
        assert_is_state(density)


@settings(max_examples=40)
@given(SEEDS)
def test_kraus_operators_keep_the_trace(seed):
    step = random_step(np.random.default_rng(seed), 3)
    total = sum(k.conj().T @ k for k in step.kraus())
    np.testing.assert_allclose(total, np.eye(len(total)), atol=1e-12)


@settings(max_examples=40)
@given(SEEDS)
def test_reduced_and_joined_agree_with_dense_algebra(seed):
    rng = np.random.default_rng(seed)
    low, high = random_density(rng, 2, 2), random_density(rng, 2, 3)
    both = joined(from_dense(low), from_dense(high))
    np.testing.assert_allclose(to_dense(both), np.kron(high, low), atol=1e-15)
    np.testing.assert_allclose(to_dense(reduced(both, (0, 1))), low, atol=1e-14)
    np.testing.assert_allclose(to_dense(reduced(both, (2, 3))), high, atol=1e-14)
    # Qubits in another order: qubit 3 becomes 0, qubit 0 becomes 1.
    tensor = random_density(rng, 4, 3)
    axes = tensor.reshape((2,) * 8)  # row qubits 3 2 1 0, then column qubits 3 2 1 0
    expected = np.einsum("abcdebcf->daef", axes).transpose(0, 1, 3, 2).reshape(4, 4)
    np.testing.assert_allclose(to_dense(reduced(from_dense(tensor), (3, 0))), expected, atol=1e-14)


@settings(max_examples=40)
@given(SEEDS, st.integers(1, 4))
def test_entropies_agree_with_eigenvalues_of_the_whole_matrix(seed, num_qubits):
    rng = np.random.default_rng(seed)
    rho = random_density(rng, num_qubits, 3)
    # Two blocks that do not touch, besides whatever zeros there are.
    rho[: len(rho) // 2, len(rho) // 2 :] = rho[len(rho) // 2 :, : len(rho) // 2] = 0
    density = from_dense(rho)

    def shannon(chances):
        return -sum(p * math.log2(p) for p in chances if p > 1e-15)

    eigenvalues = np.linalg.eigvalsh(rho)
    assert entropy_bits(density) == pytest.approx(shannon(eigenvalues), abs=1e-9)
    coherence = shannon(np.diag(rho).real) - shannon(eigenvalues)
    assert coherence_bits(density) == pytest.approx(coherence, abs=1e-9)
    assert purity(density) == pytest.approx(float((eigenvalues**2).sum()))


def test_known_entropies():
    bell = pure(np.array([1, 0, 0, 1]) / math.sqrt(2))
    assert entropy_bits(bell) == pytest.approx(0, abs=1e-12)
    assert coherence_bits(bell) == pytest.approx(1)
    assert mutual_information_bits(bell, (0,), (1,)) == pytest.approx(2)
    dephased = changed(bell, [Relaxation(np.array([0.5, 0.5]), 1.0, 0.0, (0,))])
    assert coherence_bits(dephased) == pytest.approx(0, abs=1e-12)
    assert mutual_information_bits(dephased, (0,), (1,)) == pytest.approx(1)
    assert mutual_information_bits(basis_state(2, 3), (0,), (1,)) == pytest.approx(0, abs=1e-12)


def test_a_block_that_is_too_large_has_no_entropy():
    # A chain of neighbours that touch: few entries, one block.
    size = BLOCK_MAX + 1
    near = np.arange(size, dtype=np.uint32)
    keys = np.concatenate((near << 13 | near, near[1:] << 13 | near[:-1], near[:-1] << 13 | near[1:]))
    values = np.repeat([1 / size, 0.1 / size, 0.1 / size], [size, size - 1, size - 1]).astype(complex)
    order = np.argsort(keys)
    chain = SparseDensity(11, keys[order] >> 13, keys[order] & 0x1FFF, values[order])
    assert entropy_bits(chain) is None
    assert coherence_bits(chain) is None
    assert mutual_information_bits(chain, (0,), (1,)) == pytest.approx(0, abs=1e-2)


def test_relaxation_of_a_qubit_follows_its_closed_form():
    t, t1, t2, p = 0.7, 2.0, 1.3, 0.2
    start = pure(np.array([math.cos(0.4), math.sin(0.4) * 1j]))
    kept = math.exp(-t / t1)
    end = to_dense(changed(start, [Relaxation(np.array([p, 1 - p]), kept, math.exp(-t / t2), (0,))]))
    assert end[0, 0] == pytest.approx(p + (math.cos(0.4) ** 2 - p) * kept)
    assert end[0, 1] == pytest.approx(-1j * math.cos(0.4) * math.sin(0.4) * math.exp(-t / t2))


def test_sixteen_entangled_qubits_decay_by_their_closed_form_in_less_than_a_second():
    vector = np.zeros(1 << 16)
    vector[0] = vector[-1] = math.sqrt(0.5)
    kept, coherent = math.exp(-0.5), math.exp(-1.0)
    steps = [Relaxation(np.array([0.5, 0.5]), kept, coherent, (q,)) for q in range(16)]
    begin = time.thread_time()
    end = changed(pure(vector), steps)
    assert time.thread_time() - begin < 1.0
    assert len(end.values) == 2**16 + 2
    # From |0…0⟩ each qubit is still 0 with (1+a)/2; from |1…1⟩ with (1-a)/2.
    for index in (0, 1, 0b111, 0xFFFF, 0xABCD):
        ones = index.bit_count()
        stays, flips = (1 + kept) / 2, (1 - kept) / 2
        expected = 0.5 * (stays ** (16 - ones) * flips**ones + flips ** (16 - ones) * stays**ones)
        found = end.values[(end.rows == index) & (end.cols == index)]
        assert found.real == pytest.approx([expected], rel=1e-9)
    corner = end.values[(end.rows == 0) & (end.cols == 0xFFFF)]
    assert corner == pytest.approx([0.5 * coherent**16])
    assert outcome_probabilities(end, (5,)) == pytest.approx([0.5, 0.5])


def test_a_filled_matrix_goes_the_other_way_and_ends_the_same():
    state = pure(np.full(1 << 7, 2**-3.5))
    steps = [Relaxation(np.array([0.5, 0.5]), 0.7, 0.6, (q,)) for q in range(7)]
    steps.append(Permutation(np.array([2, 0, 3, 1], dtype=np.uint32), (5, 1)))
    assert len(state.values) >= FILLED_ENTRIES_MIN
    assert is_filled(state)
    # Beside 5 further qubits in |0⟩ the same matrix is nearly empty.
    wide = joined(state, basis_state(5, 0))
    assert not is_filled(wide)
    expected = to_dense(reduced(changed(wide, steps), range(7)))
    np.testing.assert_allclose(to_dense(changed(state, steps)), expected, atol=1e-15)


def test_only_what_double_precision_cannot_tell_is_dropped():
    keys = np.array([0, 0, 1, 2], dtype=np.uint64)
    values = np.array([0.5, 0.5, 2e-16, 0.5e-16], dtype=complex)
    found = summed(1, keys, values)
    assert found.cols.tolist() == [0, 1]
    assert found.values.tolist() == [1, 2e-16]


@pytest.mark.parametrize(
    "call",
    [
        lambda: pure(np.full(1 << 12, 2**-6.0)),
        lambda: joined(pure(np.full(1 << 6, 2**-3.0)), pure(np.full(1 << 6, 2**-3.0))),
        lambda: joined(basis_state(20, 0), basis_state(12, 0)),
        lambda: changed(basis_state(16, 0), [Preparation(np.full(1 << 12, 2**-6.0), tuple(range(12)))]),
    ],
)
def test_too_many_entries_are_refused_before_they_are_made(call):
    with pytest.raises(TooLargeError, match="density matrix"):
        call()


def test_gates_that_fill_the_matrix_are_refused():
    state = pure(np.full(1 << 10, 2**-5.0))
    state = joined(state, basis_state(6, 0))
    two = np.kron([[1, 1], [1, -1]], [[1, 1], [1, -1]]) / 2
    four = np.kron(two, two)
    with pytest.raises(TooLargeError, match="whatever memory there is") as problem:
        changed(state, [Operators((four,), (10, 11, 12, 13))])
    assert problem.value.needed_bytes > 72 * ENTRIES_MAX
