"""What a container may be: the rules for what is asked of `create`, whoever asks."""

from __future__ import annotations

import re

from qrealm.base.errors import RegisterError, RequestError
from qrealm.control.containers.reports import CreateRequest
from qrealm.control.containers.values import QuantumSpec

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}")
WORD = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}")
"""Of nodes and states, which no engine is told."""
GRACE_S_MAX = 86_400
_PULLS = ("missing", "always", "never")


def check_request(request: CreateRequest, num_qubits: int) -> None:
    """Raises RequestError or RegisterError for a container that cannot be."""
    if not NAME.fullmatch(request.spec.name):
        raise RequestError(
            f"create got the name {request.spec.name!r:.80}; a name has two or more letters, digits, '_', "
            "'.' and '-', and begins with a letter or digit"
        )
    if request.pull not in _PULLS:
        raise RequestError(f"create got pull={request.pull!r}; it must be one of {', '.join(_PULLS)}")
    check_quantum(request.quantum, num_qubits)
    limits = request.spec.limits
    if not 0.01 <= limits.cpus < float("inf"):
        raise RequestError(f"create got cpu={limits.cpus:g}; it must be at least 0.01")
    if limits.memory_bytes < 6 << 20:
        raise RequestError(
            f"create got a memory limit of {limits.memory_bytes:,} bytes; engines need at least 6 MiB"
        )
    if limits.pids < 1:
        raise RequestError(f"create got a limit of {limits.pids} processes; it must be at least 1")
    check_grace("create", request.spec.stop_grace_s)


def check_grace(called: str, grace_s: float) -> None:
    """Raises RequestError for seconds from SIGTERM to SIGKILL that no engine takes."""
    if not 0 <= grace_s <= GRACE_S_MAX:
        raise RequestError(f"{called} got a grace of {grace_s:g} s; it must be from 0 to {GRACE_S_MAX:,}")


def check_quantum(quantum: QuantumSpec, num_qubits: int) -> None:
    """Raises RegisterError for states, a probability or a weight that make no register."""
    states = quantum.states
    if len(states) < 2 or len(set(states)) != len(states) or not all(WORD.fullmatch(s) for s in states):
        raise RegisterError(
            f"create got the states {','.join(states)!r:.80}; there must be at least two, all different, "
            "each of letters, digits, '_', '.' and '-'"
        )
    if not 0.0 <= quantum.probability <= 1.0:
        raise RegisterError(f"create got quantum_probability={quantum.probability}; it must be from 0 to 1")
    if not 0.0 <= quantum.weight < float("inf"):
        raise RegisterError(f"create got quantum_weight={quantum.weight}; it must be 0 or more, and finite")
    needed = (len(states) - 1).bit_length()
    if needed > num_qubits:
        raise RegisterError(
            f"{len(states)} states need {needed} qubits; the configuration allows {num_qubits} in a register",
            hint="declare fewer states, or raise num_qubits in the configuration",
        )
