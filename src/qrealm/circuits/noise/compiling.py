"""Circuits for a device: in its gates, on its qubits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qrealm.base.errors import ChannelError
from qrealm.circuits.circuit import Circuit
from qrealm.circuits.noise.native import Native, expanded
from qrealm.circuits.noise.routing import Coupling, routed
from qrealm.circuits.noise.rules import Wiring
from qrealm.circuits.operations import BARRIER, IF, MEASURE, Instruction, contains, qubits_of
from qrealm.circuits.transform import rebuilt

if TYPE_CHECKING:
    from qrealm.circuits.noise.model import NoiseModel


@dataclass(frozen=True, slots=True)
class CompiledCircuit:
    """A circuit in a device's gates.

    Attributes:
        circuit: on the device's qubits, as many as it needs; up to a global phase. It measures into the same
            classical bits; where nothing was measured, every qubit is at the end, into the bit of its number.
        initial_layout: the device's qubit that qubit i of the original starts on.
        final_layout: the one that it ends on.
    """

    circuit: Circuit
    initial_layout: tuple[int, ...]
    final_layout: tuple[int, ...]

    def with_noise(self, model: NoiseModel) -> Circuit:
        """The noisy circuit, to be simulated: qubit i is where qubit i of the original ends; further qubits
        of the device follow, those that nothing acts on are left out.

        Raises:
            ChannelError: as `NoiseModel.apply`.
        """
        noisy = model.apply(self.circuit)
        instructions = noisy.instructions
        used = qubits_of([each for each in instructions if each[0] is not BARRIER])
        order = [*self.final_layout, *(q for q in used if q not in set(self.final_layout))]
        place = {qubit: number for number, qubit in enumerate(order)}
        return on_qubits(noisy, len(order), _renumbered(instructions, place))


def compiled(circuit: Circuit, wiring: Wiring) -> CompiledCircuit:
    """See `Device.compiled`."""
    if circuit.num_qubits > wiring.num_qubits:
        raise ChannelError(
            f"the circuit has {circuit.num_qubits} qubits; the device {wiring.device} has {wiring.num_qubits}"
        )
    circuit = measured(circuit)
    instructions = expanded(circuit.instructions, circuit.num_qubits)
    first = last = list(range(circuit.num_qubits))
    if wiring.pairs is not None:
        coupling = Coupling(wiring.num_qubits, wiring.pairs)
        instructions, first, last = routed(instructions, coupling, circuit.num_qubits)
    instructions = Native(wiring.pair_gate).written(instructions)
    size = max([-1, *first, *last, *qubits_of(instructions)]) + 1
    return CompiledCircuit(on_qubits(circuit, size, instructions), tuple(first), tuple(last))


def measured(circuit: Circuit) -> Circuit:
    """The circuit; where it measures nothing, with all qubits measured last into bits of their numbers."""
    if contains(circuit.instructions, MEASURE):
        return circuit
    if not circuit.num_clbits and circuit._grows:
        return circuit.copy().measure_all()
    # Bits that nothing is measured into are 0: conditions on them are settled, and the bits go. So does the
    # limit of a circuit that was made with no bits at all.
    bare = Circuit(circuit.num_qubits, name=circuit.name, global_phase=circuit.global_phase)
    bare._parameters.update(circuit._parameters)
    return on_qubits(bare, bare.num_qubits, _settled(circuit.instructions)).measure_all()


def _settled(instructions: Iterable[Instruction]) -> Iterable[Instruction]:
    for instruction in instructions:
        op, _, args = instruction
        if op is IF:
            yield from _settled(args[1] if args[0].value == 0 else args[2])
        else:
            yield instruction


def on_qubits(circuit: Circuit, size: int, instructions: Iterable[Instruction]) -> Circuit:
    """A circuit of `size` qubits with a circuit's bits, registers and parameters, and other instructions."""
    twin = rebuilt(circuit, instructions)
    twin.num_qubits = size
    return twin


def _renumbered(instructions: Sequence[Instruction], place: dict[int, int]) -> list[Instruction]:
    found: list[Instruction] = []
    for op, qubits, args in instructions:
        if op is IF:
            args = (args[0], *(tuple(_renumbered(branch, place)) for branch in args[1:]))
        wires = tuple(place[qubit] for qubit in qubits if qubit in place)
        found.append((op, tuple(sorted(wires)) if op is IF else wires, args))
    return found


__all__ = ["CompiledCircuit", "compiled", "measured"]
