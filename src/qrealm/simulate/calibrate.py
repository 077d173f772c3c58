"""Measures once what this machine does per second, and keeps it: the constants of the cost model."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable
from dataclasses import asdict
from time import perf_counter

from qrealm.base import cache_folder, limits, machine
from qrealm.base.version import installed_version
from qrealm.circuits import Circuit
from qrealm.circuits.pack import PackedCircuit
from qrealm.simulate.backends.devices import is_on_device
from qrealm.simulate.backends.protocol import SteeredBackend
from qrealm.simulate.layered import layered_circuit
from qrealm.simulate.plan.types import Precision, Rates

_SMALL_QUBITS = 5
_LARGE_QUBITS = 22  # 32 MiB in single precision: past the last cache of most machines
# One layer entangles nothing that has to be held as amplitudes, so it would measure nothing.
_THIN_LAYERS, _DEEP_LAYERS = 2, 6
_MANY_SHOTS = 100_000
_FORMAT = 1
_kept: dict[tuple[str, Precision, int], Rates] = {}


def rates(backend: SteeredBackend, precision: Precision, threads: int) -> Rates:
    """This machine's rates, measured at first use in about half a second, then kept in the cache folder."""
    name = backend.rates_name if is_on_device(backend) else backend.card.name
    key = (name, precision, threads)
    if key not in _kept:
        file = _file_name(*key)
        saved = cache_folder.load(file)
        if saved is not None and _is_sound(saved):
            _kept[key] = Rates(**{field: float(saved[field]) for field in Rates.__dataclass_fields__})
        else:
            _kept[key] = measure(backend, precision, threads)
            cache_folder.save(file, {"format": _FORMAT, **asdict(_kept[key])})
    return _kept[key]


def measure(
    backend: SteeredBackend, precision: Precision, threads: int, clock: Callable[[], float] = perf_counter
) -> Rates:
    """Measure the rates.

    Four runs tell them apart: an empty circuit (fixed cost), a deep narrow one (cost of planning a gate), one
    layer on a state larger than the caches (memory traffic), several layers on it (arithmetic).
    """
    stop = clock() + limits.CALIBRATION_SECONDS_MAX
    empty = _best(backend, Circuit(_SMALL_QUBITS).h(0).packed(), precision, threads, 1, 20, clock, stop)
    deep = layered_circuit(_SMALL_QUBITS, 80).packed()
    per_gate = _best(backend, deep, precision, threads, 1, 5, clock, stop) - empty
    many = _best(
        backend, layered_circuit(_SMALL_QUBITS, 2).packed(), precision, threads, _MANY_SHOTS, 3, clock, stop
    )
    shot_seconds = max(1e-10, (many - empty) / _MANY_SHOTS)
    thin, thick = (layered_circuit(_LARGE_QUBITS, layers).packed() for layers in (_THIN_LAYERS, _DEEP_LAYERS))
    traffic, arithmetic = _large_rates(backend, thin, thick, precision, threads, clock, stop)
    return Rates(
        run_seconds=empty,
        gate_seconds=max(1e-9, per_gate / len(deep.codes)),
        bytes_per_second=traffic,
        flops_per_second=arithmetic,
        shot_seconds=shot_seconds,
    )


def _large_rates(
    backend: SteeredBackend,
    thin: PackedCircuit,
    thick: PackedCircuit,
    precision: Precision,
    threads: int,
    clock: Callable[[], float],
    stop: float,
) -> tuple[float, float]:
    """(bytes per second, floating-point operations per second) that explain the times of both circuits.

    Solves seconds = bytes / B + flops / F for both. Where noise makes one of the two negative, all time is
    given to the other, and the missing rate is infinite: it costs nothing.
    """
    facts = [backend.compile(each, precision).work(1) for each in (thin, thick)]
    times = [_best(backend, each, precision, threads, 1, 3, clock, stop) for each in (thin, thick)]
    (m0, f0), (m1, f1) = ((max(1.0, work.moved_bytes), max(1.0, work.flops)) for work in facts)
    determinant = m0 * f1 - m1 * f0
    if abs(determinant) > 1e-3 * m0 * f1:
        per_byte = (times[0] * f1 - times[1] * f0) / determinant
        per_flop = (times[1] * m0 - times[0] * m1) / determinant
        if per_byte > 0 and per_flop > 0:
            return 1 / per_byte, 1 / per_flop
    # Too alike, or too noisy: the time follows one of the two, the one that tells the two runs apart better.
    misfits = {kind: abs(times[1] / times[0] - ratio) for kind, ratio in (("m", m1 / m0), ("f", f1 / f0))}
    if misfits["f"] <= misfits["m"]:
        return math.inf, (f0 + f1) / sum(times)
    return (m0 + m1) / sum(times), math.inf


def _best(
    backend: SteeredBackend,
    packed: PackedCircuit,
    precision: Precision,
    threads: int,
    shots: int,
    repeats: int,
    clock: Callable[[], float],
    stop: float,
) -> float:
    """Shortest of several runs, fewer when time is up."""
    best = math.inf
    for _ in range(repeats):
        begun = clock()
        backend.compile(packed, precision).counts(shots, 1, threads)
        now = clock()
        best = min(best, now - begun)
        if now > stop:
            break
    return best


def _file_name(backend: str, precision: Precision, threads: int) -> str:
    """A name for this machine, this version and this question."""
    here = machine.processor_identity()
    mark = hashlib.sha256(f"{here}|{installed_version()}".encode()).hexdigest()[:12]
    backend = re.sub(r"[^A-Za-z0-9]+", "-", backend)
    return f"rates-{backend}-{precision.value}-{threads}t-{mark}"


def _is_sound(saved: dict[str, object]) -> bool:
    values = [saved.get(field) for field in Rates.__dataclass_fields__]
    return saved.get("format") == _FORMAT and all(
        isinstance(value, int | float) and value > 0 for value in values
    )
