"""Which gates a noise rule means: names that count for a gate, and how many qubits a gate may have."""

from __future__ import annotations

from functools import lru_cache

from qrealm.circuits.gate_rows import GATES, UNITARY
from qrealm.circuits.gates import Gate
from qrealm.circuits.operations import DELAY, DELAYS


@lru_cache(maxsize=4096)
def names_for(gate: Gate, width: int) -> frozenset[str]:
    """The names under which rules find a gate on `width` qubits.

    A gate under added controls goes by the name that the table has for it: `x` under one control and `mcx` on
    two qubits are `cx`. Gates of any number of controls keep their own name too.
    """
    if gate in DELAYS:
        return frozenset({gate.name, DELAY.name})
    row = _controlled_row(gate, width)
    if row is None:
        return frozenset({gate.name})
    return frozenset({row.name, gate.name} if gate.variadic else {row.name})


@lru_cache(maxsize=4096)
def can_have(gate: Gate, width: int) -> bool:
    """Whether rules that name the gate can meet it on `width` qubits."""
    if gate is UNITARY or width == gate.num_qubits:
        return True
    if width < gate.num_qubits:
        return False
    return gate.variadic or _controlled_row(gate, width) is None


def _controlled_row(gate: Gate, width: int) -> Gate | None:
    """The row of fixed size for a gate on more qubits than its own; None where there is none."""
    if gate is UNITARY or (width == gate.num_qubits and not gate.variadic):
        return None
    base = _uncontrolled(gate)
    for row in GATES.values():
        if row.controls and not row.variadic and row.num_qubits == width and _uncontrolled(row) is base:
            return row
    return None


@lru_cache(maxsize=256)
def _uncontrolled(gate: Gate) -> Gate:
    if not gate.controls:
        return gate
    return next((row for row in GATES.values() if not row.controls and row.matrix is gate.matrix), gate)


__all__ = ["can_have", "names_for"]
