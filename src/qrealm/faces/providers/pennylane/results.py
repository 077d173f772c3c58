"""What PennyLane's measurement processes ask of a tape, from runs of qrealm."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pennylane as qml
from numpy.typing import NDArray
from pennylane import measurements as mps

from qrealm.base.errors import RequestError
from qrealm.circuits import Circuit, PauliSum
from qrealm.circuits.noise.model import NoiseModel
from qrealm.faces.providers.pennylane.tapes import TapeCircuit, convert, pauli_terms, wire_order
from qrealm.faces.providers.shots import bits_of_shots
from qrealm.faces.providers.warned import warned
from qrealm.simulate.results import Result
from qrealm.simulate.run import run

PAULI_WIRES_MAX = 5
"""Wires of a Hermitian matrix that is written as a Pauli sum: at most 4^5 terms."""

SQUARE_TERMS_MAX = 40
"""Terms of a Pauli sum whose variance is taken from its square, which has as many as their square."""

_SHADOWS = (mps.ClassicalShadowMP, mps.ShadowExpvalMP)


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a device gives to every run: see `qrealm.run`."""

    precision: str
    threads: int | None
    backend: str | None
    noise: NoiseModel | None = None
    options: Any = None

    def given(self) -> dict[str, Any]:
        """What every run gets as it is."""
        return {
            "threads": self.threads,
            "backend": self.backend,
            "noise": self.noise,
            "options": self.options,
        }


def pauli_sum_of(observable: Any, order: Any) -> PauliSum | None:
    """An observable as a Pauli sum; None where it has no short one."""
    sentence = observable.pauli_rep
    if sentence is None and observable.has_matrix and 1 <= len(observable.wires) <= PAULI_WIRES_MAX:
        matrix = np.asarray(qml.math.toarray(observable.matrix()))
        sentence = qml.pauli_decompose(matrix, wire_order=observable.wires, pauli=True)
    return None if sentence is None else PauliSum(pauli_terms(sentence, order))


def analytic_results(tape: Any, options: RunOptions) -> Any:
    """Exact results of a tape, in PennyLane's form: one, or a tuple of several."""
    order = wire_order(tape)
    runner = _Exact(tape, order, options)
    named: dict[str, PauliSum] = {}
    plans = [runner.plan(index, process, named) for index, process in enumerate(tape.measurements)]
    needs_state = any(
        plan is None and not _rotates(m) for plan, m in zip(plans, tape.measurements, strict=True)
    )
    result = runner.run(named, needs_state)
    found = tuple(
        runner.value(process, plan, result) for process, plan in zip(tape.measurements, plans, strict=True)
    )
    return found[0] if len(found) == 1 else found


def _rotates(process: Any) -> bool:
    """Whether an observable's basis must be turned before its outcomes can be read from a state."""
    return process.obs is not None and not isinstance(process.obs, qml.SparseHamiltonian)


class _Exact:
    """One tape without shots."""

    def __init__(self, tape: Any, order: Any, options: RunOptions) -> None:
        self.tape = tape
        self.order = order
        self.options = options
        self.start, self.operations = after_projectors(tape, order, options)
        self.mixed = options.noise is not None or any(
            isinstance(op, qml.operation.Channel) for op in self.operations
        )

    def plan(self, index: int, process: Any, named: dict[str, PauliSum]) -> tuple[str, ...] | None:
        """Names of the expectation values that tell a measurement, added to `named`; None for the state."""
        if process.obs is None or not isinstance(process, mps.ExpectationMP | mps.VarianceMP):
            return None
        observable = pauli_sum_of(process.obs, self.order)
        if observable is None:
            return None
        if isinstance(process, mps.ExpectationMP):
            named[f"{index}"] = observable
            return (f"{index}",)
        if len(observable) > SQUARE_TERMS_MAX:
            return None
        named[f"{index}"], named[f"{index} squared"] = observable, observable * observable
        return f"{index}", f"{index} squared"

    def run(self, named: dict[str, PauliSum], state: bool, after: Sequence[Any] = ()) -> Result | None:
        """The tape's operations and those `after` them; None where nothing is asked."""
        if not named and not state:
            return None
        made = convert(self.tape, self.order, [*self.operations, *after])
        precision = "double" if self.options.precision == "auto" else self.options.precision
        return warned(run(
            _started(made.circuit, self.start), 0, precision=precision, observables=named or None,
            return_statevector=state and not self.mixed, return_density_matrix=state and self.mixed,
            **self.options.given(),
        ))  # fmt: skip

    def value(self, process: Any, plan: tuple[str, ...] | None, result: Result | None) -> Any:
        """One measurement's result."""
        if plan is not None:
            assert result is not None  # a plan asks for values
            first = result.expectation_values[plan[0]]
            if isinstance(process, mps.ExpectationMP):
                return np.float64(first)
            return np.float64(max(0.0, result.expectation_values[plan[1]] - first * first))
        if _rotates(process):
            result = self.run({}, True, process.diagonalizing_gates())
        assert result is not None  # a state was asked for
        if self.mixed:
            return self.of_mixture(process, np.array(result.density_matrix))
        state = np.array(result.statevector)  # PennyLane may go on with the array; ours is read-only
        if isinstance(process.obs, qml.SparseHamiltonian):
            matrix = process.obs.sparse_matrix(wire_order=self.order)
            return np.float64(np.vdot(state, matrix @ state).real)
        return process.process_state(state, wire_order=self.order)

    def of_mixture(self, process: Any, density: NDArray[np.complex128]) -> Any:
        """The same of a density matrix, where there are channels."""
        if isinstance(process.obs, qml.SparseHamiltonian):
            matrix = process.obs.sparse_matrix(wire_order=self.order)
            return np.float64((matrix @ density).trace().real)
        if type(process) is mps.StateMP:  # as in default.mixed, the state is then the density matrix
            process = mps.DensityMatrixMP(wires=process.wires or self.order)
        return process.process_density_matrix(density, wire_order=self.order)


