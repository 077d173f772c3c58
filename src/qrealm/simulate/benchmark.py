"""Measures this machine: a layered circuit at each width."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

from qrealm.base.errors import RequestError
from qrealm.base.units import format_seconds
from qrealm.simulate.backends import QuantumBackend, backend_named
from qrealm.simulate.estimate import estimate
from qrealm.simulate.layered import LAYERS_DEFAULT, layered_circuit
from qrealm.simulate.plan.types import Estimate, Precision
from qrealm.simulate.run import run

_SHOTS = 1000
_REPEATS_MAX = 5
_REPEAT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class BenchmarkRow:
    """One width.

    Attributes:
        qubits: width of the circuit.
        gates: gates in it.
        seconds: median time of a run with 1,000 shots, planning included.
        gates_per_second: gates over seconds.
        backend: name of the backend.
        precision: of the state.
        threads: threads used.
    """

    qubits: int
    gates: int
    seconds: float
    gates_per_second: float
    backend: str
    precision: Precision
    threads: int


def benchmark(
    qubits: Sequence[int] = (5, 10, 15, 20),
    *,
    layers: int = LAYERS_DEFAULT,
    precision: str | Precision = "single",
    threads: int | None = None,
    backend: str | QuantumBackend | None = None,
    progress: Callable[[BenchmarkRow], None] | None = None,
    announce: Callable[[Estimate], None] | None = None,
    run_seconds_max: float | None = None,
) -> list[BenchmarkRow]:
    """Time a layered circuit (RY and RZ on every qubit, then CX along a line) at each width.

    Every width is run once to warm up, then up to five times or half a second; the median counts.

    Args:
        qubits: widths, each at least 1.
        layers: layers of each circuit, at least 1.
        progress: called with each row as it is ready.
        announce: called before each width with what a run will take.
        run_seconds_max: refuse, before anything runs, widths where a run would take longer; None runs all.
        precision, threads, backend: as for `run`.

    Raises:
        TooLargeError: a width does not fit in memory.
        RequestError: no widths, or one below 1, or a run that would take longer than `run_seconds_max`.
    """
    try:
        widths = [operator.index(width) for width in qubits]
        layers = operator.index(layers)
    except TypeError:
        raise RequestError(
            f"benchmark got qubits={qubits!r:.60} and layers={layers!r:.60}; the rule is a sequence of "
            "widths, such as [5, 10], and a number of layers"
        ) from None
    if not widths or min(widths) < 1 or layers < 1:
        raise RequestError(f"benchmark got qubits={widths} and layers={layers}; each must be at least 1")
    rows: list[BenchmarkRow] = []
    name = backend_named(backend)
    expected: list[Estimate | None] = [None] * len(widths)
    if announce is not None or run_seconds_max is not None:
        expected = [
            estimate(layered_circuit(width, layers), precision, threads, shots=_SHOTS, backend=name)
            for width in widths
        ]
    for told in expected:
        if told is not None and run_seconds_max is not None and told.fits and told.seconds > run_seconds_max:
            raise RequestError(
                f"benchmark got {told.num_qubits} qubits, where a run takes about "
                f"{format_seconds(told.seconds)} on {told.backend}; the rule here is at most "
                f"{format_seconds(run_seconds_max)} a run",
                hint="leave the width out, or raise the limit",
            )
    for width, told in zip(widths, expected, strict=True):
        if told is not None and announce is not None:
            announce(told)
        row = _measure(width, layers, precision, threads, name)
        rows.append(row)
        if progress is not None:
            progress(row)
    return rows


def _measure(
    width: int, layers: int, precision: str | Precision, threads: int | None, backend: QuantumBackend
) -> BenchmarkRow:
    circuit = layered_circuit(width, layers)
    times: list[float] = []
    begun = perf_counter()
    result = run(circuit, shots=_SHOTS, seed=1, precision=precision, threads=threads, backend=backend)
    first = perf_counter() - begun
    while len(times) < _REPEATS_MAX and (not times or sum(times) + first < _REPEAT_SECONDS):
        begun = perf_counter()
        run(circuit, shots=_SHOTS, seed=1, precision=precision, threads=threads, backend=backend)
        times.append(perf_counter() - begun)
    seconds = sorted(times)[len(times) // 2]
    facts = result.metadata
    return BenchmarkRow(
        width,
        len(circuit),
        seconds,
        len(circuit) / seconds,
        facts["backend"],
        Precision(facts["precision"]),
        facts["threads"],
    )
