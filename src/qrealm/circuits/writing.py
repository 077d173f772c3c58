"""What a circuit can be written as: one method for each format that has a writer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from qrealm.circuits.circuit import Circuit


class CircuitWriters:
    """The `to_...` methods of `Circuit`; `qrealm.read` takes back what they give."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """The dict form (docs/circuits.md); `qrealm.read` takes it back. Raises WriteError."""
        from qrealm.circuits.formats.dictionary import write

        return write(cast("Circuit", self))

    def to_qasm3(self) -> str:
        """OpenQASM 3; `qrealm.read` takes it back. Raises WriteError."""
        from qrealm.circuits.formats.qasm_writer import write_qasm3

        return write_qasm3(cast("Circuit", self))

    def to_qasm2(self) -> str:
        """OpenQASM 2. Raises WriteError for open parameters, else branches and other things it lacks."""
        from qrealm.circuits.formats.qasm_writer import write_qasm2

        return write_qasm2(cast("Circuit", self))

    def to_qiskit(self) -> Any:
        """A Qiskit QuantumCircuit. Raises MissingExtraError when Qiskit is not installed."""
        from qrealm.circuits.formats.qiskit import write

        return write(cast("Circuit", self))

    def to_cirq(self) -> Any:
        """A `cirq.Circuit` on line qubits (docs/cirq.md).

        Raises:
            MissingExtraError: Cirq is not installed.
            WriteError: misread bits, a measurement under a condition, or a function of an open parameter.
        """
        from qrealm.circuits.formats.cirq_writer import write

        return write(cast("Circuit", self))

    def to_pennylane(self) -> Any:
        """A PennyLane tape of operations on wires 0 to n - 1 (docs/pennylane.md).

        Raises:
            MissingExtraError: PennyLane is not installed.
            ParameterError: a parameter is open; tapes have numbers only.
            WriteError: misread bits, a measurement under a condition, or a state on used qubits.
        """
        from qrealm.circuits.formats.pennylane_writer import write

        return write(cast("Circuit", self))

    def to_qir(self, *, bitcode: bool = False) -> str | bytes:
        """QIR as LLVM text or bitcode (docs/qir.md); the global phase is lost.

        Raises:
            MissingExtraError: pyqir is not installed.
            ParameterError: a parameter is open; QIR has numbers only.
            WriteError: noise, or a multi-controlled gate that would become millions of gates.
        """
        from qrealm.circuits.formats.qir_writer import write

        return write(cast("Circuit", self), bitcode=bitcode)


__all__ = ["CircuitWriters"]
