"""What a register tells without being measured."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from qrealm.control.containers.registers.decaying import decayed, relaxations
from qrealm.control.containers.registers.measuring import part_of
from qrealm.control.containers.registers.places import qubits_by_member, qubits_of
from qrealm.control.containers.registers.preparing import distribution
from qrealm.control.containers.registers.relating import map_of, maps_from, rooted, roots_of
from qrealm.control.containers.values import Register, Relation
from qrealm.simulate import sparse_density_measures as of_density
from qrealm.simulate.sparse_density import SparseDensity, gathered, mask_of
from qrealm.simulate.sparse_density_simulators import SparseSimulator

CHANCE_MIN = 1e-12
"""Joint outcomes below this probability are not listed."""

WEIGHT_MIN = 1e-12
"""Coherence below this weight is rounding."""


def probabilities(register: Register, container_id: str) -> NDArray[np.float64]:
    """Of every basis state of one container, shape (2^q,); from index k on they stand for no state.

    Raises:
        NoSuchContainerError: it is not a member.
    """
    return of_density.outcome_probabilities(register.density, qubits_of(register, container_id))


def probabilities_at(register: Register, container_id: str, now: float, t1_s: float) -> NDArray[np.float64]:
    """What `probabilities` will be of the register decayed up to `now`, which need not be computed: the odds
    of one container relax with T1 alone, whatever it is entangled with.

    Args:
        now, t1_s: as of `decayed`.

    Raises:
        NoSuchContainerError: it is not a member.
        RegisterError: a time that is not positive.
    """
    qubits = qubits_of(register, container_id)
    step = next(each for each in relaxations(register, now, t1_s, t1_s) if each.qubits == qubits)
    return of_density.relaxed_probabilities(register.density, [step])


def relation_probability_at(register: Register, relation: Relation, now: float, t1_s: float) -> float:
    """Probability that a relation would be found to hold, were its two containers measured at `now`: that the
    state of the second is the one which the relation says of the first's. A basis index that stands for no
    state is to be the same in both.

    The register decayed up to `now` need not be computed: each of the two relaxes with T1 by itself, so that
    after e^(-t/T1) = a the joint odds are a² P + a (1 - a) (P₁ ⊗ π₂ + π₁ ⊗ P₂) + (1 - a)² π₁ ⊗ π₂.

    Args:
        relation: of two members.
        now, t1_s: as of `decayed`.

    Raises:
        NoSuchContainerError: one of the two is not a member.
        RegisterError: a time that is not positive.
    """
    first, second = (qubits_of(register, name) for name in (relation.first, relation.second))
    steps = {each.qubits: each for each in relaxations(register, now, t1_s, t1_s)}
    num_states = next(m.num_states for m in register.members if m.container == relation.first)
    follow = map_of(relation, num_states).table()
    indices, chances = of_density.diagonal(register.density)
    keeps = follow[gathered(indices, first)] == gathered(indices, second)
    at_first = of_density.outcome_probabilities(register.density, first)
    at_second = of_density.outcome_probabilities(register.density, second)[follow]
    fresh_first = steps[first].distribution
    fresh_second = steps[second].distribution[follow]
    kept = steps[first].populations_kept
    share = (
        kept**2 * float(chances[keeps].sum())
        + kept * (1.0 - kept) * float(at_first @ fresh_second + fresh_first @ at_second)
        + (1.0 - kept) ** 2 * float(chances.sum() * (fresh_first @ fresh_second))
    )
    return min(1.0, max(0.0, share / float(chances.sum())))


def joint_probabilities(register: Register, container_ids: Sequence[str]) -> dict[tuple[int, ...], float]:
    """Of every joint outcome of some containers, an index for each, in rising order; those below 1e-12
    are left out.

    Raises:
        NoSuchContainerError: one is not a member.
    """
    places = [qubits_of(register, name) for name in container_ids]
    indices, chances = of_density.diagonal(register.density)
    # Later containers into lower bits, so that outcomes come in the order in which people count.
    together = np.zeros(len(indices), dtype=np.uint64)
    for qubits in places:
        together = together << np.uint64(len(qubits)) | gathered(indices, qubits).astype(np.uint64)
    outcomes, place = np.unique(together, return_inverse=True)
    sums = np.bincount(place, weights=chances)
    found = {}
    for outcome, chance in zip(outcomes.tolist(), sums.tolist(), strict=True):
        if chance >= CHANCE_MIN:
            key = []
            for qubits in reversed(places):
                key.append(outcome & (1 << len(qubits)) - 1)
                outcome >>= len(qubits)
            found[tuple(reversed(key))] = chance
    return found


def purity(register: Register) -> float:
    """tr ρ²: 1 for a pure state."""
    return of_density.purity(register.density)


def coherence_bits(register: Register) -> float | None:
    """Relative entropy of coherence S(diag ρ) - S(ρ) in bits: how far the register is from a classical
    distribution over its outcomes.

    Returns:
        None where so many basis states hang together that their eigenvalues would take a second.
    """
    return of_density.coherence_bits(register.density)


def mutual_information_bits(register: Register, first_id: str, second_id: str) -> float | None:
    """Quantum mutual information S(A) + S(B) - S(AB) of two members in bits, the others traced out.

    2 log2 k for two in the state Σ |ii⟩/√k; the classical one where nothing is coherent.

    Returns:
        None where `coherence_bits` is.

    Raises:
        NoSuchContainerError: one is not a member.
    """
    return of_density.mutual_information_bits(
        register.density, qubits_of(register, first_id), qubits_of(register, second_id)
    )


def all_mutual_information_bits(
    register: Register, now: float, t1_s: float, t2_s: float
) -> dict[tuple[str, str], float | None]:
    """What `mutual_information_bits` will be of every two members of the register decayed up to `now`.

    Every container decays by itself, so the others may be traced out before: the rest of the register's decay
    need not be computed. Entries that are off the diagonal in more than two members count for no pair.
    """
    density = register.density
    apart = density.rows ^ density.cols
    differing = np.zeros(len(apart), dtype=np.uint8)
    for qubits in qubits_by_member(register.members).values():
        differing += (apart & np.uint32(mask_of(qubits))) != 0
    kept = differing <= 2
    part = SparseDensity(density.num_qubits, density.rows[kept], density.cols[kept], density.values[kept])
    register = replace(register, density=part)
    found = {}
    for one, two in itertools.combinations([member.container for member in register.members], 2):
        both = part_of(register, frozenset({one, two}))
        both = decayed(both, now, t1_s, t2_s, SparseSimulator())
        found[one, two] = mutual_information_bits(both, one, two)
    return found


def fresh_fidelity(register: Register, relations: Sequence[Relation]) -> float:
    """⟨ψ|ρ|ψ⟩ with ψ the state that `prepare_group` makes of the members and relations."""
    rows = _fresh_amplitudes(register, relations, register.density.rows)
    cols = _fresh_amplitudes(register, relations, register.density.cols)
    return min(1.0, max(0.0, float(np.sum(rows * register.density.values.real * cols))))


def coherence_share(stored: Register, present: Register, relations: Sequence[Relation]) -> float:
    """How much is left of the coherence that a register had when it was last changed, from 1 to 0.

    The weight of coherences is C = Σ |ρ_ij|² over i ≠ j; with the odds p_i a pure state has 1 - Σ p_i², the
    most that there can be. What C has lost to the surroundings is the mixedness 1 - tr ρ². The share is the
    lesser of two:

    - C over what it was in `stored`;
    - 1 - (1 - tr ρ²) / M, where M is how mixed the register would be without any coherence: with the odds of
      `stored`, or with those of a fresh preparation, whichever is more.

    The first tells what faded since the last change. The second tells what had faded before that, and how
    far a measured state, which has no coherence, has relaxed. Preparation, gates and measurement leave a pure
    state pure, so they take nothing away: who mends registers below a threshold undoes none of them. It is 1
    too where nothing can be lost.

    Args:
        stored: as it was left by what changed it last.
        present: the same, decayed since then.
        relations: those in force; others do no harm.
    """
    shares = [1.0]
    before = of_density.coherence_weight(stored.density)
    if before > WEIGHT_MIN:
        shares.append(of_density.coherence_weight(present.density) / before)
    mixed_at_most = max(of_density.dephased_mixedness(stored.density), _fresh_mixedness(stored, relations))
    if mixed_at_most > WEIGHT_MIN:
        shares.append(1.0 - (1.0 - purity(present)) / mixed_at_most)
    return max(0.0, min(shares))


def _fresh_mixedness(register: Register, relations: Sequence[Relation]) -> float:
    """How mixed a fresh group is once all its coherence is gone: whoever follows adds nothing."""
    by_id = {member.container: member for member in register.members}
    inside = [r for r in relations if r.first in by_id and r.second in by_id]
    chances = [float(np.sum(distribution(by_id[root]) ** 2)) for root in roots_of(by_id, inside)]
    return 1.0 - math.prod(chances)


def _fresh_amplitudes(
    register: Register, relations: Sequence[Relation], indices: NDArray[np.uint32]
) -> NDArray[np.float64]:
    """ψ at some basis indices: real, and 0 wherever a relation is broken."""
    places = qubits_by_member(register.members)
    by_id = {member.container: member for member in register.members}
    inside = [r for r in relations if r.first in by_id and r.second in by_id]
    found = np.ones(len(indices))
    for root in roots_of(by_id, inside):
        states = gathered(indices, places[root])
        found *= np.sqrt(distribution(by_id[root]))[states]
        k = by_id[root].num_states
        for name, follow in maps_from(root, rooted(root, inside, k), k).items():
            found *= gathered(indices, places[name]) == follow.table()[states]
    return found
