"""Writes gate_methods.py from the gate table: ``python -m qrealm.circuits.method_writer``.

The methods are written out, rather than made at run time, so that editors and type checkers see them.
A test compares the file with the table.
"""

from __future__ import annotations

from pathlib import Path

from qrealm.circuits.gate_rows import GATES
from qrealm.circuits.gates import Gate

SPELLINGS = {
    "cnot": "cx",
    "toffoli": "ccx",
    "fredkin": "cswap",
    "u1": "p",
    "u3": "u",
    "cu1": "cp",
    "phase": "p",
}
"""Other common names that get a method of their own."""

_HEAD = '''"""Builder methods, one per gate. Written by method_writer.py from the gate table: do not edit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, Self

from qrealm.base.errors import ParameterError
from qrealm.circuits.parameters import ParameterExpression

Qubits = int | Iterable[int]
Angle = float | ParameterExpression


class GateMethods(ABC):
    """Angles first, then controls, then targets, as in Qiskit. Each returns the circuit."""

    __slots__ = ()

    @abstractmethod
    def _each(self, name: str, qubits: Qubits, params: tuple[Any, ...] = ()) -> Self:
        """Appends a one-qubit gate to each of the qubits."""

    @abstractmethod
    def append(self, name: str, qubits: Sequence[int], params: Sequence[Any] = ()) -> Self:
        """Appends a gate by its name."""

    def delay(self, duration_ns: Angle, qubit: Qubits) -> Self:
        """Waits, on one qubit or several. Without noise nothing happens; `NoiseModel.idle` relaxes them.

        Raises:
            ParameterError: a time below 0 or not finite.
        """
        if isinstance(duration_ns, int | float) and duration_ns < 0:
            raise ParameterError(f"delay got the time {duration_ns!r} ns; the rule is 0 or more")
        return self._each("delay", qubit, (duration_ns,))
'''


def source() -> str:
    """The text of gate_methods.py."""
    blocks = [_HEAD]
    for gate in GATES.values():
        if gate.name not in ("unitary", "gphase"):  # Circuit has its own methods for these two
            blocks.append(_method(gate.name, gate))
    blocks.extend(_method(name, GATES[target]) for name, target in SPELLINGS.items())
    return "".join(blocks)


def _method(name: str, gate: Gate) -> str:
    angles = "".join(f", {param}: Angle" for param in gate.params)
    values = f"({', '.join(gate.params)},)" if gate.params else ""
    if gate.num_qubits == 1:
        call = f"self._each({gate.name!r}, qubit{', ' + values if values else ''})"
        arguments, note = f"{angles}, qubit: Qubits", " One qubit or several."
    else:
        names = _wires(gate)
        listed = ", ".join(names)
        wires = "(*controls, target)" if gate.variadic else f"({listed})"
        call = f"self.append({gate.name!r}, {wires}{', ' + values if values else ''})"
        typed = "".join(f", {wire}: {'Sequence[int]' if wire == 'controls' else 'int'}" for wire in names)
        arguments, note = f"{angles}{typed}", ""
    call = call.replace("'", '"')
    return (
        f"\n    def {name}(self{arguments}) -> Self:\n"
        f'        """{gate.help}{note}"""\n'
        f"        return {call}\n"
    )


def _wires(gate: Gate) -> list[str]:
    if gate.variadic:
        return ["controls", "target"]
    controls = ["control"] if gate.controls == 1 else [f"control{i}" for i in range(gate.controls)]
    if gate.controls:
        targets = ["target"] if gate.targets == 1 else [f"target{i}" for i in range(gate.targets)]
    else:
        targets = [f"qubit{i}" for i in range(gate.targets)]
    return controls + targets


if __name__ == "__main__":
    Path(__file__).with_name("gate_methods.py").write_text(source(), encoding="utf-8")
