"""What a container may be: the rules for what is asked of `create`, whoever asks."""

from __future__ import annotations

import re

from qrealm.base.errors import RegisterError, RequestError
from qrealm.control.containers.reports import CreateRequest
from qrealm.control.containers.values import QuantumSpec
from qrealm.fleet.containers import rules

WORD = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}")
"""Of nodes, states and clusters, which no engine is told."""
WEIGHT_MIN, WEIGHT_MAX = 1e-9, 1e9
WEIGHT_HELD_MIN, WEIGHT_HELD_MAX = 1e-100, 1e12
"""Of a record: schedulers can place it, if not weigh it exactly against others."""
_PULLS = ("missing", "always", "never")


def check_request(request: CreateRequest, num_qubits: int) -> None:
    """Raises RequestError or RegisterError for a container that cannot be."""
    rules.check_spec(request.spec)
    check_cluster(request.cluster)
    if request.pull not in _PULLS:
        raise RequestError(f"create got pull={request.pull!r}; it must be one of {', '.join(_PULLS)}")
    check_quantum(request.quantum, num_qubits)


def check_cluster(name: str | None) -> None:
    """Raises RequestError for what can be the name of no cluster; None is none."""
    if name is not None and not WORD.fullmatch(name):
        raise RequestError(
            f"create got the cluster {name!r:.80}; its name has letters, digits, '_', '.' and '-', and "
            "begins with a letter or digit"
        )


def own_network(cluster: str) -> str:
    """The network that is made for a cluster, called as Compose calls it."""
    return f"{cluster}_default"


def check_grace(called: str, grace_s: float) -> None:
    """Raises RequestError for seconds from SIGTERM to SIGKILL that no engine takes."""
    try:
        rules.grace_s(grace_s)
    except ValueError as problem:
        raise RequestError(f"{called} got {problem}") from None


def weight(value: float) -> float:
    """How much a container counts. Raises ValueError for what cannot be weighed exactly against others."""
    if value != 0 and not WEIGHT_MIN <= value <= WEIGHT_MAX:
        raise ValueError(f"must be 0, or from {WEIGHT_MIN:g} to {WEIGHT_MAX:g}")
    return value


def check_quantum(quantum: QuantumSpec, num_qubits: int) -> None:
    """Raises RegisterError for states, a probability or a weight that `create` does not take."""
    try:
        weight(quantum.weight)
    except ValueError as problem:
        raise RegisterError(
            f"create got quantum_weight={rules.shown(quantum.weight)}; it {problem}"
        ) from None
    check_register(quantum, num_qubits)


def check_register(quantum: QuantumSpec, num_qubits: int) -> None:
    """Raises RegisterError for what makes no register, or has a weight that no scheduler takes."""
    states = quantum.states
    if len(states) < 2 or len(set(states)) != len(states) or not all(WORD.fullmatch(s) for s in states):
        raise RegisterError(
            f"create got the states {','.join(states)!r:.80}; there must be at least two, all different, "
            "each of letters, digits, '_', '.' and '-'"
        )
    if not 0.0 <= quantum.probability <= 1.0:
        told = rules.shown(quantum.probability)
        raise RegisterError(f"create got quantum_probability={told}; it must be from 0 to 1")
    if quantum.weight != 0 and not WEIGHT_HELD_MIN <= quantum.weight <= WEIGHT_HELD_MAX:
        raise RegisterError(
            f"create got quantum_weight={rules.shown(quantum.weight)}; it must be 0, or from "
            f"{WEIGHT_HELD_MIN:g} to {WEIGHT_HELD_MAX:g}"
        )
    needed = (len(states) - 1).bit_length()
    if needed > num_qubits:
        raise RegisterError(
            f"{len(states)} states need {needed} qubits; the configuration allows {num_qubits} in a register",
            hint="declare fewer states, or raise num_qubits in the configuration",
        )
