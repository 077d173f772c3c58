"""Runs circuits on Cirq's simulator."""

from __future__ import annotations

from typing import Any

import cirq
import numpy as np
from numpy.typing import NDArray

from qrealm.circuits import Circuit
from qrealm.circuits.formats import cirq_writer
from qrealm.simulate.backends import peers
from qrealm.simulate.backends.cirq.card import ARRAYS, CARD
from qrealm.simulate.backends.peers import Answer
from qrealm.simulate.backends.protocol import Found
from qrealm.simulate.plan.types import Plan, Precision
from qrealm.simulate.request import RunRequest


class CirqBackend:
    """`cirq.Simulator`."""

    card = CARD

    def run(self, circuit: Circuit, request: RunRequest) -> Found:
        """Run a bound circuit. Raises TooLargeError before anything is allocated."""
        circuit = peers.without_final_readout(circuit)
        made, reserved = peers.plan(circuit, request, CARD, mixed=False, arrays=ARRAYS)
        width = np.complex64 if made.precision is Precision.SINGLE else np.complex128
        generator = np.random.RandomState(peers.small_seed(request.seed))
        simulator = cirq.Simulator(dtype=width, seed=generator)
        with reserved:
            if circuit.terminal_measurements is None:
                return self._half_way(circuit, request, made, simulator)
            return self._at_end(circuit, request, made, simulator, generator)

    def _at_end(
        self, circuit: Circuit, request: RunRequest, made: Plan, simulator: Any, generator: Any
    ) -> Found:
        num_qubits = circuit.num_qubits
        order = cirq.LineQubit.range(num_qubits)[::-1]  # Cirq's first qubit is the most significant bit
        state = simulator.simulate(_written(peers.gates_of(circuit)), qubit_order=order).final_state_vector
        drawn: NDArray[np.uint64] = np.zeros(0, dtype=np.uint64)
        if request.planning.shots:
            table = cirq.sample_state_vector(
                state, range(num_qubits), repetitions=request.planning.shots, seed=generator
            )
            drawn = peers.numbers_of_rows(table[:, ::-1])
        return peers.found_at_end(
            circuit, request, made, Answer(drawn, peers.as_amplitudes(state, made.precision)), _details()
        )

    def _half_way(self, circuit: Circuit, request: RunRequest, made: Plan, simulator: Any) -> Found:
        peers.only_counts(request, CARD.name)
        twin, newest = peers.single_assignment(circuit)
        if not newest:
            twin, newest = peers.with_all_measured(twin)
        records = simulator.run(_written(twin), repetitions=request.planning.shots).measurements
        columns: dict[int, NDArray[Any]] = {}
        for key, table in records.items():
            if key == "c":
                columns.update(enumerate(table.T))
            else:  # "c[7]"
                columns[int(key[2:-1])] = table[:, 0]
        outcomes = [0] * request.planning.shots
        for old, new in newest.items():
            outcomes = [value | int(bit) << old for value, bit in zip(outcomes, columns[new], strict=True)]
        return peers.found_by_shots(circuit, made, outcomes, _details())


def _written(circuit: Circuit) -> Any:
    return peers.written(cirq_writer.write, circuit, CARD.name)


def _details() -> dict[str, object]:
    return {"cirq": cirq.__version__}


BACKEND = CirqBackend()
