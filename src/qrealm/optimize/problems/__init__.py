"""What can be solved: items on bins, binary variables, spins, cuts. Frozen values, no solving."""

from __future__ import annotations

from qrealm.optimize.problems.assignment import (
    Assignment,
    Bin,
    Item,
    Objective,
    Rule,
    apart,
    spread,
    together,
)
from qrealm.optimize.problems.binary import Ising, MaxCut, Qubo

Problem = Assignment | Qubo | Ising | MaxCut

__all__ = [
    "Assignment",
    "Bin",
    "Ising",
    "Item",
    "MaxCut",
    "Objective",
    "Problem",
    "Qubo",
    "Rule",
    "apart",
    "spread",
    "together",
]
