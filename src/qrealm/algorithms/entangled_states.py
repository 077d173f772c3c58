"""GHZ and W states: circuits of logarithmic depth, and runs that say how good the state is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Unpack

from qrealm.algorithms.noisy_runs import run_noisy
from qrealm.algorithms.options import QUBITS_MAX, NoisyRunOptions, basis_text, check_options, check_whole
from qrealm.base import limits
from qrealm.circuits import Circuit

FIDELITY_QUBITS_MAX = 24
"""Largest state whose fidelity is computed: its amplitudes take 256 MiB in double precision."""


@dataclass(frozen=True, slots=True)
class EntangledState:
    """A state that was prepared and measured.

    Attributes:
        num_qubits: its qubits.
        counts: outcomes, qubit 0 rightmost, and how often each was drawn.
        success_probability: share of the shots in the state's own outcomes: all equal for GHZ, exactly one 1
            for W.
        fidelity: |<wanted|prepared>|^2, exact; None with noise and above 24 qubits.
        circuit: what was run.
        execution_time: seconds.
    """

    num_qubits: int
    counts: dict[str, int]
    success_probability: float
    fidelity: float | None
    circuit: Circuit
    execution_time: float


def ghz_circuit(num_qubits: int) -> Circuit:
    """(|0...0> + |1...1>)/sqrt(2), in depth 1 + ceil(log2 n): every round doubles the qubits that share it.

    Raises:
        RequestError: `num_qubits` is not an integer from 1 to 4096.
    """
    count = check_whole("num_qubits", num_qubits, 1, QUBITS_MAX)
    circuit = Circuit(count, name="GHZ").h(0)
    reached = 1
    while reached < count:
        for source in range(min(reached, count - reached)):
            circuit.cx(source, reached + source)
        reached *= 2
    return circuit


def w_circuit(num_qubits: int) -> Circuit:
    """(|0...01> + |0...10> + ... + |10...0>)/sqrt(n), in a depth that grows as log2 n.

    One excitation starts on qubit 0. A block of qubits hands half of it over to its middle, with the weight
    that the other half's size asks for; then both halves do the same.

    Raises:
        RequestError: `num_qubits` is not an integer from 1 to 4096.
    """
    count = check_whole("num_qubits", num_qubits, 1, QUBITS_MAX)
    circuit = Circuit(count, name="W").x(0)
    blocks = [(0, count)]
    while blocks:
        halves: list[tuple[int, int]] = []
        for first, size in blocks:
            if size == 1:
                continue
            kept = (size + 1) // 2
            middle = first + kept
            circuit.cry(2 * math.asin(math.sqrt((size - kept) / size)), first, middle).cx(middle, first)
            halves += [(first, kept), (middle, size - kept)]
        blocks = halves
    return circuit


def run_ghz(
    num_qubits: int,
    *,
    shots: int = limits.SHOTS_DEFAULT,
    seed: int | None = None,
    **options: Unpack[NoisyRunOptions],
) -> EntangledState:
    """Prepare a GHZ state and measure all of it.

    Args:
        num_qubits: 1 or more.
        shots: samples, at least 1.
        seed: the same seed gives the same counts.
        options: precision, threads, backend and noise, as for `qrealm.run`.

    Raises:
        RequestError, TooLargeError: as `qrealm.run`.
    """
    check_options(run_ghz, options, NoisyRunOptions)
    circuit = ghz_circuit(num_qubits)
    return _prepared(circuit, sorted({0, (1 << num_qubits) - 1}), shots, seed, options)


def run_w(
    num_qubits: int,
    *,
    shots: int = limits.SHOTS_DEFAULT,
    seed: int | None = None,
    **options: Unpack[NoisyRunOptions],
) -> EntangledState:
    """Prepare a W state and measure all of it. Arguments and errors as `run_ghz`."""
    check_options(run_w, options, NoisyRunOptions)
    circuit = w_circuit(num_qubits)
    return _prepared(circuit, [1 << qubit for qubit in range(num_qubits)], shots, seed, options)


def _prepared(
    circuit: Circuit, outcomes: Sequence[int], shots: int, seed: int | None, options: NoisyRunOptions
) -> EntangledState:
    """Run a circuit that should make an even superposition of some basis states."""
    check_whole("shots", shots, 1, limits.SHOTS_MAX)
    begun = perf_counter()
    count = circuit.num_qubits
    texts = [basis_text(index, count) for index in outcomes]
    known = count <= FIDELITY_QUBITS_MAX and options.get("noise") is None
    result = run_noisy(circuit, shots, seed, amplitudes=texts if known else None, **options)
    fidelity = None
    if known:
        overlap: complex = sum(result.amplitudes().values(), 0j)
        fidelity = abs(overlap) ** 2 / len(outcomes)
    counts = result.counts
    hits = sum(counts.get(text, 0) for text in texts)
    return EntangledState(count, counts, hits / shots, fidelity, circuit, perf_counter() - begun)
