"""Arguments of programs, checked where Python takes more than is meant: text is a sequence of letters."""

from __future__ import annotations

from collections.abc import Sequence

from qrealm.base.errors import RequestError


def check_names(called: str, names: object) -> None:
    """Raises RequestError for what is no list of names of containers."""
    if _are_names(names):
        return
    hint = f"write [{names!r:.80}]" if isinstance(names, str) else ""
    raise RequestError(f"{called} got {names!r:.80}; the rule is a list of names of containers", hint=hint)


def check_gate_call(gate: object, names: object) -> None:
    """Raises RequestError for what is no gate, or no list of names, such as the two the other way round."""
    if isinstance(gate, str) and _are_names(names):
        return
    raise RequestError(
        f"apply_gate got {gate!r:.60} as gate and {names!r:.60} as containers; the rule is the name of a "
        "gate, then a list of names of containers",
        hint='as in apply_gate("RY", ["web"], angle=0.3)',
    )


def _are_names(names: object) -> bool:
    return (
        isinstance(names, Sequence)
        and not isinstance(names, str | bytes)
        and all(isinstance(each, str) for each in names)
    )
