"""The stabilizer backend: Clifford circuits on stim."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import stim
from numpy.typing import NDArray

from qrealm.base import limits
from qrealm.base.errors import QubitError, TooLargeError
from qrealm.base.machine import memory_available_bytes
from qrealm.circuits import Circuit
from qrealm.circuits.operations import IF, MEASURE, READOUT, Instruction, contains
from qrealm.circuits.segments import split_readout
from qrealm.simulate.backends.protocol import Found
from qrealm.simulate.backends.stabilizer.amplitudes import Amplitudes
from qrealm.simulate.backends.stabilizer.card import CARD, memory_bytes
from qrealm.simulate.backends.stabilizer.heisenberg import Heisenberg, bits_of
from qrealm.simulate.backends.stabilizer.readings import sampled_values
from qrealm.simulate.backends.stabilizer.shots import Walker, count_program
from qrealm.simulate.backends.stabilizer.translate import before_final, program, steps
from qrealm.simulate.bits import Outcomes, merge
from qrealm.simulate.execute import layout_of
from qrealm.simulate.memory import LEDGER, NOTHING_RESERVED, Reservation
from qrealm.simulate.plan.choose import fits
from qrealm.simulate.plan.types import Plan, Precision
from qrealm.simulate.request import RunRequest

_PHASE_WARNING = "amplitudes are right up to one global phase: the lowest basis state's is taken as positive"


class StabilizerBackend:
    """Runs whole circuits."""

    card = CARD

    def run(self, circuit: Circuit, request: RunRequest) -> Found:
        """Run a bound circuit; see `WholeBackend.run`.

        Raises:
            TooLargeError: samples or state do not fit; nothing has been allocated.
        """
        return _Run(circuit, request).found()


class _Run:
    """One run."""

    def __init__(self, circuit: Circuit, request: RunRequest) -> None:
        if circuit.num_qubits < 1:
            raise QubitError("a run needs at least one qubit; the circuit has none")
        self._circuit = circuit
        self._request = request
        self._shots = request.planning.shots
        self._layout = layout_of(circuit)
        self._kept, self._errors = split_readout(circuit.instructions)
        terminal = circuit.terminal_measurements is not None
        self._before, self._final = before_final(self._kept, terminal)
        self._conditional = any(op is IF for op, _, _ in self._kept)
        self._outcomes: Outcomes = np.zeros(0, dtype=np.uint64)
        self._draws: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._values: dict[str, float] = {}
        self._spread: dict[str, float] = {}
        self._walked = False

    def found(self) -> Found:
        """Carry it out."""
        plan, reserved = self._planned()
        request = self._request
        vector: NDArray[np.complex128] | NDArray[np.complex64] | None = None
        amplitudes: Mapping[int, complex] = {}
        warnings: tuple[str, ...] = ()
        with reserved:
            if request.wants.values and self._conditional:
                self._walk(values=True)
            else:
                if self._shots:
                    self._sample()
                if request.wants.values:
                    heisenberg = Heisenberg(self._circuit.num_qubits, self._before)
                    self._values = heisenberg.values(request.observables)
            if request.sampled:
                self._estimate()
            if request.planning.state_copy or request.amplitudes:
                vector, amplitudes = self._read(plan.precision)
                warnings = (_PHASE_WARNING,)
        return Found(
            plan,
            self._layout,
            self._outcomes,
            self._draws,
            self._values,
            self._spread,
            amplitudes,
            vector,
            details={
                "stim": stim.__version__,
                "shots_walked_one_by_one": self._walked,
                "seed_holds_for": "the same version of stim on processors with the same vector width",
            },
            warnings=warnings,
        )

    def _planned(self) -> tuple[Plan, Reservation]:
        """Plan the run and reserve its memory."""
        count, planning = self._circuit.num_qubits, self._request.planning
        precision = planning.precision or Precision.DOUBLE
        records = sum(op is MEASURE for op, _, _ in self._kept) or count
        needed = memory_bytes(count, records, self._shots, len(self._kept))
        if self._request.sampled:  # a reading of every shot, and a copy while the mean is taken
            needed += 16 * self._shots * len(self._request.observables)
        if planning.state_copy:
            needed += 48 << count
        plan = Plan(CARD.name, precision, 1, count * count // 2, needed, 0, ())
        if needed - CARD.overhead_bytes <= limits.MEMORY_UNCHECKED_BYTES:
            return plan, NOTHING_RESERVED

        def checked(available: int) -> Plan:
            if fits(needed, available):
                return plan
            raise TooLargeError(
                f"a run of {count} qubits on the stabilizer backend, {self._shots} shots of {records} bits,",
                needed_bytes=needed,
                available_bytes=int(available * limits.MEMORY_SHARE_MAX),
                hint="draw fewer shots at once, measure fewer qubits, or leave out the state vector",
            )

        return LEDGER.reserve(checked, memory_available_bytes)

    # ---- shots -----------------------------------------------------------------------------------

    def _sample(self) -> None:
        written = program(self._measured(self._kept))
        if written is None:
            self._walk(values=False)
            return
        width = self._layout.num_bits
        seed = self._request.seed
        self._outcomes, self._draws = count_program(written, width, self._shots, seed)

    def _measured(self, instructions: Sequence[Instruction]) -> list[Instruction]:
        """With measurements of all qubits where there are none."""
        if contains(self._kept, MEASURE):
            return list(instructions)
        kept = [each for each in instructions if each[0] is not READOUT]
        return [*kept, *((MEASURE, (qubit,), (qubit,)) for qubit in range(self._circuit.num_qubits))]

    def _walk(self, values: bool) -> None:
        """Shot by shot; observables are averaged over the shots."""
        self._walked = True
        final = self._final
        if not contains(self._kept, MEASURE):
            final = [(qubit, qubit) for qubit in range(self._circuit.num_qubits)]
        strings = _strings(self._request, self._circuit.num_qubits) if values else {}
        readings: dict[str, list[float]] = {name: [] for name in strings}
        outcomes: list[int] = []

        def visit(simulator: stim.TableauSimulator, clbits: int) -> None:
            for name, terms in strings.items():
                told = [weight * simulator.peek_observable_expectation(string) for string, weight in terms]
                readings[name].append(math.fsum(told))
            results = simulator.measure_many(*(qubit for qubit, _ in final))
            for (_, bit), result in zip(final, results, strict=True):
                clbits = clbits | 1 << bit if result else clbits & ~(1 << bit)
            outcomes.append(clbits)

        walker = Walker(self._circuit.num_qubits, steps(self._before), self._request.seed)
        walker.walk(self._shots, visit)
        self._outcomes, self._draws = merge(outcomes, [1] * len(outcomes))
        for name, each in readings.items():
            mean = math.fsum(each) / len(each)
            squares = math.fsum((value - mean) ** 2 for value in each)
            self._values[name] = mean
            count = len(each)
            self._spread[name] = math.sqrt(squares / (count - 1) / count) if count > 1 else 0.0

    # ---- values and amplitudes -------------------------------------------------------------------

    def _estimate(self) -> None:
        written = program(self._before)
        assert written is not None  # the card refuses conditions
        self._values, self._spread = sampled_values(
            written,
            self._request.observables,
            self._shots,
            self._request.seed,
            self._errors,
            dict(self._final) if self._circuit.num_clbits else {},
        )

    def _read(
        self, precision: Precision
    ) -> tuple[NDArray[np.complex128] | NDArray[np.complex64] | None, Mapping[int, complex]]:
        written = program(self._before)
        assert written is not None
        count = self._circuit.num_qubits
        simulator = stim.TableauSimulator()
        simulator.set_num_qubits(count)
        simulator.do_circuit(stim.Circuit("\n".join(written.lines)))
        reader = Amplitudes(simulator.current_inverse_tableau().inverse())
        amplitudes = {index: reader.at(index) for index in self._request.amplitudes}
        if not self._request.planning.state_copy:
            return None, amplitudes
        vector = reader.vector(count)
        return (vector.astype(np.complex64) if precision is Precision.SINGLE else vector), amplitudes


def _strings(request: RunRequest, num_qubits: int) -> dict[str, list[tuple[stim.PauliString, float]]]:
    """stim's form of every observable."""
    found: dict[str, list[tuple[stim.PauliString, float]]] = {}
    for name, observable in request.observables:
        found[name] = [
            (
                stim.PauliString.from_numpy(xs=bits_of(x, num_qubits), zs=bits_of(z, num_qubits)),
                coefficient,
            )
            for x, z, coefficient in observable.strings()
        ]
    return found


BACKEND = StabilizerBackend()