def after_projectors(tape: Any, order: Any, options: RunOptions) -> tuple[Any, list[Any]]:
    """(the normalised state after the last postselection, or None; the operations that follow it).

    A state of norm 0 becomes NaN, as in PennyLane: nothing is left after the postselection.
    """
    operations = list(tape.operations)
    cuts = [index for index, op in enumerate(operations) if isinstance(op, qml.Projector)]
    state: Any = None
    begun = 0
    for cut in cuts:
        # Only operations of the tape itself have places among its parameters; here all are numbers.
        made = convert(tape, order, operations[begun:cut])
        state = _projected(_state_of(_started(made.circuit, state), options), operations[cut], order)
        begun = cut + 1
    return state, operations[begun:]


def _projected(state: NDArray[np.complex128], projector: Any, order: Any) -> NDArray[np.complex128]:
    tensor = state.reshape((2,) * len(order))
    chosen: list[Any] = [slice(None)] * len(order)
    for wire, bit in zip(projector.wires, np.ravel(projector.data[0]), strict=True):
        chosen[order.index(wire)] = int(bit)
    kept = np.zeros_like(tensor)
    kept[tuple(chosen)] = tensor[tuple(chosen)]
    norm = np.linalg.norm(kept)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (kept / norm).reshape(-1)


def _state_of(circuit: Circuit, options: RunOptions) -> NDArray[np.complex128]:
    """The final state, writable, in double precision. Raises RequestError where there is noise."""
    if options.noise is not None:
        raise RequestError(
            "classical shadows, and postselection without shots, are taken from a pure state, and the "
            "noise= of the device leaves none",
            hint="postselect with shots; estimate observables by expval instead of shadows",
        )
    result = warned(run(circuit, 0, precision="double", return_statevector=True, **options.given()))
    assert result.statevector is not None  # asked for
    return np.array(result.statevector)


def _started(circuit: Circuit, state: Any) -> Circuit:
    """The circuit on a given state instead of |0...0>."""
    if state is None:
        return circuit
    return Circuit(circuit.num_qubits, circuit.num_clbits).initialize(state).compose(circuit)


# ---- with shots --------------------------------------------------------------------------------------


def sampled_results(tape: Any, options: RunOptions, generator: np.random.Generator) -> Any:
    """Results of a tape with shots, in PennyLane's form; its measurements all commute qubit by qubit.

    For a shot vector, a tuple with one entry for each number of shots. Shots that a postselection refuses are
    left out of the statistics.
    """
    order = wire_order(tape)
    samples: NDArray[np.int64] | None = None
    kept: NDArray[np.bool_] | None = None
    measured: list[Any] = []
    if any(not isinstance(process, _SHADOWS) for process in tape.measurements):
        samples, kept, measured = _samples(tape, order, options, generator)
    found = []
    for lower, upper in tape.shots.bins():
        part = None if samples is None else samples[lower:upper]
        if part is not None and kept is not None:
            part = part[kept[lower:upper]]
        results = tuple(
            _from_samples(process, part, order, measured)
            if not isinstance(process, _SHADOWS)
            else _shadow(tape, process, order, options, upper - lower, generator)
            for process in tape.measurements
        )
        found.append(results[0] if len(results) == 1 else results)
    return tuple(found) if tape.shots.has_partitioned_shots else found[0]


