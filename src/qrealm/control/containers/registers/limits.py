"""How large registers may become."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qrealm.base.errors import TooLargeError
from qrealm.control.containers.values import Member
from qrealm.simulate.sparse_density import ENTRY_BYTES

LASTING_ENTRIES_MAX = 1 << 21
"""Most entries that a register may come to as it decays: half of what fits, so that a gate on it takes a few
seconds at most, and reading it from the store a third of one."""


def refuse_entries(made_by: str, members: Sequence[Member], count: float) -> None:
    """Raises TooLargeError where a register of these members would come to too many entries."""
    if count <= LASTING_ENTRIES_MAX:
        return
    known = math.isfinite(count)
    told = f"{count:,.0f}" if known else "many millions of"
    num_qubits = sum(member.num_qubits for member in members)
    if len(members) == 1:
        what = f"{made_by} would make a register of {num_qubits} qubits"
        hint = "give the container fewer states: k states in superposition have k² entries"
    else:
        what = f"{made_by} would make a group of {num_qubits} qubits"
        hint = (
            "entangle fewer containers, give them fewer states, or measure the group first: superposition on "
            "many qubits of a large group fills its matrix"
        )
    raise TooLargeError(
        f"{what} whose density matrix, as it decays, comes to {told} entries that are not "
        "zero",
        needed_bytes=int(ENTRY_BYTES * count) if known else ENTRY_BYTES << 2 * num_qubits,
        available_bytes=ENTRY_BYTES * LASTING_ENTRIES_MAX,
        rule=f"the rule is at most {LASTING_ENTRIES_MAX:,}, whatever memory there is",
        hint=hint,
    )
