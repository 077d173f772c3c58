"""OpenQASM's boxes as barriers and delays."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from qrealm.circuits.gates import Gate
from qrealm.circuits.operations import BARRIER, DELAY, DELAY_DT, DELAYS, NANOSECONDS, Instruction, qubits_of

TIME = r"(\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)\s*(dt|ns|us|µs|μs|ms|s)"
BOX = re.compile(r"\s*box\s*(?:\[\s*(?:" + TIME + r"|[^\]]*)\s*\]\s*)?\Z")
DELAY_OF = re.compile(r"\s*delay\s*\[\s*" + TIME + r"\s*\]\s*(.*)\Z", re.DOTALL)

BOX_RULE = "a box with a time holds delays in the same unit, barriers, and gates that take no time"
BOX_HINT = "leave the box's time out, and fill it with delays"

_SMALL = 1e-9


class BoxError(Exception):
    """A box whose time cannot be kept."""


def time_of(number: str, unit: str) -> tuple[Gate, float]:
    """(the delay of this kind, its time in nanoseconds or cycles of a clock)."""
    scale = NANOSECONDS.get(unit)
    return (DELAY_DT, float(number)) if scale is None else (DELAY, float(number) * scale)


def waiting(kind: Gate, time: float, qubits: Sequence[int]) -> list[Instruction]:
    """A delay on qubits. On several it begins on all of them at once, as the language has it."""
    start: list[Instruction] = [(BARRIER, tuple(qubits), ())] if len(qubits) > 1 else []
    return [*start, *((kind, (qubit,), (time,)) for qubit in qubits)]


def boxed(
    body: Sequence[Instruction], also: Iterable[int], limit: tuple[Gate, float] | None
) -> list[Instruction]:
    """What stands in a box: its qubits begin together and end together, and wait until its time is over.

    Args:
        body: the instructions in it.
        also: qubits that are named in it without an instruction.
        limit: how long it takes; None where it has no time of its own.

    Raises:
        BoxError: the delays are longer than the box, or nobody knows how long its gates are.
    """
    qubits = tuple(sorted({*qubits_of(body), *also}))
    edge: list[Instruction] = [(BARRIER, qubits, ())] if len(qubits) > 1 else []
    if limit is None:
        return [*edge, *body, *edge]
    kind, whole = limit
    spent = dict.fromkeys(qubits, 0.0)
    for op, wires, args in body:
        if op in DELAYS:
            if op is not kind or not isinstance(args[0], int | float):
                raise BoxError("a box has its time in one unit and a delay in another")
            spent[wires[0]] += args[0]
        elif op is BARRIER:
            spent.update(dict.fromkeys(wires, max(spent[q] for q in wires)))
        elif not isinstance(op, Gate) or len(wires) > 1 or not op.diagonal:
            raise BoxError(f"a box has a time of its own and holds {op.name}, whose time is not known")
    rest: list[Instruction] = []
    for qubit, time in spent.items():
        if time > whole * (1 + _SMALL):
            unit = "ns" if kind is DELAY else "dt"
            raise BoxError(f"a box of {whole:g} {unit} holds {time:g} {unit} on qubit {qubit}")
        if whole - time > whole * _SMALL:
            rest.append((kind, (qubit,), (whole - time,)))
    return [*edge, *body, *rest, *edge]


__all__ = ["BOX", "BOX_HINT", "BOX_RULE", "DELAY_OF", "BoxError", "boxed", "time_of", "waiting"]
