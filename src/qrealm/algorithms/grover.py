"""Grover's search for marked items (L. K. Grover, quant-ph/9605043; M. Boyer et al., quant-ph/9605034)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from time import perf_counter
from typing import Unpack

from qrealm.algorithms.noisy_runs import run_noisy
from qrealm.algorithms.options import NoisyRunOptions, basis_text, check_options, check_whole
from qrealm.base import limits
from qrealm.base.errors import RequestError
from qrealm.circuits import Circuit

MarkedItems = int | str | Iterable[int | str]
"""One item or several: basis indices, or bit strings with qubit 0 rightmost."""

ITERATIONS_MAX = 10_000_000
"""Beyond this a circuit's instructions alone fill the memory."""

_AMPLITUDES_MAX = 4096


@dataclass(frozen=True, slots=True)
class GroverResult:
    """What a search found.

    Attributes:
        found_item: the basis index drawn most often.
        found_bitstring: the same as bits, qubit 0 rightmost.
        success: whether it is marked.
        probability: of measuring a marked item; exact, or with noise or more than 4096 marked items the
            share of the shots.
        iterations: oracle calls.
        marked_items: ascending.
        counts: outcomes and how often each was drawn.
        circuit: what was run.
        execution_time: seconds.
    """

    found_item: int
    found_bitstring: str
    success: bool
    probability: float
    iterations: int
    marked_items: tuple[int, ...]
    counts: dict[str, int]
    circuit: Circuit
    execution_time: float


def optimal_iterations(num_qubits: int, num_marked: int = 1) -> int:
    """The number of iterations that comes closest to a quarter turn: round(pi / (4 asin sqrt(M/N)) - 1/2).

    Raises:
        RequestError: `num_marked` is not from 1 to 2^n.
    """
    width = check_whole("num_qubits", num_qubits, 1, limits.QUBITS_MAX)
    marked = check_whole("num_marked", num_marked, 1, 1 << width)
    angle = math.asin(math.sqrt(marked / (1 << width)))
    return round(math.pi / (4 * angle) - 0.5)


def success_probability(num_qubits: int, num_marked: int, iterations: int) -> float:
    """sin^2((2k + 1) asin sqrt(M/N)): the probability of a marked item after k iterations."""
    angle = math.asin(math.sqrt(num_marked / (1 << num_qubits)))
    return math.sin((2 * iterations + 1) * angle) ** 2


def grover_oracle(num_qubits: int, marked_item: MarkedItems) -> Circuit:
    """Flips the sign of the marked basis states: for each a Z with n - 1 controls, between X gates.

    Raises:
        RequestError: an item is out of range, no bit string of n bits, or there is none.
    """
    width = check_whole("num_qubits", num_qubits, 1, limits.QUBITS_MAX)
    circuit = Circuit(width, name="oracle")
    for item in _checked(width, marked_item):
        _flip_sign(circuit, item)
    return circuit


def grover_circuit(num_qubits: int, marked_item: MarkedItems, iterations: int | None = None) -> Circuit:
    """The search: an even superposition, then `iterations` times the oracle and the reflection about it.

    Args:
        num_qubits: n; the search is among 2^n items.
        marked_item: one or several basis indices or bit strings.
        iterations: the best number when None.

    Raises:
        RequestError: as `grover_oracle`, or a wrong number of iterations.
    """
    width = check_whole("num_qubits", num_qubits, 1, limits.QUBITS_MAX)
    items = _checked(width, marked_item)
    if iterations is None:
        iterations = _best_iterations(width, len(items))
    rounds = check_whole("iterations", iterations, 0, ITERATIONS_MAX)
    qubits = range(width)
    step = grover_oracle(width, items).h(qubits)
    _flip_sign(step, 0)
    step.h(qubits).gphase(math.pi)  # 2|s><s| - 1 is minus the reflection that flips |s>
    return Circuit(width, name="Grover").h(qubits).compose(step.power(rounds))


def run_grover(
    num_qubits: int,
    marked_item: MarkedItems,
    iterations: int | None = None,
    *,
    shots: int = limits.SHOTS_DEFAULT,
    seed: int | None = None,
    **options: Unpack[NoisyRunOptions],
) -> GroverResult:
    """Search for marked items.

    Args:
        num_qubits: n; the search is among 2^n items.
        marked_item: one or several basis indices or bit strings.
        iterations: the best number when None.
        shots: samples of the final state, at least 1.
        seed: the same seed gives the same counts.
        options: precision, threads, backend and noise, as for `qrealm.run`.

    Raises:
        RequestError: an item is out of range or no bit string of n bits, or another wrong option.
        TooLargeError: the state does not fit in memory.
    """
    check_options(run_grover, options, NoisyRunOptions)
    begun = perf_counter()
    check_whole("shots", shots, 1, limits.SHOTS_MAX)
    width = check_whole("num_qubits", num_qubits, 1, limits.QUBITS_MAX)
    items = _checked(width, marked_item)
    if iterations is None:
        iterations = _best_iterations(width, len(items))
    circuit = grover_circuit(width, items, iterations)
    texts = [basis_text(item, width) for item in items]
    exact = len(items) <= _AMPLITUDES_MAX and options.get("noise") is None
    result = run_noisy(circuit, shots, seed, amplitudes=texts if exact else None, **options)
    counts = result.counts
    if exact:
        probability = sum(abs(amplitude) ** 2 for amplitude in result.amplitudes().values())
    else:
        probability = sum(counts.get(text, 0) for text in texts) / shots
    found = result.most_frequent
    return GroverResult(
        found_item=int(found, 2),
        found_bitstring=found,
        success=int(found, 2) in items,
        probability=probability,
        iterations=iterations,
        marked_items=items,
        counts=counts,
        circuit=circuit,
        execution_time=perf_counter() - begun,
    )


def _best_iterations(num_qubits: int, num_marked: int) -> int:
    """`optimal_iterations`, where a circuit can have so many. Raises RequestError."""
    found = optimal_iterations(num_qubits, num_marked)
    if found > ITERATIONS_MAX:
        raise RequestError(
            f"the search for {num_marked} of 2^{num_qubits} items needs {found:,} iterations; the rule is at "
            f"most {ITERATIONS_MAX:,}",
            hint="fewer qubits, or iterations=... for a lower probability",
        )
    return found


def _flip_sign(circuit: Circuit, item: int) -> None:
    """Multiply one basis state by -1."""
    width = circuit.num_qubits
    zeros = [qubit for qubit in range(width) if not item >> qubit & 1]
    circuit.x(zeros)
    if width == 1:
        circuit.z(0)
    else:
        circuit.mcz(range(width - 1), width - 1)
    circuit.x(zeros)


def _checked(num_qubits: int, marked: MarkedItems) -> tuple[int, ...]:
    """The marked basis indices, ascending, each once."""
    several = list(marked) if isinstance(marked, Iterable) and not isinstance(marked, str) else [marked]
    if not several:
        raise RequestError("marked_item is empty; the rule is at least one item")
    items = set()
    for item in several:
        if isinstance(item, str):
            if len(item) != num_qubits or set(item) - {"0", "1"}:
                raise RequestError(
                    f"marked_item has {item!r:.80}; the rule is {num_qubits} characters 0 or 1, "
                    "qubit 0 rightmost"
                )
            items.add(int(item, 2))
        else:
            items.add(check_whole("marked_item", item, 0, (1 << num_qubits) - 1))
    return tuple(sorted(items))