def _samples(
    tape: Any, order: Any, options: RunOptions, generator: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.bool_] | None, list[Any]]:
    """(bits of each shot; which shots count, None for all; the half-way measurements).

    The bits are those of the wires in order, then those of the half-way measurements.
    """
    state, operations = after_projectors(tape, order, options)
    made = convert(tape, order, [*operations, *_turns(tape)])
    width = len(order)
    circuit = _with_readout(made, width)
    result = warned(run(
        _started(circuit, state), tape.shots.total_shots, int(generator.integers(1 << 63)),
        precision=options.precision, **options.given(),
    ))  # fmt: skip
    total = width + len(made.measured)
    bits = bits_of_shots(result, total, generator)
    # Bit 0 is the last wire; half-way measurements come after the wires.
    samples = bits[:, [*range(width - 1, -1, -1), *range(width, total)]].astype(np.int64)
    wanted = [(index, op.postselect) for index, op in enumerate(made.measured) if op.postselect is not None]
    kept = None
    if wanted:
        kept = np.all([samples[:, width + index] == value for index, value in wanted], axis=0)
    return samples, kept, made.measured


def _with_readout(made: TapeCircuit, width: int) -> Circuit:
    """The circuit with its qubits measured into the lowest bits; half-way measurements follow."""
    if not made.measured:
        return made.circuit
    circuit = Circuit(made.circuit.num_qubits, width + len(made.measured))
    circuit.compose(made.circuit, clbits=list(range(width, width + len(made.measured))))
    return circuit.measure(range(width), range(width))


def _turns(tape: Any) -> list[Any]:
    """Gates that turn each observable's basis to the one that is measured, none twice."""
    turned: list[Any] = []
    found: list[Any] = []
    for process in tape.measurements:
        if process.obs is None or isinstance(process, _SHADOWS):
            continue
        for part in _factors(process.obs):
            if not any(qml.equal(part, other) for other in turned):
                turned.append(part)
                found += part.diagonalizing_gates()
    return found


def _factors(observable: Any) -> list[Any]:
    """The observables on single wires that a product consists of; else the observable itself."""
    if isinstance(observable, qml.ops.SProd):
        return _factors(observable.base)
    if isinstance(observable, qml.ops.Prod) and not observable.has_overlapping_wires:
        return [part for operand in observable.operands for part in _factors(operand)]
    return [observable]


def _from_samples(process: Any, samples: Any, order: Any, measured: Sequence[Any]) -> Any:
    """A measurement's result from bits of shots."""
    wires = list(order)
    if process.mv is not None and measured:
        process, names = _renamed(process, measured)
        wires += names
    elif measured:
        samples = samples[:, : len(order)]
    if len(samples) == 0:
        return _of_nothing(process)
    return process.process_samples(samples, qml.wires.Wires(wires))


def _renamed(process: Any, measured: Sequence[Any]) -> tuple[Any, list[str]]:
    """The measurement with a wire of its own for each half-way measurement, and those wires' names."""
    names = [f"half-way measurement {index}" for index in range(len(measured))]
    twins = {
        op.hash: qml.ops.MidMeasure(wires=qml.wires.Wires([name]), meas_uid=f"{index}")
        for index, (op, name) in enumerate(zip(measured, names, strict=True))
    }

    def twin(value: Any) -> Any:
        changed = copy(value)
        changed.measurements = [twins[each.hash] for each in value.measurements]
        return changed

    renamed = copy(process)
    renamed.mv = [twin(each) for each in process.mv] if isinstance(process.mv, list) else twin(process.mv)
    return renamed, names


def _of_nothing(process: Any) -> Any:
    """What PennyLane gives when no shot is left: no counts, no samples, NaN elsewhere."""
    if isinstance(process, mps.CountsMP):
        return {}
    if isinstance(process, mps.SampleMP):
        return np.empty((0,) if len(process.wires) == 1 else (0, len(process.wires)))
    if isinstance(process, mps.ProbabilityMP):
        return np.full(1 << len(process.wires), np.nan)
    return np.float64(np.nan)


def _shadow(
    tape: Any, process: Any, order: Any, options: RunOptions, shots: int, generator: np.random.Generator
) -> Any:
    """Classical shadows, drawn from the final state."""
    state, operations = after_projectors(tape, order, options)
    made = convert(tape, order, operations)
    tensor = _state_of(_started(made.circuit, state), options).reshape((2,) * len(order))
    return process.process_state_with_shots(tensor, order, shots, rng=generator)


__all__ = ["RunOptions", "analytic_results", "pauli_sum_of", "sampled_results"]
