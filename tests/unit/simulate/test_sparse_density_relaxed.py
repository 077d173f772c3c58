"""What a state will say once it has relaxed, told without relaxing it; and how large it will be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qrealm.simulate.sparse_density import basis_state, from_dense, pure
from qrealm.simulate.sparse_density_maps import changed
from qrealm.simulate.sparse_density_measures import (
    diagonal,
    outcome_probabilities,
    relaxed_outcome,
    relaxed_probabilities,
)
from qrealm.simulate.sparse_density_relaxed import entries_when_relaxed
from qrealm.simulate.sparse_density_steps import Relaxation


def random_density(num_qubits, rng, rank=3):
    size = 1 << num_qubits
    vectors = rng.normal(size=(size, rank)) + 1j * rng.normal(size=(size, rank))
    # Some basis states without any part, so that not everything is filled.
    vectors[rng.random(size) < 0.4] = 0
    vectors[0] += 0.1
    matrix = vectors @ vectors.conj().T
    return from_dense(matrix / np.trace(matrix).real)


def random_steps(sizes, kept, rng):
    """One relaxation for each number of qubits in `sizes`, side by side; some basis states stand for none."""
    steps, start = [], 0
    for size in sizes:
        distribution = rng.random(1 << size) + 0.05
        distribution[rng.integers(1 << size)] = 0.0
        qubits = tuple(range(start, start + size))
        steps.append(Relaxation(distribution / distribution.sum(), kept, kept / 2, qubits))
        start += size
    return steps


SIZES = st.lists(st.integers(1, 2), min_size=1, max_size=4)
KEPT = st.sampled_from([0.0, 1e-3, 0.4, 0.999, 1.0])


@settings(max_examples=40)
@given(SIZES, KEPT, st.integers(0, 2**32 - 1))
def test_probabilities_of_a_state_that_has_relaxed(sizes, kept, seed):
    rng = np.random.default_rng(seed)
    density, steps = random_density(sum(sizes), rng), random_steps(sizes, kept, rng)
    after = changed(density, steps)
    chosen = [step for step in steps if rng.random() < 0.6] or steps
    rng.shuffle(chosen)
    qubits = [qubit for step in chosen for qubit in step.qubits]
    found = relaxed_probabilities(density, chosen)
    np.testing.assert_allclose(found, outcome_probabilities(after, qubits), atol=1e-12)


@settings(max_examples=40)
@given(SIZES, KEPT, st.integers(0, 2**32 - 1))
def test_the_outcome_drawn_is_that_of_the_state_that_has_relaxed(sizes, kept, seed):
    rng = np.random.default_rng(seed)
    density, steps = random_density(sum(sizes), rng), random_steps(sizes, kept, rng)
    indices, chances = diagonal(changed(density, steps))
    sums = np.cumsum(chances)
    for uniform in (*rng.random(20), 0.0, 1 - 2**-53):
        outcome, chance = relaxed_outcome(density, steps, uniform)
        place = min(int(np.searchsorted(sums, uniform * sums[-1], side="right")), len(sums) - 1)
        assert outcome == indices[place]
        assert chance == pytest.approx(chances[place] / sums[-1])


def test_an_outcome_of_thirty_qubits_is_drawn():
    """Their diagonal would have a thousand million entries."""
    fair = np.array([0.5, 0.5])
    steps = [Relaxation(fair, 0.5, 0.25, (qubit,)) for qubit in range(30)]
    outcome, chance = relaxed_outcome(basis_state(30, 0), steps, 0.75**30 / 2)
    assert (outcome, chance) == (0, pytest.approx(0.75**30))
    rng = np.random.default_rng(2)
    ones = [relaxed_outcome(basis_state(30, 0), steps, u)[0].bit_count() for u in rng.random(400)]
    # 12,000 bits, each 1 with probability 1/4: five standard deviations.
    assert abs(sum(ones) - 3000) < 5 * np.sqrt(12_000 * 0.25 * 0.75)


@settings(max_examples=40)
@given(SIZES, st.integers(0, 2**32 - 1))
def test_no_state_outgrows_what_was_counted(sizes, seed):
    rng = np.random.default_rng(seed)
    vector = np.zeros(1 << sum(sizes), dtype=complex)
    present = rng.choice(len(vector), size=min(3, len(vector)), replace=False)
    vector[present] = rng.normal(size=len(present)) + 1j
    density = pure(vector / np.linalg.norm(vector))
    steps = random_steps(sizes, 0.5, rng)
    most = entries_when_relaxed(density, steps)
    for _ in range(3):
        density = changed(density, steps)
        assert len(density.values) <= most


def test_the_count_is_exact_where_every_state_has_some_probability():
    fair = np.array([0.3, 0.7])
    steps = [Relaxation(fair, 0.5, 0.25, (qubit,)) for qubit in range(6)]
    vector = np.zeros(64)
    vector[[0, 63]] = 0.6, 0.8
    ghz = pure(vector)
    assert entries_when_relaxed(ghz, steps) == 64 + 2
    assert len(changed(ghz, steps).values) == 66
    vector[[1, 62]] = 0.6, 0.8  # qubit 0 turned
    turned = pure(vector / np.linalg.norm(vector))
    # Qubit 0 fills its 2 x 2 block; of the others 2^5 on the diagonal and two entries off it.
    assert entries_when_relaxed(turned, steps) == 4 * (32 + 2)
    assert len(changed(turned, steps).values) == 4 * 34
