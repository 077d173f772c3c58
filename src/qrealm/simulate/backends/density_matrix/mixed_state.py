"""`MixedState`: a density matrix in the state-vector kernel's memory, and what can be read from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qrealm.simulate.backends.density_matrix.doubled import Doubler
from qrealm.simulate.backends.density_matrix.steps import Evolution, Load
from qrealm.simulate.backends.protocol import Program, State, SteeredBackend
from qrealm.simulate.observables import Named, parities
from qrealm.simulate.plan.types import Precision

ComplexArray = NDArray[np.complex128] | NDArray[np.complex64]


class Machine:
    """Where mixed states live: the state-vector backend, a precision, a number of threads.

    Args:
        engine: holds the 2n wires.
        num_qubits: n.
    """

    def __init__(self, engine: SteeredBackend, num_qubits: int, precision: Precision, threads: int) -> None:
        self.engine = engine
        self.num_qubits = num_qubits
        self.precision = precision
        self.threads = threads
        self._programs: dict[int, tuple[Evolution, Program]] = {}
        side = np.uint64(1) << np.uint64(num_qubits)
        self.rows = np.arange(side, dtype=np.uint64)
        self.shift = np.uint64(num_qubits)

    def program(self, step: Evolution) -> Program:
        """The step compiled, once."""
        found = self._programs.get(id(step))
        if found is None:  # the step is kept too, so that its id stays its own
            found = self._programs[id(step)] = (step, self.engine.compile(step.packed, self.precision))
        return found[1]

    def start(self) -> MixedState:
        """|0...0><0...0|."""
        return MixedState(self, self.engine.start(2 * self.num_qubits, self.precision))


class MixedState:
    """A density matrix of trace 1, but for rounding. Made by `Machine.start`."""

    __slots__ = ("_log_scale", "_machine", "_state")

    def __init__(self, machine: Machine, state: State, log_scale: float = 0.0) -> None:
        self._machine = machine
        self._state = state
        self._log_scale = log_scale

    def copy(self) -> MixedState:
        """An independent copy."""
        return MixedState(self._machine, self._state.copy(), self._log_scale)

    # ---- moving it -------------------------------------------------------------------------------

    def evolve(self, step: Evolution) -> None:
        """Gates, channels, resets."""
        self._state.apply(self._machine.program(step), self._machine.threads)
        self._log_scale += step.log_scale

    def turn(self, x_mask: int, z_mask: int, back: bool = False) -> None:
        """The axes of measured qubits to Z, or back."""
        doubler = Doubler(self._machine.num_qubits)
        doubler.rotate(x_mask, z_mask, back)
        self._once(doubler)

    def project(self, qubits: Sequence[int], outcome: int, probability: float) -> None:
        """The state when the qubits were found in an outcome (the first one its low bit) that had this
        probability."""
        doubler = Doubler(self._machine.num_qubits)
        doubler.project(qubits, outcome, probability)
        self._once(doubler)

    def load(self, step: Load) -> None:
        """Prepare qubits that are |0...0>. Holds two arrays of the whole state beside it while it works."""
        count = self._machine.num_qubits
        array = self._array()
        width = array.dtype
        wires = [*step.qubits, *(q + count for q in step.qubits)]
        axes = [2 * count - 1 - wire for wire in reversed(wires)]
        tensor = array.reshape((2,) * (2 * count))
        others = tensor[tuple(0 if axis in axes else slice(None) for axis in range(2 * count))].copy()
        del array, tensor
        amplitudes = step.amplitudes.astype(width)
        prepared = np.multiply.outer(amplitudes.conj(), amplitudes).reshape((2,) * len(axes))
        whole = np.multiply.outer(prepared, others)
        rest = [axis for axis in range(2 * count) if axis not in axes]
        order = np.argsort([*axes, *rest])
        self._state.load(np.ascontiguousarray(whole.transpose(order)).reshape(-1))

    def mix(self, other: MixedState, weight: float, other_weight: float) -> None:
        """Become the mixture of both, the weights adding up to 1. Holds two arrays beside the states."""
        array = self._array()
        array *= weight * np.exp(self._log_scale)
        more = other._array()
        more *= other_weight * np.exp(other._log_scale)
        array += more
        del more
        self._state.load(array)
        self._log_scale = 0.0

    # ---- reading it ------------------------------------------------------------------------------

    def probabilities(self) -> NDArray[np.float64]:
        """Of every basis state, shape (2^n,), adding up to 1."""
        machine = self._machine
        diagonal = self._state.amplitudes(machine.rows | machine.rows << machine.shift).real
        weights = np.maximum(diagonal, 0.0)
        return np.asarray(weights / weights.sum(), dtype=np.float64)

    def marginal(self, qubits: Sequence[int]) -> NDArray[np.float64]:
        """Of the outcomes of some qubits, shape (2^k,); the first one is the low bit."""
        count = self._machine.num_qubits
        tensor = self.probabilities().reshape((2,) * count)
        axes = [count - 1 - qubit for qubit in reversed(qubits)]
        rest = tuple(axis for axis in range(count) if axis not in axes)
        return np.asarray(tensor.transpose(*axes, *rest).reshape(1 << len(qubits), -1).sum(axis=1))

    def values(self, observables: Named) -> dict[str, float]:
        """Tr(P ρ) summed over each observable's terms: 2^n entries of ρ for each set of flipped qubits."""
        machine = self._machine
        scale = np.exp(self._log_scale)
        diagonals: dict[int, NDArray[np.complex128]] = {}
        values: dict[str, float] = {}
        for name, observable in observables:
            total = 0.0
            for x_mask, z_mask, coefficient in observable.strings():
                if x_mask not in diagonals:
                    columns = machine.rows ^ np.uint64(x_mask)
                    diagonals[x_mask] = self._state.amplitudes(machine.rows | columns << machine.shift)
                # P|j> = i^(number of Y) (-1)^(j.z) |j ^ x>, so Tr(P ρ) sums ρ[j, j ^ x] with these factors.
                signs = 1.0 - 2.0 * parities(machine.rows, z_mask)
                phase = 1j ** ((x_mask & z_mask).bit_count() & 3)
                total += coefficient * float((phase * (signs @ diagonals[x_mask])).real)
            values[name] = total * float(scale)
        return values

    def to_array(self) -> ComplexArray:
        """ρ, shape (2^n, 2^n), entry [i, j] = <i|ρ|j>."""
        side = 1 << self._machine.num_qubits
        array = self._array()
        if self._log_scale:
            array *= np.exp(self._log_scale)
        return array.reshape(side, side).T

    def _array(self) -> ComplexArray:
        return self._state.to_array(self._machine.threads)

    def _once(self, doubler: Doubler) -> None:
        if not len(doubler):
            return
        packed, log_scale = doubler.packed()
        machine = self._machine
        self._state.apply(machine.engine.compile(packed, machine.precision), machine.threads)
        self._log_scale += log_scale
