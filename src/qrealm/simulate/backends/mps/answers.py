"""What a run asked for, read off chains."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qrealm.base import cancel
from qrealm.circuits import Circuit
from qrealm.simulate import bits
from qrealm.simulate.backends.mps.chain import Chain
from qrealm.simulate.backends.mps.linalg import Tensor
from qrealm.simulate.backends.mps.sampling import draw, outcomes_of
from qrealm.simulate.backends.mps.values import amplitudes, expectations, vector
from qrealm.simulate.backends.mps.walk import ChainState, ChainWalk
from qrealm.simulate.bits import BitLayout, Outcomes
from qrealm.simulate.branching import Leaf, measures
from qrealm.simulate.leaves import LeafAverages, check_single_state
from qrealm.simulate.misread import Detector
from qrealm.simulate.observables import MeasuredBasis, Named, Parity, estimated
from qrealm.simulate.plan.types import Plan
from qrealm.simulate.request import RunRequest

_TURN_X = np.array([[1, 1], [1, -1]]) * 0.5**0.5
_TURN_Y = _TURN_X @ np.diag([1, -1j])


def counts(
    chain: Chain, layout: BitLayout, shots: int, seed: int, threads: int
) -> tuple[Outcomes, NDArray[np.int64]]:
    """Outcomes of the measured qubits, ascending, and how often each was drawn."""
    places = [(qubit, bit) for qubit, bit in enumerate(layout.bit_of_qubit) if bit >= 0]
    qubits = [qubit for qubit, _ in places]
    drawn = draw(chain, qubits, shots, seed, threads, cancel.check)
    return outcomes_of(drawn, [bit for _, bit in places], layout.num_bits)


def exact_values(chain: Chain, observables: Named) -> dict[str, float]:
    """Expectation value of each observable."""
    strings = [(name, observable.strings()) for name, observable in observables]
    found = expectations(chain, {(x, z) for _, terms in strings for x, z, _ in terms})
    return {name: math.fsum(value * found[x, z] for x, z, value in terms) for name, terms in strings}


def sampled_values(
    chain: Chain, observables: Named, shots: int, seed: int, threads: int, detector: Detector
) -> tuple[dict[str, float], dict[str, float]]:
    """(estimate, standard error) of each observable, from `shots` samples in every basis that is needed, as
    the detector reports them; see `simulate.observables.estimated`."""

    def drawn(basis: MeasuredBasis, basis_seed: int) -> tuple[NDArray[np.int64], Parity]:
        mask = basis.x_mask | basis.z_mask
        qubits = detector.needed(qubit for qubit in range(mask.bit_length()) if (mask >> qubit) & 1)
        rows = draw(_rotated(chain, basis), qubits, shots, basis_seed, threads, cancel.check)
        table, draws = detector.reported_rows(rows.bits, rows.shots, qubits, basis_seed)

        def parity(term: int) -> NDArray[np.int64]:
            columns = [place for place, qubit in enumerate(qubits) if (term >> qubit) & 1]
            return np.asarray(table[:, columns].sum(axis=1, dtype=np.int64) & 1)

        return draws, parity

    return estimated(observables, shots, seed, drawn)


def _rotated(chain: Chain, basis: MeasuredBasis) -> Chain:
    """A copy with each qubit's axis turned to Z."""
    turned = chain.copy()
    for qubit in range(basis.x_mask.bit_length()):
        if (basis.x_mask >> qubit) & 1:
            turned.apply_one(qubit, _TURN_Y if (basis.z_mask >> qubit) & 1 else _TURN_X)
    return turned


def chosen_amplitudes(chain: Chain, indices: Sequence[int]) -> dict[int, complex]:
    """Amplitudes by basis index."""
    if not indices:
        return {}
    return dict(zip(indices, amplitudes(chain, indices).tolist(), strict=True))


def told(chain: Chain) -> dict[str, object]:
    """What truncation did to a chain, for a result's metadata."""
    tally = chain.tally
    return {
        "truncation_error": tally.error,
        "fidelity_estimate": 1.0 - tally.error,
        "discarded_weight": tally.discarded,
        "splits": tally.splits,
        "bond_max_reached": tally.bond_max_reached,
        "bonds": chain.bonds,
    }


class Leaves:
    """What the leaves of a walk add up to.

    Args:
        circuit, request, plan: of the run.
        walk: the walk that visits.
    """

    def __init__(self, circuit: Circuit, request: RunRequest, plan: Plan, walk: ChainWalk) -> None:
        self._request = request
        self._threads = plan.threads
        self._walk = walk
        self._measured = measures(circuit.segments())
        self._num_qubits = circuit.num_qubits
        self.outcomes: list[int] = []
        self.draws: list[int] = []
        self.amplitudes: dict[int, complex] = {}
        self.array: Tensor | None = None
        self.averages = LeafAverages(request.observables, request.planning.shots)
        self._error = self._discarded = 0.0
        self._splits = 0
        self._bond = 1

    def visit(self, leaf: Leaf) -> None:
        """Add one leaf."""
        planning = self._request.planning
        chain = leaf.state.chain if isinstance(leaf.state, ChainState) else None
        assert chain is not None  # a ChainWalk visits chains
        self._error += leaf.share * chain.tally.error
        self._discarded += leaf.share * chain.tally.discarded
        self._splits += chain.tally.splits
        self._bond = max(self._bond, chain.tally.bond_max_reached)
        if planning.state_copy or self._request.amplitudes:
            check_single_state(self._walk.leaves)
            self.amplitudes = chosen_amplitudes(chain, self._request.amplitudes)
            self.array = vector(chain) if planning.state_copy else None
        self.averages.add(leaf.share, exact_values(chain, self._request.observables))
        if leaf.shots:
            self._sample(leaf, chain)

    def _sample(self, leaf: Leaf, chain: Chain) -> None:
        if self._measured and leaf.final is None:
            self.outcomes.append(leaf.clbits)
            self.draws.append(leaf.shots)
            return
        final = leaf.final
        qubits = list(final.qubits) if final is not None else list(range(self._num_qubits))
        clbits = list(final.clbits) if final is not None else qubits
        drawn = draw(chain, qubits, leaf.shots, self._walk.draw_seed(), self._threads, cancel.check)
        outcomes, draws = outcomes_of(drawn, clbits, max(clbits) + 1)
        kept = leaf.clbits & ~sum(1 << bit for bit in clbits) if final is not None else 0
        values = outcomes.tolist() if isinstance(outcomes, np.ndarray) else outcomes
        self.outcomes += [kept | value for value in values]
        self.draws += draws.tolist()

    def counts(self) -> tuple[list[int], NDArray[np.int64]]:
        """Distinct outcomes, ascending, and how often each was drawn."""
        return bits.merge(self.outcomes, self.draws)

    def told(self) -> dict[str, object]:
        """What truncation did, averaged over the leaves."""
        return {
            "truncation_error": self._error,
            "fidelity_estimate": 1.0 - self._error,
            "discarded_weight": self._discarded,
            "splits": self._splits,
            "bond_max_reached": self._bond,
        }
