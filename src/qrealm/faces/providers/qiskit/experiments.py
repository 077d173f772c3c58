"""Runs circuits for a backend and puts what came out into Qiskit's `Result`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit.result import Result as QiskitResult
from qiskit.result.models import ExperimentResult, ExperimentResultData

from qrealm.base import cancel
from qrealm.base.errors import RequestError
from qrealm.base.version import installed_version
from qrealm.circuits import Circuit
from qrealm.circuits.noise.model import NoiseModel
from qrealm.circuits.operations import MEASURE, contains
from qrealm.faces.providers.qiskit.narrow import read_narrow
from qrealm.faces.providers.qiskit.options import Seed, seeds_from
from qrealm.faces.providers.qiskit.readout import Readout
from qrealm.faces.providers.qiskit.rows import run_rows
from qrealm.simulate.results import Result


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What `QrealmBackend.run` takes; see there."""

    shots: int
    seed_simulator: Seed
    memory: bool
    return_statevector: bool
    precision: str
    threads: int | None
    noise: NoiseModel | None
    backend_options: Any


@dataclass(frozen=True, slots=True)
class Experiment:
    """One circuit of a job, read already.

    Attributes:
        circuit: what is run.
        header: what Qiskit needs to print its counts.
        rows: one row of values for each run, columns in the order of ``circuit.parameters``, shape (R, P).
    """

    circuit: Circuit
    header: dict[str, Any]
    rows: NDArray[np.float64]

    @classmethod
    def of(cls, source: Any, values: Mapping[Any, Any] | None, options: RunOptions) -> Experiment:
        """Read one circuit, and its parameters' values where it has any.

        Args:
            source: a QuantumCircuit.
            values: of its parameters, by parameter or name.
            options: of the job. A state vector has all qubits, also idle ones.

        Raises:
            ReadError, CircuitError: see `qrealm.read`.
            RequestError: see `_rows_of`.
        """
        circuit, _ = read_narrow(source, options.noise, whole=options.return_statevector)
        return cls(circuit, header_of(source), _rows_of(source, circuit, values or {}))


def run_experiments(
    experiments: Sequence[Experiment], options: RunOptions, backend: str, job_id: str
) -> QiskitResult:
    """Run everything and gather it; one entry for each circuit and each row of its parameters' values.

    Raises:
        CancelledRunError: the job was cancelled.
        QrealmError: see `qrealm.run`.
    """
    begun = perf_counter()
    seeds = seeds_from(options.seed_simulator, len(experiments))
    entries: list[ExperimentResult] = []
    for experiment, seed in zip(experiments, seeds, strict=True):
        cancel.check()
        for found in _results(experiment, options, backend, seed):
            entries.append(_entry(experiment, found, options, seed))
    return QiskitResult(
        backend_name=backend,
        backend_version=installed_version(),
        job_id=job_id,
        success=True,
        results=entries,
        date=datetime.now(UTC).isoformat(),
        status="COMPLETED",
        time_taken=perf_counter() - begun,
    )


def header_of(source: Any) -> dict[str, Any]:
    """The header of an experiment: names, registers and the circuit's own metadata."""
    places = [source.find_bit(bit).index for register in source.cregs for bit in register]
    # Registers that share bits or leave gaps cannot be told apart by their sizes: one string without blanks.
    tiled = places == list(range(source.num_clbits))
    return {
        "name": source.name,
        "n_qubits": source.num_qubits,
        "memory_slots": source.num_clbits,
        "creg_sizes": [[register.name, register.size] for register in source.cregs] if tiled else [],
        "qreg_sizes": [[register.name, register.size] for register in source.qregs],
        "metadata": dict(source.metadata or {}),
    }


def _results(experiment: Experiment, options: RunOptions, backend: str, seed: int) -> Sequence[Result | None]:
    """What each run of an experiment gave; None where there is nothing to run for."""
    circuit, rows = experiment.circuit, experiment.rows
    measured = contains(circuit.instructions, MEASURE)
    if not (measured or options.return_statevector):
        return [None] * len(rows)
    arguments: dict[str, Any] = {
        "shots": options.shots if measured else 0,
        "seed": seed,
        "precision": options.precision,
        "threads": options.threads,
        "return_statevector": options.return_statevector,
        "backend": backend,
        "backend_options": options.backend_options,
    }
    return run_rows(circuit, rows, **arguments)


def _entry(experiment: Experiment, found: Result | None, options: RunOptions, seed: int) -> ExperimentResult:
    """One run as Qiskit keeps it."""
    facts: dict[str, Any] = found.metadata if found is not None else {"seed": seed, "seconds": 0.0}
    contents: dict[str, Any] = {}
    if options.shots and experiment.circuit.num_clbits:
        # Classical bits that nothing is measured into stay 0.
        values, draws = found.outcomes if found is not None and found.shots else ([0], [options.shots])
        readout = Readout(experiment.circuit.num_clbits, values, draws)
        texts = [hex(value) for value in readout.values]
        contents["counts"] = dict(zip(texts, readout.draws, strict=True))
        if options.memory:
            contents["memory"] = [texts[index] for index in readout.order(facts["seed"]).tolist()]
    if found is not None and found.statevector is not None:
        contents["statevector"] = found.statevector
    return ExperimentResult(
        shots=options.shots,
        success=True,
        data=ExperimentResultData(**contents),
        status="DONE",
        seed=facts["seed"],
        header=dict(experiment.header),
        time_taken=facts["seconds"],
        metadata=facts,
    )


def _rows_of(source: Any, circuit: Circuit, given: Mapping[Any, Any]) -> NDArray[np.float64]:
    """The values of the open parameters, one row for each run.

    Raises:
        RequestError: a parameter is missing or unknown, or the numbers of values differ.
    """
    wanted = [parameter.name for parameter in source.parameters]
    named = {str(getattr(key, "name", key)): _column(key, values) for key, values in given.items()}
    if set(named) != set(wanted):
        raise RequestError(
            f"parameter_binds has {sorted(named)}; the open parameters of {source.name} are {sorted(wanted)}",
            hint="give parameter_binds one dict for each circuit, from each of its parameters to its values",
        )
    if not named:
        return np.zeros((1, 0))
    lengths = sorted({len(values) for values in named.values()})
    if len(lengths) > 1 or lengths[0] == 0:
        raise RequestError(
            f"parameter_binds has {lengths} values for the parameters of {source.name}; the rule is equally "
            "many for each, at least one"
        )
    # A parameter that nothing but a delay has is no parameter of what is run.
    columns = [named[parameter.name] for parameter in circuit.parameters]
    return np.stack(columns, axis=1) if columns else np.zeros((lengths[0], 0))


def _column(key: Any, values: Any) -> NDArray[np.float64]:
    try:
        column = np.atleast_1d(np.asarray(values, dtype=np.float64))
    except (TypeError, ValueError):
        column = np.zeros((0, 0))
    if column.ndim != 1:
        raise RequestError(
            f"parameter_binds has {values!r:.60} for {key}; the rule is a number or a list of numbers"
        )
    return column
