"""`QuantumVirtualizationEngine`: takes circuits as jobs and keeps the event loop free while they run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from qrealm.base import limits
from qrealm.base.cancel import CancelToken, watching
from qrealm.base.errors import (
    BackendRefusalError,
    CancelledRunError,
    QrealmError,
    QubitError,
    RequestError,
    ResourceError,
    UserError,
)
from qrealm.control.hardware import HardwareInfo, hardware
from qrealm.simulate.backends import BACKENDS, QuantumBackend, missing_package
from qrealm.simulate.benchmark import benchmark
from qrealm.simulate.results import Result
from qrealm.simulate.run import run

T = TypeVar("T")


class JobStatus(StrEnum):
    """How a job ended."""

    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class JobError:
    """Why a job failed.

    Attributes:
        code: stable identifier such as ``"QR201"``; see `qrealm.errors`.
        message: what was asked, what came, the rule.
        hint: what to do about it; may be empty.
        text: all of it as the command line shows it, with line and column where there are any.
    """

    code: str
    message: str
    hint: str
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, eq=False)
class QuantumJobResult:
    """What became of one job.

    Attributes:
        job_id: unique name of the job.
        status: completed or failed.
        counts: how often each outcome was drawn, qubit 0 rightmost; empty when failed.
        statevector: amplitudes before the final measurements, shape (2^n,); None unless asked for.
        expectation_values: value of each observable, by its name or text.
        execution_time: seconds from the start of the work to its end, reading included.
        error: why it failed; None when it did not.
        metadata: how the result came about, as `Result.metadata`; empty when failed.
    """

    job_id: str
    status: JobStatus
    counts: dict[str, int] = field(default_factory=dict)
    statevector: NDArray[np.complex128] | NDArray[np.complex64] | None = None
    expectation_values: dict[str, float] = field(default_factory=dict)
    execution_time: float = 0.0
    error: JobError | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


class QuantumVirtualizationEngine:
    """Runs circuits on this machine as jobs.

    Args:
        config_dir: where an engine will keep what it must remember; `~/.config/qrealm` when None. Nothing is
            kept yet: this version neither reads nor creates the folder.
    """

    def __init__(self, config_dir: str | Path | None = None) -> None:
        self.config_dir = (
            Path(config_dir) if config_dir is not None else Path("~/.config/qrealm").expanduser()
        )
        self._hardware: HardwareInfo | None = None

    @property
    def hardware_info(self) -> HardwareInfo:
        """What this machine has and how many qubits fit; looked up once per engine."""
        if self._hardware is None:
            self._hardware = hardware()
        return self._hardware

    async def execute_circuit(
        self,
        circuit: Any,
        vm_name: str | None = None,
        backend: str | QuantumBackend | None = None,
        shots: int = limits.SHOTS_DEFAULT,
        **options: Any,
    ) -> QuantumJobResult:
        """Run a circuit in a worker thread and wait for it; other tasks of the loop go on meanwhile.

        Jobs that are too large to be in memory together take turns: each begins when the others
        leave it enough.

        Cancelling the awaiting task, as Ctrl-C does to `asyncio.run`, stops the run within a second.

        Args:
            circuit: anything that `qrealm.read` takes.
            vm_name: the machine to run on; None for this one, which is the only one that there is.
            backend: ``"auto"`` or a name of `QuantumBackend`.
            shots: samples to draw.
            options: further arguments of `qrealm.run`, such as ``seed`` or ``return_statevector``.

        Returns:
            The job's result. What the caller can mend (an unreadable circuit, too many qubits, an
            option's wrong value) is in its `error`, with status failed; a bug propagates as the exception
            that it is.
        """
        return await _in_thread(lambda: self._execute(circuit, vm_name, backend, shots, options))

    async def benchmark(self, num_qubits: int = 10) -> dict[str, float]:
        """Seconds that a layered circuit of this many qubits takes on each backend that is installed and can
        run it, with 1,000 shots.

        Raises:
            TooLargeError, RequestError: as `qrealm.benchmark`.
        """
        return await _in_thread(lambda: _benchmark_all(num_qubits))

    def _execute(
        self,
        circuit: Any,
        vm_name: str | None,
        backend: str | QuantumBackend | None,
        shots: int,
        options: Any,
    ) -> QuantumJobResult:
        job_id = f"job-{uuid4().hex}"
        begun = perf_counter()
        try:
            if vm_name is not None:
                raise RequestError(
                    f"no machine is named {vm_name!r:.60}; this engine has none",
                    hint="leave vm_name out to run on this machine",
                )
            result: Result = run(circuit, shots=shots, backend=backend, **options)
        except QrealmError as problem:
            if not isinstance(problem, UserError):
                raise
            error = JobError(problem.code, problem.message, problem.hint, str(problem))
            return QuantumJobResult(
                job_id, JobStatus.FAILED, execution_time=perf_counter() - begun, error=error
            )
        return QuantumJobResult(
            job_id,
            JobStatus.COMPLETED,
            counts=result.counts,
            statevector=result.statevector,
            expectation_values=result.expectation_values,
            execution_time=perf_counter() - begun,
            metadata=result.metadata,
        )


async def _in_thread(work: Callable[[], T]) -> T:
    """Do some work in a worker thread; cancelling the caller stops the work and waits for that."""
    token = CancelToken()

    def watched() -> T:
        with watching(token):
            return work()

    task = asyncio.ensure_future(asyncio.to_thread(watched))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        token.cancel()
        with suppress(CancelledRunError):
            await task
        raise


def _benchmark_all(num_qubits: int) -> dict[str, float]:
    """Seconds by backend; those that lack a package or cannot run the circuit are left out."""
    found: dict[str, float] = {}
    refused: QrealmError | None = None
    for name, row in BACKENDS.items():
        if missing_package(row.card):
            continue
        try:
            found[name.value] = benchmark([num_qubits], backend=name)[0].seconds
        except (BackendRefusalError, QubitError, ResourceError) as problem:
            refused = refused or problem
    if not found and refused is not None:
        raise refused
    return found
