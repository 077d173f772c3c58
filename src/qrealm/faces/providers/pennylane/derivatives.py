"""Derivatives of tapes by qrealm's adjoint method: Jacobians, and products with vectors from either side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import InternalError
from qrealm.circuits import PauliSum
from qrealm.faces.providers.pennylane.results import RunOptions, pauli_sum_of
from qrealm.faces.providers.pennylane.structures import open_tape, pauli_sum
from qrealm.faces.providers.pennylane.tapes import wire_order
from qrealm.simulate.backends import BACKENDS, QuantumBackend, backend_named
from qrealm.simulate.gradient import gradients


class TapeGradient:
    """A tape of expectation values, converted for a gradient.

    Trainable parameters of observables have derivative 0 here; PennyLane warns of them beforehand.

    Attributes:
        tape: its operations.
        observables: the M of them.
        names: those of the circuit's parameters that are trained.
    """

    def __init__(self, tape: Any) -> None:
        order = wire_order(tape)
        self.tape = open_tape(tape, order)
        self.observables = [_written(process.obs, order) for process in tape.measurements]
        self.names = tuple(name for name in self.tape.trained if name is not None)
        self._places = [place for place, name in enumerate(self.tape.trained) if name is not None]

    def spread(self, derivatives: NDArray[np.float64]) -> NDArray[np.float64]:
        """Derivatives (R, names) by all trainable parameters, (R, P)."""
        found = np.zeros((len(derivatives), len(self.tape.trained)))
        found[:, self._places] = derivatives
        return found


Rows = tuple[NDArray[np.float64], NDArray[np.float64]]


def keeps_amplitudes(backend: str | None) -> bool:
    """Whether a backend has the amplitudes that the adjoint method goes back through; AUTO finds one."""
    name = backend_named(backend)
    return name is QuantumBackend.AUTO or BACKENDS[name].card.seconds is not None


def jacobians(tapes: Sequence[Any], options: RunOptions) -> list[Rows]:
    """(values, shape (M,); derivatives, shape (M, P)) of each tape's M expectation values by its P trainable
    parameters; tapes of one structure together."""
    made = [TapeGradient(tape) for tape in tapes]
    return _weighted(made, [np.eye(len(each.observables)) for each in made], options)


def products(tapes: Sequence[Any], weights: Sequence[NDArray[np.float64]], options: RunOptions) -> list[Rows]:
    """The same of weighted sums of each tape's values: a row of (R, M) `weights` for each sum, one adjoint
    pass each."""
    return _weighted([TapeGradient(tape) for tape in tapes], weights, options)


def _weighted(
    made: Sequence[TapeGradient], weights: Sequence[NDArray[np.float64]], options: RunOptions
) -> list[Rows]:
    alike: dict[tuple[int, tuple[str, ...]], list[int]] = {}
    for place, each in enumerate(made):
        alike.setdefault((id(each.tape.circuit), each.names), []).append(place)
    found: dict[int, Rows] = {}
    for places in alike.values():
        found.update(_together(places, made, weights, options))
    return [found[place] for place in range(len(made))]


def _together(
    places: Sequence[int],
    made: Sequence[TapeGradient],
    weights: Sequence[NDArray[np.float64]],
    options: RunOptions,
) -> dict[int, Rows]:
    """Tapes of one circuit, in one call."""
    columns: dict[tuple[tuple[int, int, float], ...], int] = {}
    rows = [len(weights[place]) for place in places]
    ends = np.cumsum(rows).tolist()
    where = [
        [columns.setdefault(each.strings(), len(columns)) for each in made[place].observables]
        for place in places
    ]
    factors = np.zeros((ends[-1], len(columns)))
    for place, own, count, end in zip(places, where, rows, ends, strict=True):
        for column, at in enumerate(own):
            factors[end - count : end, at] += weights[place][:, column]
    first = made[places[0]]
    found = gradients(
        first.tape.circuit,
        np.repeat([made[place].tape.values for place in places], rows, axis=0).reshape(ends[-1], -1),
        [PauliSum.from_strings(strings) for strings in columns],
        first.names,
        weights=factors,
        precision="double" if options.precision == "auto" else options.precision,
        threads=options.threads,
        backend=options.backend,
    )
    return {
        place: (found.values[end - count : end], made[place].spread(found.derivatives[end - count : end]))
        for place, count, end in zip(places, rows, ends, strict=True)
    }


def _written(observable: Any, order: Any) -> PauliSum:
    sentence = observable.pauli_rep
    found = None if sentence is None else pauli_sum(sentence, order)
    found = pauli_sum_of(observable, order) if found is None else found
    if found is None:
        raise InternalError(f"the observable {observable} passed preprocessing and has no Pauli sum")
    return found


def in_pennylane_form(jacobian: NDArray[np.float64]) -> Any:
    """A Jacobian (M, P) as PennyLane nests it: an axis of length 1 is left out."""
    squeezed = np.squeeze(jacobian)
    if squeezed.ndim == 0:
        return np.array(squeezed)
    if squeezed.ndim == 1:
        return tuple(np.array(each) for each in squeezed)
    return tuple(tuple(np.array(each) for each in row) for row in squeezed)


def values_in_form(values: Sequence[float] | NDArray[np.float64]) -> Any:
    """Expectation values: one alone, or a tuple."""
    found = tuple(np.float64(value) for value in values)
    return found[0] if len(found) == 1 else found


def vector_jacobians(tapes: Sequence[Any], cotangents: Sequence[Any], options: RunOptions) -> tuple[Any, ...]:
    """The vector-Jacobian product of each tape: a tuple with an entry for each trainable parameter."""
    weights = [
        np.asarray(each, dtype=np.float64).reshape((len(tape.measurements), -1)).T
        for tape, each in zip(tapes, cotangents, strict=True)
    ]
    found = []
    for tape, each, (_, rows) in zip(tapes, cotangents, products(tapes, weights, options), strict=True):
        single = np.ndim(each) <= int(len(tape.measurements) > 1)
        found.append(tuple(np.array(value) for value in (rows[0] if single else rows.T)))
    return tuple(found)


def jacobian_vector(jacobian: NDArray[np.float64], tangents: Any) -> Any:
    """The Jacobian-vector product of one tape: an entry for each expectation value."""
    product = jacobian @ np.asarray([float(each) for each in tangents], dtype=np.float64)
    return values_in_form(product)


__all__ = ["in_pennylane_form", "jacobian_vector", "jacobians", "values_in_form", "vector_jacobians"]
