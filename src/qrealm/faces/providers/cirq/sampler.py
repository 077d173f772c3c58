"""`QrealmSampler`: Cirq's `Sampler`, carried out by qrealm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cirq
import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import RequestError
from qrealm.circuits import Circuit
from qrealm.faces.providers.cirq.programs import run_all
from qrealm.faces.providers.cirq.translate import Record, Translation, measures, unrolled
from qrealm.faces.providers.shots import bits_of_shots
from qrealm.simulate.backends import backend_named
from qrealm.simulate.refusals import check_options
from qrealm.simulate.request import check_precision, check_seed, check_threads
from qrealm.simulate.results import Result


class QrealmSampler(cirq.Sampler):  # type: ignore[misc]
    """Samples Cirq circuits: sweeps, repeated keys, invert masks, confusion maps, conditions, channels.

    Shots that measure half-way are split among the outcomes instead of being run one by one.

    Args:
        seed: an integer repeats the same sequence of results; each run takes the next numbers. None draws
            one from the operating system.
        precision: ``"auto"``, ``"single"`` or ``"double"``, as `qrealm.run` takes it.
        threads: None for one on small circuits and all cores on large ones.
        backend: ``"auto"`` or a name of `qrealm.QuantumBackend`.
        noise: a `cirq.NoiseModel`, or a channel that follows every moment on all qubits; None for none. As in
            ``circuit.with_noise(noise)``, noise after a measurement changes nothing that it recorded.
        options: the named backend's own, such as ``MPSOptions(bond_max=64)``.

    Raises:
        UnknownBackendError: there is no backend of this name.
        RequestError: an option is unknown or out of range, or `options` is for another backend.
        ValueError, TypeError: (Cirq's) `noise` is none.
    """

    def __init__(
        self,
        *,
        seed: int | None = None,
        precision: str = "auto",
        threads: int | None = None,
        backend: str | None = None,
        noise: Any = None,
        options: Any = None,
    ) -> None:
        check_precision(precision)
        check_threads(threads)
        self._generator = np.random.default_rng(None if seed is None else check_seed(seed))
        self._precision = precision
        self._threads = threads
        name = backend_named(backend)
        if options is not None:
            check_options(name, options)
        self._backend = name.value
        self._backend_options = options
        self._noise = cirq.NoiseModel.from_noise_model_like(noise)

    def run_sweep(self, program: Any, params: Any, repetitions: int = 1) -> Sequence[Any]:
        """One `cirq.Result` for each parameter set.

        Args:
            program: a circuit with at least one measurement.
            params: anything that Cirq sweeps over.
            repetitions: shots for each set; 0 gives empty records.

        Raises:
            RequestError: nothing is measured, or `repetitions` is negative.
            UnsupportedError: the circuit has qudits or loops.
            ParameterError: a symbol without a real value.
        """
        if repetitions < 0:
            raise RequestError(f"repetitions is {repetitions}; it must not be negative")
        program = self._noisy(program)
        measured = [op for op in unrolled(program) if measures(op)]
        if not measured:
            raise RequestError(
                "the circuit has no measurements to sample", hint="append cirq.measure(*qubits, key='m')"
            )
        if repetitions == 0:
            return [
                cirq.ResultDict(params=resolver, records=_empty(measured))
                for resolver in cirq.to_resolvers(params)
            ]
        qubits = sorted(program.all_qubits())
        options = self._options() | {"shots": repetitions}
        return [
            cirq.ResultDict(params=resolver, records=self._recorded(found, result))
            for resolver, found, result in run_all(
                program, qubits, params, _as_it_is, self._next_seed(), **options
            )
        ]

    def _noisy(self, program: Any) -> Any:
        """The program with the noise model's channels in it."""
        return program if self._noise == cirq.NO_NOISE else program.with_noise(self._noise)

    def _options(self) -> dict[str, Any]:
        """What every run gets."""
        return {
            "precision": self._precision,
            "threads": self._threads,
            "backend": self._backend,
            "options": self._backend_options,
        }

    def _next_seed(self) -> int:
        return int(self._generator.integers(1 << 63))

    def _recorded(self, found: Translation, result: Result) -> dict[str, NDArray[np.uint8]]:
        """Records by key, shape (repetitions, instances, qubits)."""
        bits = bits_of_shots(result, found.circuit.num_clbits, self._generator)
        by_key: dict[str, list[NDArray[np.uint8]]] = {}
        for record in found.records:
            by_key.setdefault(str(record.key), []).append(_as_recorded(bits, record, self._generator))
        for key, instances in by_key.items():
            if len({each.shape for each in instances}) > 1:
                raise RequestError(f"the key {key!r} is measured on different numbers of qubits")
        return {key: np.stack(instances, axis=1) for key, instances in by_key.items()}


def _as_it_is(circuit: Circuit) -> Circuit:
    return circuit


def _empty(measured: Sequence[Any]) -> dict[str, NDArray[np.uint8]]:
    """Records of no repetition at all."""
    instances: dict[str, int] = {}
    widths: dict[str, int] = {}
    for op in measured:
        key = cirq.measurement_key_name(op)
        instances[key] = instances.get(key, 0) + 1
        widths[key] = len(op.qubits)
    return {key: np.empty((0, count, widths[key]), dtype=np.uint8) for key, count in instances.items()}


def _as_recorded(
    bits: NDArray[np.uint8], record: Record, generator: np.random.Generator
) -> NDArray[np.uint8]:
    """What Cirq records for a measurement: inversion, then readout errors."""
    values: NDArray[np.uint8] = bits[:, record.clbits] ^ np.array(record.flips, dtype=np.uint8)
    for positions, matrix in record.confusion.items():
        columns = list(positions)
        places = np.arange(len(columns))[::-1]
        index = (values[:, columns].astype(np.int64) << places).sum(axis=1)
        limits = np.cumsum(matrix, axis=1)[:, :-1]
        drawn = (generator.random(len(values))[:, None] >= limits[index]).sum(axis=1)
        values[:, columns] = (drawn[:, None] >> places) & 1
    return values


__all__ = ["QrealmSampler"]
