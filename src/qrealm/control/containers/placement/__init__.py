"""Where containers go: snapshots as placement problems, schedulers by name, decisions with their reasons."""

from __future__ import annotations

from qrealm.control.containers.placement.decide import (
    SECONDS_DEFAULT,
    Action,
    Plan,
    PlannedMove,
    decide,
)
from qrealm.control.containers.placement.reasons import REPLACEMENT, explain
from qrealm.control.containers.placement.schedulers import (
    GREEDY,
    PORTFOLIO,
    Scheduler,
    SchedulerAnswer,
    SchedulerInfo,
    default_scheduler,
    register_scheduler,
    scheduler_named,
    schedulers,
    unregister_scheduler,
)
from qrealm.control.containers.placement.snapshot import (
    AFFINITY,
    ANTI_AFFINITY,
    FAILOVER,
    PlacementProblem,
    Policy,
    Snapshot,
    assignment_of,
    load_in,
    problem_of,
    sharing,
)

__all__ = [
    "AFFINITY",
    "ANTI_AFFINITY",
    "FAILOVER",
    "GREEDY",
    "PORTFOLIO",
    "REPLACEMENT",
    "SECONDS_DEFAULT",
    "Action",
    "PlacementProblem",
    "Plan",
    "PlannedMove",
    "Policy",
    "Scheduler",
    "SchedulerAnswer",
    "SchedulerInfo",
    "Snapshot",
    "assignment_of",
    "decide",
    "default_scheduler",
    "explain",
    "load_in",
    "problem_of",
    "register_scheduler",
    "scheduler_named",
    "schedulers",
    "sharing",
    "unregister_scheduler",
]
