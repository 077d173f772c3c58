"""What a caller asks of a run, checked once."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from qrealm.base import limits
from qrealm.base.errors import RequestError
from qrealm.circuits import PauliSum
from qrealm.simulate import bits
from qrealm.simulate.backends import QuantumBackend
from qrealm.simulate.bits import BitOrder
from qrealm.simulate.observables import parse_observables
from qrealm.simulate.plan.types import Precision, Request, Wants

Observables = PauliSum | str | Sequence[PauliSum | str] | Mapping[str, PauliSum | str]

_PRECISIONS: dict[object, Precision | None] = {
    "auto": None,
    None: None,
    "single": Precision.SINGLE,
    "double": Precision.DOUBLE,
}
ACCURACY_DEFAULT = 1e-6
"""As much as single precision loses anyway."""

_SEED_LIMIT = 1 << 64
_THREADS_MAX = 4096


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One run's options, all checked.

    Attributes:
        planning: what the planner must know.
        seed: from 0 to 2^64 - 1.
        seed_was_given: whether the caller chose it.
        bit_order: of every bit string in and out.
        observables: (name, observable), each on no more qubits than the circuit has.
        amplitudes: basis indices whose amplitudes are wanted.
        sampled: whether observables are sampled instead of computed exactly.
        backend: where to run.
        density_matrix: whether the mixed state is wanted.
        accuracy: largest share of the state's weight that an approximation may throw away.
        options: the backend's own, an instance of its card's `options`; None for its defaults.
    """

    planning: Request
    seed: int
    seed_was_given: bool
    bit_order: BitOrder
    observables: tuple[tuple[str, PauliSum], ...]
    amplitudes: tuple[int, ...]
    sampled: bool
    backend: QuantumBackend
    density_matrix: bool = False
    accuracy: float = ACCURACY_DEFAULT
    options: object = None

    @property
    def wants(self) -> Wants:
        """What cards must know of it."""
        planning = self.planning
        return Wants(
            planning.shots,
            planning.precision,
            planning.state_copy,
            self.density_matrix,
            len(self.amplitudes),
            sum(len(observable) for _, observable in self.observables),
            self.sampled,
            self.accuracy,
        )


def _integer(value: object) -> int:
    """An integer; a truth value is none. Raises TypeError."""
    if isinstance(value, bool | np.bool_):
        raise TypeError
    return operator.index(value)  # type: ignore[arg-type]


def check_shots(shots: int) -> int:
    """A number of shots, 0 allowed. Raises RequestError."""
    try:
        number = _integer(shots)
    except TypeError:
        raise RequestError(f"shots is {shots!r:.60}; it must be an integer") from None
    if not 0 <= number <= limits.SHOTS_MAX:
        raise RequestError(f"shots is {number}; it must be from 0 to 2^40")
    return number


def check_seed(seed: int) -> int:
    """A seed. Raises RequestError."""
    try:
        number = _integer(seed)
    except TypeError:
        raise RequestError(f"seed is {seed!r:.60}; it must be an integer or None") from None
    if not 0 <= number < _SEED_LIMIT:
        raise RequestError(f"seed is {number}; it must be from 0 to 2^64 - 1")
    return number


def draw_seed() -> int:
    """A seed from the operating system's entropy."""
    return int.from_bytes(os.urandom(8), "little")


def check_threads(threads: int | None) -> int | None:
    """A number of threads, None for automatic. Raises RequestError."""
    if threads is None:
        return None
    try:
        number = _integer(threads)
    except TypeError:
        raise RequestError(f"threads is {threads!r:.60}; it must be an integer or None") from None
    if not 1 <= number <= _THREADS_MAX:
        raise RequestError(f"threads is {number}; it must be from 1 to {_THREADS_MAX}")
    return number


def check_precision(precision: str | Precision | None) -> Precision | None:
    """A precision, None for automatic. Raises RequestError."""
    try:
        return _PRECISIONS[precision]
    except (KeyError, TypeError):
        raise RequestError(
            f"precision is {precision!r:.60}; it must be 'single', 'double' or 'auto'"
        ) from None


def check_accuracy(accuracy: float) -> float:
    """The largest error of an approximation, from 0 to 1. Raises RequestError."""
    try:
        number = float(accuracy)
    except (TypeError, ValueError):
        raise RequestError(f"accuracy is {accuracy!r:.60}; it must be a number") from None
    if not 0 <= number < 1:
        raise RequestError(
            f"accuracy is {number:g}; it must be from 0 to 1: the share of the state's weight that an "
            "approximation may throw away"
        )
    return number


def make_request(
    num_qubits: int,
    *,
    shots: int,
    seed: int | None,
    precision: str | Precision | None,
    threads: int | None,
    return_statevector: bool,
    observables: Observables | None,
    amplitudes: Iterable[str] | None,
    sampled: bool,
    bit_order: str,
    backend: QuantumBackend,
    return_density_matrix: bool = False,
    accuracy: float = ACCURACY_DEFAULT,
    options: object = None,
) -> RunRequest:
    """Check and gather the options of one run on a circuit of this many qubits.

    Raises:
        RequestError: an option that is unknown, out of range or contradicts another.
        ObservableError: an observable that cannot be read.
    """
    number = check_shots(shots)
    order = bits.check_bit_order(bit_order)
    wanted = parse_observables(observables, num_qubits) if observables is not None else ()
    indices = (
        tuple(
            bits.from_string(text, num_qubits, order, "amplitude")
            for text in bits.check_texts(amplitudes, "amplitudes")
        )
        if amplitudes is not None
        else ()
    )
    if not (number or return_statevector or return_density_matrix or wanted or indices):
        raise RequestError(
            "shots=0 asks for nothing",
            hint="ask for shots, return_statevector=True, observables or amplitudes",
        )
    if sampled and not (wanted and number):
        raise RequestError("sampled=True needs observables and shots")
    exact = bool(return_statevector or return_density_matrix or indices or (wanted and not sampled))
    return RunRequest(
        Request(number, check_precision(precision), check_threads(threads), exact, return_statevector),
        draw_seed() if seed is None else check_seed(seed),
        seed is not None,
        order,
        wanted,
        indices,
        sampled,
        backend,
        return_density_matrix,
        check_accuracy(accuracy),
        options,
    )
