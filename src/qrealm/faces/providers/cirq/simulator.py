"""`QrealmSimulator`: Cirq's simulator interfaces, carried out by qrealm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import cirq
import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import ObservableError, RequestError
from qrealm.circuits import Circuit, PauliSum
from qrealm.faces.providers.cirq.programs import Prepare, run_all
from qrealm.faces.providers.cirq.sampler import QrealmSampler
from qrealm.faces.providers.cirq.translate import Translation, measures, unrolled
from qrealm.simulate.results import Result

_NORM_TOLERANCE = 1e-6

States = NDArray[np.complex64] | NDArray[np.complex128]


class QrealmSimulator(
    QrealmSampler,
    cirq.SimulatesFinalState,  # type: ignore[misc]
    cirq.SimulatesExpectationValues,  # type: ignore[misc]
    cirq.SimulatesAmplitudes,  # type: ignore[misc]
):
    """Everything of `QrealmSampler`, and final states, expectation values and amplitudes.

    States are in Cirq's order: the first qubit of `qubit_order` is the most significant bit. They are
    complex128 unless ``precision="single"``.

    A circuit that measures half-way is simulated as Cirq does it: `simulate` draws one outcome and returns
    the state after it. Expectation values are averaged over all outcomes exactly, and over the errors of
    channels; there is no state vector after a channel.
    """

    def simulate_sweep_iter(
        self, program: Any, params: Any, qubit_order: Any = cirq.QubitOrder.DEFAULT, initial_state: Any = None
    ) -> Iterator[Any]:
        """A `cirq.StateVectorTrialResult` for each parameter set.

        Args:
            program: the circuit.
            params: anything that Cirq sweeps over.
            qubit_order: qubits, most significant first; may name more than the circuit has.
            initial_state: a basis index, 2^n amplitudes, or a `cirq.ProductState`.

        Raises:
            StateError, RequestError: the initial state has the wrong size or norm.
            QrealmError: as `run_sweep`.
        """
        program = self._noisy(program)
        qubits = _ordered(program, qubit_order)
        if not qubits:
            for resolver in cirq.to_resolvers(params):
                yield self._scalar(program, resolver, initial_state)
            return
        drawn = any(
            measures(op) or isinstance(op.gate, cirq.ResetChannel | cirq.StatePreparationChannel)
            for op in unrolled(program)
        )
        options = self._options() | {"shots": int(drawn), "return_statevector": True}
        if options["precision"] == "auto":
            options["precision"] = "double"
        prepare = _start_from(initial_state, qubits)
        for resolver, found, result in run_all(
            program, qubits, params, prepare, self._next_seed(), **options
        ):
            yield self._trial(resolver, found, result, qubits)

    def final_state_vector(
        self,
        program: Any,
        param_resolver: Any = None,
        qubit_order: Any = cirq.QubitOrder.DEFAULT,
        initial_state: Any = None,
    ) -> States:
        """The state after the circuit, shape (2^n,), first qubit most significant.

        Raises:
            QrealmError: as `simulate_sweep_iter`.
        """
        result = self.simulate(program, param_resolver, qubit_order, initial_state)
        state: States = result.final_state_vector
        return state

    def simulate_expectation_values_sweep_iter(
        self,
        program: Any,
        observables: Any,
        params: Any,
        qubit_order: Any = cirq.QubitOrder.DEFAULT,
        initial_state: Any = None,
        permit_terminal_measurements: bool = False,
    ) -> Iterator[list[float]]:
        """Exact expectation values for each parameter set, one per observable.

        Args:
            observables: a Pauli sum, string or single operation of Cirq's, or a list of them.
            permit_terminal_measurements: whether final measurements are left out; an error otherwise, as in
                Cirq.
            program, params, qubit_order, initial_state: as for `simulate_sweep_iter`.

        Raises:
            RequestError: the circuit ends in measurements and they are not permitted.
            ObservableError: an observable that is not Hermitian, or acts on another qubit.
        """
        if not permit_terminal_measurements and program.are_any_measurements_terminal():
            raise RequestError(
                "the circuit has terminal measurements, which would change the expectation values",
                hint="leave them out, or pass permit_terminal_measurements=True to ignore them",
            )
        qubits = _ordered(program, qubit_order)
        if self._noise != cirq.NO_NOISE:
            program = self._noisy(_without_readout(program))
        wanted = observables if isinstance(observables, list) else [observables]
        named = _named(wanted, qubits)
        options = self._options() | {"shots": 0, "observables": named}
        prepare = _start_from(initial_state, qubits)
        for _, _, result in run_all(program, qubits, params, prepare, self._next_seed(), **options):
            values = result.expectation_values
            yield [values[name] for name in named]

    def compute_amplitudes_sweep_iter(
        self,
        program: Any,
        bitstrings: Sequence[int],
        params: Any,
        qubit_order: Any = cirq.QubitOrder.DEFAULT,
    ) -> Iterator[Sequence[complex]]:
        """Amplitudes of basis states, given as integers whose highest bit is the first qubit.

        Final measurements are left out. The whole state is not kept.

        Raises:
            RequestError: an integer out of range, or a circuit with several outcomes half-way.
        """
        program = self._noisy(program)
        qubits = _ordered(program, qubit_order)
        size = 1 << len(qubits)
        odd = [int(value) for value in bitstrings if not 0 <= value < size]
        if odd:
            raise RequestError(f"the amplitudes {odd[:5]} are out of range; the rule is 0 to {size - 1}")
        texts = [format(int(value), f"0{len(qubits)}b") for value in bitstrings]
        options = self._options() | {"shots": 0, "amplitudes": texts}
        for _, _, result in run_all(program, qubits, params, _unchanged, self._next_seed(), **options):
            found = result.amplitudes()
            yield [found[text] for text in texts]

    def _scalar(self, program: Any, resolver: Any, initial_state: Any) -> Any:
        """Cirq's result for a program without qubits: its one amplitude is the product of its phases."""
        state = cirq.resolve_parameters(program, resolver).unitary()[0]
        if not (initial_state is None or (isinstance(initial_state, int) and initial_state == 0)):
            start = np.asarray(initial_state, dtype=np.complex128).reshape(-1)
            if start.shape != (1,) or not abs(abs(start[0]) - 1) < _NORM_TOLERANCE:
                raise RequestError(
                    f"initial_state is {initial_state!r:.60}; without qubits the rule is one number of norm 1"
                )
            state = state * start
        dtype = np.complex64 if self._precision == "single" else np.complex128
        final = cirq.StateVectorSimulationState(
            initial_state=state.astype(dtype).reshape(()), qubits=(), dtype=dtype
        )
        return cirq.StateVectorTrialResult(params=resolver, measurements={}, final_simulator_state=final)

    def _trial(self, resolver: Any, found: Translation, result: Result, qubits: Sequence[Any]) -> Any:
        """Cirq's result: the state after all measurements, and what they gave."""
        state = result.statevector
        assert state is not None  # every run asks for it
        measurements: dict[str, NDArray[np.uint8]] = {}
        if found.records:
            raw = result.outcomes[0][0]
            state = _collapsed(state, found.measured_last, raw)
            measurements = {key: values[0, -1] for key, values in self._recorded(found, result).items()}
        final = cirq.StateVectorSimulationState(
            initial_state=np.array(state).reshape((2,) * len(qubits)), qubits=qubits, dtype=state.dtype
        )
        return cirq.StateVectorTrialResult(
            params=resolver, measurements=measurements, final_simulator_state=final
        )


