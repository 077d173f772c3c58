"""Derivatives of tapes by qrealm's adjoint method: Jacobians, and products with vectors from either side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import InternalError
from qrealm.circuits import PauliSum
from qrealm.faces.providers.pennylane.results import RunOptions, pauli_sum_of
from qrealm.faces.providers.pennylane.tapes import convert, wire_order
from qrealm.simulate.gradient import gradient


class TapeGradient:
    """A tape of expectation values, converted once for any number of gradients.

    Trainable parameters of observables have derivative 0 here; PennyLane warns of them beforehand.
    """

    def __init__(self, tape: Any, options: RunOptions) -> None:
        order = wire_order(tape)
        self._made = convert(tape, order, tape.operations, open_parameters=True)
        self._options = options
        self._columns = len(tape.trainable_params)
        self._observables = [_written(process.obs, order) for process in tape.measurements]

    def jacobian(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(values, shape (M,); derivatives, shape (M, P)) of M expectation values by P parameters."""
        rows = [self._gradient(observable) for observable in self._observables]
        return np.array([value for value, _ in rows]), np.array([row for _, row in rows])

    def product(self, cotangents: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum of derivatives weighted by `cotangents` (M,): one adjoint pass; shape (P,)."""
        weighted = PauliSum()
        for weight, observable in zip(cotangents.tolist(), self._observables, strict=True):
            if weight:
                weighted = weighted + observable * weight
        if len(weighted) == 0:
            return np.zeros(self._columns)
        return self._gradient(weighted)[1]

    def _gradient(self, observable: PauliSum) -> tuple[float, NDArray[np.float64]]:
        made = self._made
        precision = "double" if self._options.precision == "auto" else self._options.precision
        values = {f"p{index}": value for index, value in enumerate(made.values)}
        found = gradient(
            made.circuit, observable, values, precision=precision, threads=self._options.threads,
            backend=self._options.backend,
        )  # fmt: skip
        derivatives = np.zeros(self._columns)
        for name, derivative in zip(found.parameters, found.derivatives, strict=True):
            derivatives[int(name[1:])] = derivative
        return found.value, derivatives


def _written(observable: Any, order: Any) -> PauliSum:
    found = pauli_sum_of(observable, order)
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


def vector_jacobian(tape_gradient: TapeGradient, cotangents: Any, measurements: int) -> Any:
    """The vector-Jacobian product of one tape: a tuple with an entry for each trainable parameter."""
    weights = np.asarray(cotangents, dtype=np.float64).reshape((measurements, -1))
    products = [tape_gradient.product(column) for column in weights.T]
    if np.ndim(cotangents) <= int(measurements > 1):
        return tuple(np.array(value) for value in products[0])
    return tuple(np.array(row) for row in np.transpose(products))


def jacobian_vector(jacobian: NDArray[np.float64], tangents: Any) -> Any:
    """The Jacobian-vector product of one tape: an entry for each expectation value."""
    product = jacobian @ np.asarray([float(each) for each in tangents], dtype=np.float64)
    return values_in_form(product)


__all__ = ["TapeGradient", "in_pennylane_form", "jacobian_vector", "values_in_form", "vector_jacobian"]
