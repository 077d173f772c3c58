"""Many parameter sets of one packed circuit, handed to the backend together: rows of numbers in, rows of
expectation values or counts out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from time import perf_counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qrealm.base import cancel, limits
from qrealm.base.machine import cores_default
from qrealm.circuits import PackedTemplate
from qrealm.simulate.backends.protocol import RowProgram, SteeredBackend, takes_rows
from qrealm.simulate.execute import plan_counts, plan_state
from qrealm.simulate.memory import Reservation
from qrealm.simulate.observables import Named
from qrealm.simulate.plan.types import CircuitShape, Plan, Precision, Request
from qrealm.simulate.request import RunRequest

_CHUNK_SECONDS = 0.1  # of one call: between calls, progress is told and a cancelled run ends
_FIRST_ROWS = 32  # of the first call on a small circuit; on a large one it takes one

Drawn = tuple[NDArray[np.uint64], NDArray[np.int64]]
NO_OUTCOMES: Drawn = (np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64))


class ExactRows(NamedTuple):
    """Rows `begin` onwards: values of shape (rows, observables), and wall seconds for each row."""

    begin: int
    values: NDArray[np.float64]
    seconds: float


class DrawnRows(NamedTuple):
    """Rows `begin` onwards: distinct outcomes and their counts for each, and wall seconds for each."""

    begin: int
    drawn: list[Drawn]
    seconds: float


@dataclass(frozen=True, slots=True)
class Batch:
    """A planned sweep.

    Attributes:
        plan: of each of its runs.
        backend: where they are run.
        program: takes rows.
        template: the circuit.
        params: shape (R, angles), R at least 1.
        reserved: its memory.
    """

    plan: Plan
    backend: SteeredBackend
    program: RowProgram
    template: PackedTemplate
    params: NDArray[np.float64]
    reserved: Reservation

    def expectations(self, observables: Named) -> Iterator[ExactRows]:
        """Exact values of the observables, chunk by chunk."""
        masks = [observable.masks() for _, observable in observables]
        terms = (
            np.concatenate([x for x, _, _ in masks]),
            np.concatenate([z for _, z, _ in masks]),
            np.concatenate([coefficients for _, _, coefficients in masks]),
        )
        ends = np.cumsum([len(x) for x, _, _ in masks]).tolist()
        with self.reserved:
            for begin, end, started in self._chunks():
                values = self.program.expectations_of_rows(
                    self.params[begin:end], terms, ends, self.plan.threads
                )
                yield ExactRows(begin, values, (perf_counter() - started) / (end - begin))

    def counts(self, shots: int, seeds: NDArray[np.uint64]) -> Iterator[DrawnRows]:
        """Samples of all qubits with a seed for each row, chunk by chunk."""
        with self.reserved:
            for begin, end, started in self._chunks():
                drawn = self.program.counts_of_rows(
                    self.params[begin:end], shots, seeds[begin:end], self.plan.threads
                )
                yield DrawnRows(begin, drawn, (perf_counter() - started) / (end - begin))

    def _chunks(self) -> Iterator[tuple[int, int, float]]:
        """(first row, last row + 1, when it began), sized by how long the rows before them took."""
        total = len(self.params)
        size = _FIRST_ROWS if self.template.packed.num_qubits <= limits.SERIAL_QUBITS_MAX else 1
        begin = 0
        while begin < total:
            cancel.check()
            end = min(begin + size, total)
            started = perf_counter()
            yield begin, end, started
            each = max((perf_counter() - started) / (end - begin), 1e-9)
            size = max(1, min(8 * size, int(_CHUNK_SECONDS / each)))
            begin = end


def asks_values(request: RunRequest) -> bool:
    """Whether exact expectation values are all that is wanted."""
    planning = request.planning
    return bool(
        request.observables
        and not (request.sampled or planning.shots or planning.state_copy or request.amplitudes)
    )


def asks_counts(request: RunRequest) -> bool:
    """Whether counts are all that is wanted."""
    return bool(request.planning.shots and not request.planning.exact and not request.sampled)


def batch(
    template: PackedTemplate, params: NDArray[np.float64], request: RunRequest, backend: SteeredBackend
) -> Batch | None:
    """Plan a sweep of which only exact values, or only counts, are wanted; None when it is to be run row by
    row. A small state is run on each thread, so as many are counted.

    Raises:
        TooLargeError, QubitError, RequestError: see `choose`.
    """
    if not len(params) or not (asks_values(request) or asks_counts(request)):
        return None
    first, num_qubits = template.with_params(params[0]), template.packed.num_qubits
    threads = request.planning.threads or cores_default()
    planning = replace(request.planning, threads=threads)
    if asks_counts(request):
        plan, program, reserved = plan_counts(first, planning, backend)
        return Batch(plan, backend, program, template, params, reserved) if takes_rows(program) else None
    program = backend.compile(first, planning.precision or Precision.DOUBLE)
    if not takes_rows(program):
        return None
    plan, reserved = _plan_values(num_qubits, planning, backend, program.states_at_once(len(params), threads))
    if plan.precision is not (planning.precision or Precision.DOUBLE):
        program = backend.compile(first, plan.precision)
        assert takes_rows(program)  # as it did in the other precision
    return Batch(plan, backend, program, template, params, reserved)


def _plan_values(
    num_qubits: int, planning: Request, backend: SteeredBackend, states: int
) -> tuple[Plan, Reservation]:
    return plan_state(CircuitShape(num_qubits, 1 << num_qubits, 0, states - 1), planning, backend)


__all__ = [
    "NO_OUTCOMES",
    "Batch",
    "DrawnRows",
    "ExactRows",
    "asks_counts",
    "asks_values",
    "batch",
]
