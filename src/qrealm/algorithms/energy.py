"""The function that variational algorithms go downhill on: an expectation value and its gradient."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qrealm.algorithms.optimizers import FloatArray
from qrealm.algorithms.options import RunOptions
from qrealm.algorithms.progress import ProgressLine
from qrealm.circuits import Circuit, PauliSum
from qrealm.simulate.gradient import gradient
from qrealm.simulate.run import sweep

Callback = Callable[[int, FloatArray, float], object]
"""Called after each evaluation with its number (from 1), the parameters of shape (P,), and the value."""


class EnergyFunction:
    """The expectation value of a Hamiltonian as a function of a circuit's parameters; keeps what it saw.

    Args:
        circuit: with open parameters.
        hamiltonian: Hermitian.
        shots: 0 for exact values.
        sampled: whether shots measure the terms; else exact values are averaged over what noise does in each.
        generator: seeds of sampled values.
        options: precision, threads and backend.
        callback: told of every evaluation.
        progress: rewritten at every evaluation.
        sign: -1 when callback and progress are to see the negative.
        evaluations_before: what the callback's number starts from.
        derived: a quicker way to the same exact value and derivatives; None for `qrealm.gradient`.
    """

    def __init__(
        self,
        circuit: Circuit,
        hamiltonian: PauliSum,
        *,
        shots: int,
        sampled: bool = True,
        generator: np.random.Generator,
        options: RunOptions,
        callback: Callback | None = None,
        progress: ProgressLine | None = None,
        sign: float = 1.0,
        evaluations_before: int = 0,
        derived: Callable[[FloatArray], tuple[float, FloatArray]] | None = None,
    ) -> None:
        self._circuit = circuit
        self._hamiltonian = hamiltonian
        self._shots = shots
        self._sampled = sampled and shots > 0
        self._generator = generator
        self._options = options
        self._callback = callback
        self._progress = progress
        self._sign = sign
        self._before = evaluations_before
        self._derived = derived or self._by_gates
        self.history: list[float] = []
        self.best_value = np.inf
        self.best_point: FloatArray = np.zeros(len(circuit.parameters))

    def estimate(self, point: FloatArray) -> tuple[float, float]:
        """(value, standard error), without being recorded."""
        seed = int(self._generator.integers(1 << 63))
        result = sweep(
            self._circuit,
            [point.tolist()],
            shots=self._shots,
            seed=seed,
            observables={"energy": self._hamiltonian},
            sampled=self._sampled,
            **self._options,
        )[0]
        return result.expectation_values["energy"], result.standard_errors["energy"]

    def value(self, point: FloatArray) -> float:
        """The value, exact or sampled."""
        value, _ = self.estimate(point)
        self._record(point, value)
        return value

    def value_and_gradient(self, point: FloatArray) -> tuple[float, FloatArray]:
        """The exact value and its derivatives by the adjoint method, shape (P,)."""
        value, derivatives = self._derived(point)
        self._record(point, value)
        return value, derivatives

    def _by_gates(self, point: FloatArray) -> tuple[float, FloatArray]:
        found = gradient(self._circuit, self._hamiltonian, point.tolist(), **self._options)
        return found.value, found.derivatives

    def _record(self, point: FloatArray, value: float) -> None:
        self.history.append(value)
        if value < self.best_value:
            self.best_value, self.best_point = value, point.copy()
        if self._callback is not None:
            self._callback(self._before + len(self.history), point.copy(), self._sign * value)
        if self._progress is not None:
            self._progress.update(self._sign * value, self._sign * self.best_value)
