"""Placement and optimization: problems as values, solvers of one shape, one clock, a proven bound."""

from __future__ import annotations

from qrealm.optimize.placing import Cluster, Decision, Placement, Placer, place, rebalance, replace
from qrealm.optimize.problems import (
    Assignment,
    Bin,
    Ising,
    Item,
    MaxCut,
    Objective,
    Problem,
    Qubo,
    Rule,
    apart,
    spread,
    together,
)
from qrealm.optimize.result import OptimizeResult, Progress
from qrealm.optimize.solve import solve

__all__ = [
    "Assignment",
    "Bin",
    "Cluster",
    "Decision",
    "Ising",
    "Item",
    "MaxCut",
    "Objective",
    "OptimizeResult",
    "Placement",
    "Placer",
    "Problem",
    "Progress",
    "Qubo",
    "Rule",
    "apart",
    "place",
    "rebalance",
    "replace",
    "solve",
    "spread",
    "together",
]
