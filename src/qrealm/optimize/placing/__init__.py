"""Placement of a running cluster: what arrives or leaves, which node comes or goes, why what is where."""

from __future__ import annotations

from qrealm.optimize.placing.cluster import Cluster
from qrealm.optimize.placing.decisions import Candidate, Decision, Decisions, Move
from qrealm.optimize.placing.functions import Placement, place, rebalance, replace
from qrealm.optimize.placing.placer import Placer

__all__ = [
    "Candidate",
    "Cluster",
    "Decision",
    "Decisions",
    "Move",
    "Placement",
    "Placer",
    "place",
    "rebalance",
    "replace",
]
