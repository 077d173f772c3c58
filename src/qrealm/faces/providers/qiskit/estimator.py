"""`EstimatorV2`: Qiskit's estimator primitive on qrealm's backends."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit.primitives import BaseEstimatorV2, DataBin, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import SparseObservable

from qrealm.base import limits
from qrealm.base.errors import RequestError
from qrealm.circuits import Circuit, PauliSum
from qrealm.circuits.kernel_ops import MATRIX_QUBITS_MAX
from qrealm.circuits.noise.model import NoiseModel
from qrealm.circuits.operations import INITIALIZE
from qrealm.circuits.segments import split_readout
from qrealm.circuits.transform import rebuilt
from qrealm.faces.providers.qiskit.backend import QrealmBackend
from qrealm.faces.providers.qiskit.jobs import QrealmPrimitiveJob
from qrealm.faces.providers.qiskit.narrow import Terms, on_used, read_narrow
from qrealm.faces.providers.qiskit.options import EstimatorOptions, Seed, check_noise, seeds_from
from qrealm.faces.providers.qiskit.primitive import Primitive
from qrealm.faces.providers.qiskit.rows import rows_of, run_rows, told_of
from qrealm.simulate.observables import measured_bases
from qrealm.simulate.results import Result


@dataclass(frozen=True, slots=True)
class _Work:
    """What a pub asks for, read already.

    Attributes:
        circuit: what prepares the state.
        rows: a row of parameter values for each state, shape (R, P).
        observables: the distinct ones.
        row_of: for each value of the result, flattened, its row.
        observable_of: for each value of the result, flattened, its observable.
        shape: of the pub.
        precision: standard error that is wanted; 0 for exact values.
        metadata: the circuit's own.
    """

    circuit: Circuit
    rows: NDArray[np.float64]
    observables: tuple[PauliSum, ...]
    row_of: NDArray[np.int64]
    observable_of: NDArray[np.int64]
    shape: tuple[int, ...]
    precision: float
    metadata: Any

    @classmethod
    def of(cls, pub: Any, noise: NoiseModel | None) -> _Work:
        circuit, used = read_narrow(pub.circuit, noise)
        circuit = _well_read(circuit) if noise is not None else circuit
        rows = rows_of(pub, circuit)
        observables, numbers = _distinct(pub.observables, used, pub.circuit.num_qubits)
        shape = pub.shape
        row_of = np.arange(len(rows)).reshape(pub.parameter_values.shape)
        _check_precision(pub.precision)
        return cls(
            circuit,
            rows,
            observables,
            np.broadcast_to(row_of, shape).ravel(),
            np.broadcast_to(numbers, shape).ravel(),
            shape,
            float(pub.precision),
            pub.circuit.metadata,
        )

    def parts(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """(rows, observables) that belong together: each row is in one part, with all that it needs."""
        table = np.zeros((len(self.rows), len(self.observables)), dtype=bool)
        table[self.row_of, self.observable_of] = True
        if not len(table):
            return
        wanted, part_of = np.unique(table, axis=0, return_inverse=True)
        for number, columns in enumerate(wanted):
            yield np.flatnonzero(part_of.ravel() == number), np.flatnonzero(columns)


class EstimatorV2(Primitive[EstimatorOptions], BaseEstimatorV2):  # type: ignore[misc]
    """Estimates expectation values of observables.

    A pub is ``(circuit, observables, parameter values, precision)``; observables and values are broadcast
    against each other. With precision 0 the values are exact to rounding, also where the circuit
    measures half-way: then they are averaged over all outcomes. With another precision they are estimated
    from as many shots as keep the standard error below it whatever the state, and `stds` has the
    standard errors that came out. Of a noise model, a detector's errors at the end of a circuit are left out:
    values are those of the state.

    Args:
        backend: ``"auto"``, another name of `qrealm.QuantumBackend`, or a `QrealmBackend`, whose options are
            then the defaults of the options here.
        default_precision, seed: the options of these names.
        options: `EstimatorOptions`, or a dict of some of them.

    Raises:
        UnknownBackendError: there is no backend of this name.
        RequestError: an option is unknown.
    """

    def __init__(
        self,
        backend: str | QrealmBackend = "auto",
        *,
        default_precision: float | None = None,
        seed: Seed = None,
        options: EstimatorOptions | Mapping[str, Any] | None = None,
    ) -> None:
        keywords = {"default_precision": default_precision, "seed": seed}
        super().__init__(backend, EstimatorOptions(), None, options, keywords)

    def run(self, pubs: Iterable[Any], *, precision: float | None = None) -> QrealmPrimitiveJob:
        """Estimate pubs in the background.

        Circuits are read before this returns: a later change of them changes nothing here.

        Args:
            pubs: what to estimate; see the class.
            precision: of every pub that names none itself; `options.default_precision` when None.

        Returns:
            A job whose `result` has one `PubResult` for each pub, with ``data.evs`` and ``data.stds``.

        Raises:
            ValueError, TypeError: (Qiskit's) a pub is none.
            ReadError, CircuitError: a circuit cannot be run here.
            RequestError: a precision is not finite; from the job's `result`, it takes more than 2^40 shots.
        """
        chosen = self._options
        target = chosen.default_precision if precision is None else precision
        noise = check_noise(chosen.noise)
        _check_precision(target)
        works = [_Work.of(EstimatorPub.coerce(pub, target), noise) for pub in pubs]
        return self._submitted(_estimate_pub, works)


def _estimate_pub(work: _Work, seed: int, arguments: Mapping[str, Any]) -> Any:
    values = np.zeros((len(work.rows), len(work.observables)))
    errors = np.zeros_like(values)
    metadata = {
        "target_precision": work.precision,
        "seed": seed,
        "backend": arguments["backend"],
        "circuit_metadata": work.metadata,
    }
    parts = list(work.parts())
    straight = work.precision > 0 and _only_gates(work.circuit)
    every: list[Result] = []
    for (rows, columns), part_seed in zip(parts, seeds_from(seed, len(parts)), strict=True):
        observables = [work.observables[column] for column in columns]
        place = np.ix_(rows, columns)
        named = {str(column): each for column, each in zip(columns, observables, strict=True)}
        shots = 0
        if work.precision > 0:
            shots = _shots_needed(named, work.precision, straight)
            metadata["shots"] = max(shots, metadata.get("shots", 0))
        found = run_rows(
            work.circuit,
            work.rows[rows],
            seed=part_seed,
            shots=shots,
            observables=named,
            sampled=straight,
            **arguments,
        )
        values[place] = [list(each.expectation_values.values()) for each in found]
        errors[place] = [list(each.standard_errors.values()) for each in found]
        every += found
    evs = values[work.row_of, work.observable_of].reshape(work.shape)
    stds = errors[work.row_of, work.observable_of].reshape(work.shape)
    return PubResult(DataBin(evs=evs, stds=stds, shape=work.shape), metadata=metadata | told_of(every))


def _distinct(
    observables: Any, used: Sequence[int], num_qubits: int
) -> tuple[tuple[PauliSum, ...], NDArray[np.int64]]:
    """The different observables of an array, on the used qubits, and for each entry which of them it is."""
    array = np.asarray(observables)  # of dicts from labels to coefficients
    numbers = np.zeros(array.shape, dtype=np.int64)
    known: dict[Terms, int] = {}
    for index, terms in np.ndenumerate(array):
        numbers[index] = known.setdefault(on_used(terms.items(), used, num_qubits), len(known))
    return tuple(_pauli_sum(terms) for terms in known), numbers


def _pauli_sum(terms: Terms) -> PauliSum:
    """Qiskit's terms as a Pauli sum; projectors, such as 0 and +, are written out."""
    if any(label.strip("IXYZ") for label, _ in terms):
        found = SparseObservable.from_list(list(terms)).as_paulis().simplify()
        return PauliSum(
            [
                (" ".join(map("{}{}".format, letters, qubits)) or "I", coefficient)
                for letters, qubits, coefficient in found.to_sparse_list()
            ]
        )
    return PauliSum(list(terms))


def _well_read(circuit: Circuit) -> Circuit:
    """The circuit without the detector's errors that nothing in it looks at: values are of its state."""
    instructions, misread = split_readout(circuit.instructions)
    return rebuilt(circuit, instructions) if misread else circuit


def _only_gates(circuit: Circuit) -> bool:
    """Whether nothing but final measurements follows gates and noise, so that any basis can be measured.

    A preparation too wide for one matrix is carried out like a measurement half-way.
    """
    return circuit.terminal_measurements is not None and not any(
        op is INITIALIZE and args[0].amplitudes is not None and len(qubits) > MATRIX_QUBITS_MAX
        for op, qubits, args in circuit
    )


def _shots_needed(named: Mapping[str, PauliSum], precision: float, straight: bool) -> int:
    """Shots in each basis for which no state gives a standard error above `precision`.

    One reading of terms with coefficients c in one basis lies within ± sum |c|, so its variance is at most
    the square of that; the variances of independent bases add. Averages over the outcomes of measurements
    half-way are readings of the whole observable.
    """
    bounds = np.zeros(len(named))
    if straight:
        for basis in measured_bases(tuple(named.items()))[0]:
            sizes = np.zeros(len(named))
            for index, _, coefficient in basis.terms:
                sizes[index] += abs(coefficient)
            bounds += sizes**2
    else:
        for index, observable in enumerate(named.values()):
            x_masks, z_masks, coefficients = observable.masks()
            bounds[index] = np.abs(coefficients[(x_masks | z_masks) != 0]).sum() ** 2
    bound = float(bounds.max())
    if bound > limits.SHOTS_MAX * precision**2:
        raise RequestError(
            f"precision is {precision:g}; the smallest for these observables, which takes 2^40 shots, is "
            f"{math.sqrt(bound / limits.SHOTS_MAX):.3g}",
            hint="precision=0 gives exact values",
        )
    return max(2, math.ceil(bound / precision**2))


def _check_precision(precision: Any) -> None:
    """Raises RequestError when it is no number or not finite. Qiskit looks at the sign."""
    if not isinstance(precision, int | float | np.number) or not math.isfinite(precision):
        raise RequestError(
            f"precision is {precision!r:.60}; the rule is the standard error that is wanted, or 0 for exact "
            "values"
        )
