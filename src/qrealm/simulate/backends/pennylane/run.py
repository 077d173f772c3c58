"""Runs circuits on PennyLane's lightning.qubit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pennylane as qml
from numpy.typing import NDArray

from qrealm.circuits import Circuit
from qrealm.circuits.formats import pennylane_writer
from qrealm.simulate.backends import peers
from qrealm.simulate.backends.peers import Answer
from qrealm.simulate.backends.pennylane.card import ARRAYS, CARD
from qrealm.simulate.backends.protocol import Found
from qrealm.simulate.plan.types import Precision
from qrealm.simulate.request import RunRequest


class PennyLaneBackend:
    """`lightning.qubit`."""

    card = CARD

    def run(self, circuit: Circuit, request: RunRequest) -> Found:
        """Run a bound circuit. Raises TooLargeError before anything is allocated."""
        circuit = peers.without_final_readout(circuit)
        made, reserved = peers.plan(circuit, request, CARD, mixed=False, arrays=ARRAYS)
        width = np.complex64 if made.precision is Precision.SINGLE else np.complex128
        wires = range(circuit.num_qubits)
        with reserved:
            operations = peers.written(pennylane_writer.write, peers.gates_of(circuit), CARD.name).operations
            # PennyLane's first wire is the most significant bit.
            device = qml.device(
                "lightning.qubit", wires=wires[::-1], c_dtype=width, seed=peers.small_seed(request.seed)
            )
            state = None
            if request.planning.exact:
                held = _executed(device, operations, qml.state(), None)
                state = peers.as_amplitudes(held, made.precision)
            drawn: NDArray[np.uint64] = np.zeros(0, dtype=np.uint64)
            if request.planning.shots:
                table = _executed(device, operations, qml.sample(wires=wires), request.planning.shots)
                drawn = peers.numbers_of_rows(np.asarray(table).reshape(request.planning.shots, -1))
        details = {"device": "lightning.qubit", "pennylane": qml.__version__}
        return peers.found_at_end(circuit, request, made, Answer(drawn, state), details)


def _executed(device: Any, operations: list[Any], wanted: Any, shots: int | None) -> Any:
    (result,) = qml.execute(
        [qml.tape.QuantumScript(operations, [wanted], shots=shots)], device, diff_method=None
    )
    return result


BACKEND = PennyLaneBackend()
