"""`NoiseModel`: rules that say which noise follows which operation, and `apply`, which writes it into a
circuit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from qrealm.base.errors import ChannelError
from qrealm.circuits.circuit import Circuit
from qrealm.circuits.gates import Gate, find_gate
from qrealm.circuits.noise.channel import Channel
from qrealm.circuits.noise.readout import ReadoutError
from qrealm.circuits.operations import CHANNEL, IF, MEASURE, READOUT, Instruction
from qrealm.circuits.transform import rebuilt


@dataclass(frozen=True, slots=True)
class GateRule:
    """A channel after some gates.

    Attributes:
        channel: on as many qubits as the gate, or on one, which then acts on each of the gate's qubits.
        gates: names of gates; None for all of a fitting size.
        qubits: the gate's qubits, in order; None for any.
    """

    channel: Channel
    gates: frozenset[str] | None
    qubits: tuple[int, ...] | None

    def on(self, gate: Gate, qubits: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Where the channel acts after a gate: nowhere, once, or on each qubit."""
        if self.gates is not None and gate.name not in self.gates:
            return []
        if self.qubits is not None and qubits != self.qubits:
            return []
        if self.channel.num_qubits == len(qubits):
            return [qubits]
        if self.channel.num_qubits == 1 and self.gates is not None:
            return [(qubit,) for qubit in qubits]
        return []


class NoiseModel:
    """Noise by rules. Every method that adds one returns the model, so calls chain::

    noise = NoiseModel().after_gates(depolarizing(0.01, 2), "cx").readout(ReadoutError.flips(0.02, 0.03))
    """

    __slots__ = ("_gate_rules", "_readout")

    def __init__(self) -> None:
        self._gate_rules: list[GateRule] = []
        self._readout: dict[int | None, ReadoutError] = {}

    def after_gates(
        self,
        channel: Channel,
        gates: str | Iterable[str] | None = None,
        qubits: Iterable[int] | None = None,
    ) -> Self:
        """Put a channel after gates; several rules for one gate act in the order in which they were added.

        Args:
            channel: on as many qubits as the gates have; a channel on one qubit acts on each qubit of named
                wider gates.
            gates: names; every gate of the channel's size when None.
            qubits: only on these, in this order; on any when None.

        Raises:
            UnknownGateError: a name that is not in the gate table.
            ChannelError: the channel is wider than the qubits.
        """
        names = None
        if gates is not None:
            names = frozenset(find_gate(each).name for each in ([gates] if isinstance(gates, str) else gates))
        wires = None if qubits is None else tuple(qubits)
        if wires is not None and channel.num_qubits not in (1, len(wires)):
            raise ChannelError(
                f"the channel {channel.name!r} on {channel.num_qubits} qubits cannot follow gates on "
                f"{list(wires)}; the rule is as many, or 1"
            )
        self._gate_rules.append(GateRule(channel, names, wires))
        return self

    def readout(self, error: ReadoutError, qubits: Iterable[int] | None = None) -> Self:
        """Misread measured bits: of these qubits, or of all that have no error of their own.

        Raises:
            ChannelError: the error reads more than one bit.
        """
        if error.num_bits != 1:
            raise ChannelError(f"readout() takes errors of one bit; {error.name!r} reads {error.num_bits}")
        for qubit in [None] if qubits is None else qubits:
            self._readout[qubit] = error
        return self

    def apply(self, circuit: Circuit) -> Circuit:
        """The circuit with its noise written into it. With readout errors, a circuit that measures nothing
        gets measurements at its end."""
        noisy = rebuilt(circuit, self._noisy(circuit.instructions))
        if self._readout and not circuit.num_clbits:
            noisy.measure_all()
            for qubit in range(circuit.num_qubits):
                error = self._error_of(qubit)
                if error is not None:
                    noisy.append(error, [qubit])
        return noisy

    def _noisy(self, instructions: Iterable[Instruction]) -> Iterable[Instruction]:
        for instruction in instructions:
            op, qubits, args = instruction
            if op is IF:
                condition, then, otherwise = args
                yield (op, qubits, (condition, tuple(self._noisy(then)), tuple(self._noisy(otherwise))))
                continue
            yield instruction
            if isinstance(op, Gate):
                for rule in self._gate_rules:
                    for where in rule.on(op, qubits):
                        yield (CHANNEL, where, (rule.channel,))
            elif op is MEASURE and (error := self._error_of(qubits[0])) is not None:
                yield (READOUT, (), (error, *args))

    def _error_of(self, qubit: int) -> ReadoutError | None:
        return self._readout.get(qubit, self._readout.get(None))
