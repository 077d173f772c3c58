"""Runs circuits on Qiskit Aer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import qiskit
import qiskit_aer
from numpy.typing import NDArray
from qiskit.circuit.library import Barrier
from qiskit.quantum_info import Kraus
from qiskit_aer import AerSimulator

from qrealm.base.errors import BackendRefusalError, RunError, WriteError
from qrealm.circuits import Circuit
from qrealm.circuits.operations import BARRIER, CHANNEL, IF, MEASURE, Condition, Instruction, contains
from qrealm.circuits.transform import rebuilt
from qrealm.simulate.backends import peers
from qrealm.simulate.backends.peers import Answer
from qrealm.simulate.backends.protocol import Found
from qrealm.simulate.backends.qiskit.card import ARRAYS, CARD
from qrealm.simulate.plan.types import Plan
from qrealm.simulate.request import RunRequest


class QiskitBackend:
    """Aer's statevector method, its density_matrix method where there is noise."""

    card = CARD

    def run(self, circuit: Circuit, request: RunRequest) -> Found:
        """Run a bound circuit. Raises TooLargeError before anything is allocated."""
        circuit = peers.without_final_readout(circuit)
        mixed = request.density_matrix or any(op is CHANNEL for op, _, _ in circuit)
        made, reserved = peers.plan(circuit, request, CARD, mixed=mixed, arrays=ARRAYS)
        with reserved:
            if circuit.terminal_measurements is None:
                return self._half_way(circuit, request, made, mixed)
            return self._at_end(circuit, request, made, mixed)

    def _at_end(self, circuit: Circuit, request: RunRequest, made: Plan, mixed: bool) -> Found:
        program = _written(peers.gates_of(circuit))
        wanted = request.planning.exact or request.density_matrix
        if wanted:
            program.save_density_matrix() if mixed else program.save_statevector()
        program.measure_all()
        data = _executed(program, request, made, mixed)
        outcomes = _outcomes(data, circuit.num_clbits, request.planning.shots)
        held = peers.as_amplitudes(data[_method(mixed)], made.precision) if wanted else None
        state, rho = (None, held) if mixed else (held, None)
        answer = Answer(np.array(outcomes, dtype=np.uint64), state, rho)
        return peers.found_at_end(circuit, request, made, answer, _details(mixed))

    def _half_way(self, circuit: Circuit, request: RunRequest, made: Plan, mixed: bool) -> Found:
        peers.only_counts(request, CARD.name)
        program = _written(circuit)
        shift = 0
        if not contains(circuit.instructions, MEASURE):
            program.measure_all()
            shift = circuit.num_clbits
        data = _executed(program, request, made, mixed)
        outcomes = _outcomes(data, shift, request.planning.shots)
        return peers.found_by_shots(circuit, made, outcomes.tolist(), _details(mixed))


def _method(mixed: bool) -> str:
    return "density_matrix" if mixed else "statevector"


def _details(mixed: bool) -> dict[str, object]:
    return {"method": _method(mixed), "qiskit": qiskit.__version__, "qiskit_aer": qiskit_aer.__version__}


def _written(circuit: Circuit) -> Any:
    """A QuantumCircuit whose noise channels are Kraus instructions.

    Qiskit's writer takes no noise, so a barrier stands where a channel goes.
    """
    channels = [(args[0], qubits) for op, qubits, args in circuit if op is CHANNEL]
    plain = [
        (BARRIER, qubits, ()) if op is CHANNEL else (op, qubits, args)
        for op, qubits, args in circuit
        if op is not BARRIER
    ]
    try:
        program = rebuilt(circuit, _bit_by_bit(plain)).to_qiskit()
    except WriteError as problem:
        raise BackendRefusalError(
            f"the qiskit backend cannot run this circuit: {problem.message}", hint=problem.hint
        ) from problem
    if not channels:
        return program
    waiting = iter(channels)
    result = program.copy_empty_like()
    for item in program.data:
        if isinstance(item.operation, Barrier):
            channel, qubits = next(waiting)
            result.append(Kraus(list(channel.kraus)).to_instruction(), list(qubits))
        else:
            result.append(item)
    return result


def _bit_by_bit(instructions: Iterable[Instruction]) -> list[Instruction]:
    """Conditions on several bits as conditions inside each other: Qiskit compares one bit, or a register."""
    found: list[Instruction] = []
    for op, qubits, args in instructions:
        if op is not IF:
            found.append((op, qubits, args))
            continue
        then: tuple[Instruction, ...] = tuple(_bit_by_bit(args[1]))
        otherwise = tuple(_bit_by_bit(args[2]))
        for place, bit in reversed(list(enumerate(args[0].clbits))):
            test = Condition((bit,), args[0].value >> place & 1)
            then = ((IF, qubits, (test, then, otherwise)),)
        found += then
    return found


def _executed(program: Any, request: RunRequest, made: Plan, mixed: bool) -> dict[str, Any]:
    """Aer's data of one run."""
    simulator = AerSimulator(
        method=_method(mixed),
        precision=made.precision.value,
        max_parallel_threads=made.threads,
        seed_simulator=peers.small_seed(request.seed),
    )
    ready = qiskit.transpile(program, simulator, optimization_level=0)
    result = simulator.run(ready, shots=max(1, request.planning.shots)).result()
    if not result.success:
        raise RunError(f"Qiskit Aer did not run the circuit: {result.status}")
    data: dict[str, Any] = result.data(0)
    return data


def _outcomes(data: dict[str, Any], shift: int, shots: int) -> NDArray[Any]:
    """An integer for each shot, its lowest `shift` bits dropped; none when no shots were asked for."""
    if not shots:
        return np.zeros(0, dtype=object)
    counts = {int(key, 16) >> shift: count for key, count in data["counts"].items()}
    keys = np.empty(len(counts), dtype=object)
    keys[:] = list(counts)
    return np.repeat(keys, list(counts.values()))


BACKEND = QiskitBackend()