def _unchanged(circuit: Circuit) -> Circuit:
    return circuit


def _ordered(program: Any, qubit_order: Any) -> tuple[Any, ...]:
    """Qubits of a program, most significant first."""
    order = cirq.QubitOrder.as_qubit_order(qubit_order)
    return tuple(order.order_for(program.all_qubits()))


def _without_readout(program: Any) -> Any:
    """The program without final measurements, which would not be final any more with noise after them."""
    if cirq.control_keys(program):
        return program
    moments = []
    for index, moment in enumerate(program):
        kept = [
            op
            for op in moment
            if not measures(op.untagged) or program.next_moment_operating_on(op.qubits, index + 1) is not None
        ]
        if kept or not len(moment):
            moments.append(cirq.Moment(kept))
    return cirq.Circuit(moments)


def _start_from(initial_state: Any, qubits: Sequence[Any]) -> Prepare:
    """Puts a preparation before a circuit."""
    if initial_state is None or (isinstance(initial_state, int) and initial_state == 0):
        return _unchanged
    if isinstance(initial_state, cirq.ProductState):
        initial_state = initial_state.state_vector(qubit_order=qubits)
    state: Any
    if isinstance(initial_state, int | np.integer):
        if not 0 <= initial_state < 1 << len(qubits):
            raise RequestError(
                f"initial_state is {initial_state}; the rule is 0 to {(1 << len(qubits)) - 1}, or amplitudes"
            )
        state = format(int(initial_state), f"0{len(qubits)}b")
    else:
        state = np.asarray(initial_state).reshape(-1)
        if len(state) != 1 << len(qubits):
            raise RequestError(
                f"initial_state has {len(state)} entries; {len(qubits)} qubits need {1 << len(qubits)}"
            )

    def started(circuit: Circuit) -> Circuit:
        return Circuit(circuit.num_qubits, circuit.num_clbits).initialize(state).compose(circuit)

    return started


def _collapsed(state: States, measured: dict[int, int], outcome: int) -> States:
    """The state after the last measurements gave the bits of `outcome`; norm 1."""
    if not measured:
        return state
    count = len(state).bit_length() - 1
    chosen: list[Any] = [slice(None)] * count
    for qubit, clbit in measured.items():
        chosen[count - 1 - qubit] = outcome >> clbit & 1
    tensor = state.reshape((2,) * count)
    after = np.zeros_like(tensor)
    after[tuple(chosen)] = tensor[tuple(chosen)]
    after /= np.linalg.norm(after)
    return after.reshape(-1)


def _named(observables: Sequence[Any], qubits: Sequence[Any]) -> dict[str, PauliSum]:
    """Each observable under its position."""
    places = {qubit: len(qubits) - 1 - index for index, qubit in enumerate(qubits)}
    named: dict[str, PauliSum] = {}
    for index, observable in enumerate(observables):
        terms = []
        for string in cirq.PauliSum.wrap(observable):
            missing = [qubit for qubit in string.qubits if qubit not in places]
            if missing:
                raise ObservableError(
                    f"the observable {observable} acts on {missing[0]}, which has no place "
                    "in the qubit order",
                    hint="name it in qubit_order",
                )
            text = " ".join(f"{pauli}{places[qubit]}" for qubit, pauli in string.items()) or "I"
            terms.append((text, complex(string.coefficient)))
        named[str(index)] = PauliSum(terms)
    return named


__all__ = ["QrealmSimulator"]
