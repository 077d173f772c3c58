"""Arguments of programs, checked where Python takes more than is meant: text is a sequence of letters."""

from __future__ import annotations

from collections.abc import Sequence

from qrealm.base.errors import RegisterError, RequestError
from qrealm.control.containers.registers import gate_named


def check_names(called: str, names: object) -> None:
    """Raises RequestError for what is no list of names of containers."""
    if _are_names(names):
        return
    hint = f"write [{names!r:.80}]" if isinstance(names, str) else ""
    raise RequestError(f"{called} got {names!r:.80}; the rule is a list of names of containers", hint=hint)


def check_gate_call(gate: object, names: object) -> None:
    """Raises RequestError for what is no gate, or no list of names, such as the two the other way round."""
    if isinstance(gate, str) and isinstance(names, Sequence) and _are_names(names):
        _check_gate(gate, names)
        return
    raise RequestError(
        f"apply_gate got {gate!r:.60} as gate and {names!r:.60} as containers; the rule is the name of a "
        "gate, then a list of names of containers",
        hint='as in apply_gate("RY", ["web"], angle=0.3)',
    )


def _check_gate(gate: str, names: Sequence[str]) -> None:
    """Raises RegisterError for a gate that there is not, or not for so many containers."""
    try:
        row = gate_named(gate)
    except RegisterError:
        swapped = next((name for name in names[1:] if _is_gate(name)), None)
        if swapped is None:
            raise
        raise RegisterError(
            f"apply-gate got {gate!r:.60} as the gate, which is none, and {swapped!r} as a container; the "
            "rule is a container, the gate, and where it takes two the other container",
            hint=f"qdocker apply-gate {names[0]} {swapped} {gate:.60}",
        ) from None
    if len(names) != row.num_qubits:
        called, first = row.name.upper(), names[0] if names else "NAME"
        takes = "two containers, the control first" if row.num_qubits == 2 else "one container"
        raise RegisterError(
            f"gate {called} takes {takes}; it got {' and '.join(names) or 'none'}",
            hint=f"qdocker apply-gate {first} {called}{' NAME2' if row.num_qubits == 2 else ''}",
        )


def _is_gate(name: str) -> bool:
    try:
        gate_named(name)
    except RegisterError:
        return False
    return True


def _are_names(names: object) -> bool:
    return (
        isinstance(names, Sequence)
        and not isinstance(names, str | bytes)
        and all(isinstance(each, str) for each in names)
    )
