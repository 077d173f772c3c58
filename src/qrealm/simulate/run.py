"""`run`, `sweep` and `expectations`: a circuit in, its results out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qrealm.base import cancel, limits
from qrealm.base.errors import NotUnitaryError, ParameterError, QrealmWarning, RequestError
from qrealm.circuits import Circuit, PackedTemplate, read
from qrealm.circuits.noise.model import checked_model
from qrealm.simulate.backends import QuantumBackend, backend_named, steered
from qrealm.simulate.backends.protocol import Found
from qrealm.simulate.bits import BitOrder, check_bit_order
from qrealm.simulate.decide import SMALL_WORK, carry_out, choose_backend, others_named, supports
from qrealm.simulate.execute import execute_packed, finish, layout_of, to_clbits
from qrealm.simulate.memory import refusal_told
from qrealm.simulate.plan.traits import traits
from qrealm.simulate.plan.types import Choice, Precision
from qrealm.simulate.refusals import check_options
from qrealm.simulate.request import (
    ACCURACY_DEFAULT,
    Observables,
    RunRequest,
    check_seed,
    draw_seed,
    make_request,
)
from qrealm.simulate.results import Result
from qrealm.simulate.rows import NO_OUTCOMES, Batch, Drawn, asks_counts, batch

if TYPE_CHECKING:
    from qrealm.circuits.noise import NoiseModel

_PLAIN = (QuantumBackend.AUTO, QuantumBackend.STATEVECTOR)
"""Backends for which a sweep packs its circuit once; the others get it bound."""

Progress = Callable[[int, int], None]
"""Called with (done, all) after each step."""
Rows = list[Any] | NDArray[np.float64]
"""Parameter sets: mappings or sequences, or an array of shape (R, P)."""


@refusal_told
def run(
    circuit: Any,
    shots: int = limits.SHOTS_DEFAULT,
    seed: int | None = None,
    precision: str | Precision = "auto",
    threads: int | None = None,
    *,
    return_statevector: bool = False,
    observables: Observables | None = None,
    sampled: bool = False,
    amplitudes: Iterable[str] | None = None,
    initial_state: str | Sequence[complex] | NDArray[np.complex128] | None = None,
    parameters: Mapping[Any, float] | Sequence[float] | None = None,
    bit_order: str = "little",
    backend: str | QuantumBackend | None = None,
    noise: NoiseModel | None = None,
    return_density_matrix: bool = False,
    accuracy: float = ACCURACY_DEFAULT,
    options: Any = None,
) -> Result:
    """Run a circuit and return what was asked for.

    A circuit that measures nothing is measured on all qubits at its end. With measurements half-way, resets
    or conditions the shots are split among the outcomes, which gives counts of the same distribution as
    running every shot alone.

    Args:
        circuit: a `Circuit`, or anything that `qrealm.read` takes.
        shots: samples to draw; 0 when only states or exact values are wanted.
        seed: 0 to 2^64 - 1. The same seed gives the same counts whatever the number of threads. None draws
            one from the operating system; `Result.metadata` has it.
        precision: ``"single"`` (8 bytes per amplitude, amplitudes right to about 1e-6), ``"double"`` (16
            bytes, 1e-14), or ``"auto"``: single when only counts are asked for, else double where it fits.
        threads: None for one on small circuits and all cores on large ones.
        return_statevector: keep the state before the final measurements.
        observables: Pauli sums, such as ``"Z0 Z1 + 0.5 X2"``: one, several, or several under names. Their
            values on the state before the final measurements are exact, or averaged over the outcomes of
            measurements half-way.
        sampled: estimate the observables from `shots` samples per measured basis instead, with standard
            errors.
        amplitudes: bit strings of all qubits whose amplitudes are wanted.
        initial_state: a bit string in `bit_order`, or 2^n amplitudes of norm 1, to start from instead of
            |0...0>.
        parameters: values for the circuit's open parameters, by name or in order.
        bit_order: ``"little"``: qubit 0 rightmost in every bit string, as Qiskit prints them; ``"big"``:
            leftmost.
        backend: ``"auto"`` or a name of `QuantumBackend`. Automatic asks every backend what the run would
            take and picks the fastest that fits; `Result.metadata` says which, why, and what others would
            have taken. Runs that are done sooner than asking, and sweeps that are packed once, go to the
            state vector unasked: then ``metadata["considered"]`` is empty, and ``"reasons"`` says why.
        noise: rules that put noise into the circuit before it runs.
        return_density_matrix: keep the mixed state before the final measurements.
        accuracy: largest share of the state's weight that an approximate backend (MPS) may throw away for
            automatic to choose it; `Result.truncation_error` tells what it did throw away.
        options: the named backend's own options, such as ``MPSOptions(bond_max=64)``.

    Raises:
        BackendRefusalError: the named backend cannot run this circuit; the message names the gate.
        TooLargeError: it does not fit in memory; nothing has been allocated.
        ResourceError: the operating system refused memory that the plan counted on.
        RequestError: an option is unknown, out of range or contradicts another.
        ReadError, CircuitError: the circuit cannot be read, or is not complete.
    """
    circuit = _with_noise(circuit, None)
    if parameters is not None:
        circuit = _bound(circuit, parameters)
    if initial_state is not None:
        circuit = _started(circuit, initial_state, check_bit_order(bit_order))
    if noise is not None:
        circuit = checked_model(noise).apply(circuit)
    request = make_request(
        circuit.num_qubits,
        shots=shots,
        seed=seed,
        precision=precision,
        threads=threads,
        return_statevector=return_statevector,
        observables=observables,
        amplitudes=amplitudes,
        sampled=sampled,
        bit_order=bit_order,
        backend=backend_named(backend),
        return_density_matrix=return_density_matrix,
        accuracy=accuracy,
        options=options,
    )
    return carry_out(circuit, request)


@refusal_told
def sweep(
    circuit: Any,
    parameter_sets: Iterable[Mapping[Any, float] | Sequence[float]] | NDArray[np.float64],
    *,
    shots: int = 0,
    seed: int | None = None,
    precision: str | Precision = "auto",
    threads: int | None = None,
    return_statevector: bool = False,
    observables: Observables | None = None,
    sampled: bool = False,
    amplitudes: Iterable[str] | None = None,
    bit_order: str = "little",
    backend: str | QuantumBackend | None = None,
    noise: NoiseModel | None = None,
    accuracy: float = ACCURACY_DEFAULT,
    options: Any = None,
    progress: Progress | None = None,
) -> list[Result]:
    """Run a circuit with open parameters once for every parameter set.

    The circuit is packed and checked once. When exact values or counts are all that is wanted, it is also
    planned once, and small circuits are run one on each thread. Where a gate's form depends on its numbers
    (`rv`) or the circuit measures half-way, each set is bound and run on its own.

    Args:
        circuit: with open parameters, as for `run`.
        parameter_sets: one mapping or sequence each (columns in the order of ``circuit.parameters``), or an
            array of shape (R, P).
        shots: samples for each set.
        seed: the sweep's seed; set i gets its own, derived from it and i.
        threads: None for all cores when the sets are run together, else as for `run`. No result depends on
            it.
        progress: called with (done, all) for each set that is done.
        precision, return_statevector, observables, sampled, amplitudes, bit_order, backend, noise, accuracy,
        options: as for `run`.

    Returns:
        One `Result` per parameter set, in order.

    Raises:
        ParameterError: a set is none, names other parameters than the circuit has, or is not finite.
        TooLargeError, RequestError, ReadError, CircuitError: as `run`.
    """
    circuit = _with_noise(circuit, noise)
    rows = _rows(parameter_sets)
    root = draw_seed() if seed is None else check_seed(seed)
    first = make_request(
        circuit.num_qubits,
        shots=shots,
        seed=root,
        precision=precision,
        threads=threads,
        return_statevector=return_statevector,
        observables=observables,
        amplitudes=amplitudes,
        sampled=sampled,
        bit_order=bit_order,
        backend=backend_named(backend),
        accuracy=accuracy,
        options=options,
    )
    return _run_all(circuit, rows, first, progress)


@refusal_told
def expectations(
    circuit: Any,
    parameter_sets: Iterable[Mapping[Any, float] | Sequence[float]] | NDArray[np.float64],
    observables: Observables,
    *,
    precision: str | Precision = "auto",
    threads: int | None = None,
    backend: str | QuantumBackend | None = None,
    noise: NoiseModel | None = None,
    accuracy: float = ACCURACY_DEFAULT,
    options: Any = None,
    progress: Progress | None = None,
) -> NDArray[np.float64]:
    """Exact expectation values for many parameter sets: a `sweep` that makes no results, only numbers.

    Args:
        circuit, parameter_sets, precision, threads, backend, noise, accuracy, options, progress: as for
            `sweep`.
        observables: one, several, or several under names.

    Returns:
        Shape (R, K): a row for each set, a column for each observable in the order given.

    Raises:
        ParameterError, TooLargeError, RequestError, ReadError, CircuitError: as `sweep`.
        ObservableError: an observable cannot be read.

    Warns:
        QrealmWarning: an approximate backend threw away more of a state's weight than `accuracy` allows, or
            something else that a `Result` would tell under ``warnings``.
    """
    circuit = _with_noise(circuit, noise)
    if isinstance(observables, list | tuple):  # equal ones have a column each
        observables = {str(place): each for place, each in enumerate(observables)}
    rows = _rows(parameter_sets)
    first = make_request(
        circuit.num_qubits,
        shots=0,
        seed=0,
        precision=precision,
        threads=threads,
        return_statevector=False,
        observables=observables,
        amplitudes=None,
        sampled=False,
        bit_order="little",
        backend=backend_named(backend),
        accuracy=accuracy,
        options=options,
    )
    together = _together(circuit, rows, first)
    found = np.empty((len(rows), len(first.observables)))
    if together is None:
        told: dict[str, None] = {}
        for place, result in enumerate(_run_all(circuit, rows, first, progress)):
            found[place] = list(result.expectation_values.values())
            told.update(dict.fromkeys(result.warnings))
        _warn(told)
        return found
    for begin, values, _ in together.expectations(first.observables):
        found[begin : begin + len(values)] = values
        _tell(progress, begin, len(values), len(rows))
    return found


def _warn(told: Iterable[str]) -> None:
    """Say what an array of numbers cannot tell, each line once."""
    lines = list(told)
    if lines:
        more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
        warnings.warn(QrealmWarning(f"expectations: {lines[0]}{more}"), stacklevel=4)


def _with_noise(source: Any, noise: NoiseModel | None) -> Circuit:
    """The circuit of whatever was given, a model's noise in it."""
    circuit = source if isinstance(source, Circuit) else read(source)
    return circuit if noise is None else checked_model(noise).apply(circuit)


def _run_all(circuit: Circuit, rows: Rows, first: RunRequest, progress: Progress | None) -> list[Result]:
    """A sweep whose request is checked."""
    seeds: NDArray[np.uint64] = np.random.SeedSequence(first.seed).generate_state(
        max(1, len(rows)), np.uint64
    )  # type: ignore[assignment]
    together = _together(circuit, rows, first)
    if together is not None:
        return list(_results(circuit, together, first, seeds, progress))
    template = _template_or_none(circuit, rows, first)
    engine = steered(first.backend, "sweep") if template is not None else None
    params = _evaluated(template, rows) if template is not None else None
    results: list[Result] = []
    for index, row in enumerate(rows):
        cancel.check()
        request = replace(first, seed=int(seeds[index]))
        if template is None or params is None or engine is None:
            results.append(carry_out(_bound(circuit, row), request))
        else:
            packed = template.with_params(params[index])
            with others_named(partial(_bound, circuit, row), request):
                results.append(execute_packed(circuit, packed, request, engine, perf_counter(), _how(first)))
        _tell(progress, index, 1, len(rows))
    return results


def _together(circuit: Circuit, rows: Rows, request: RunRequest) -> Batch | None:
    """The sweep as one batch; None when its sets have to be run one by one."""
    if request.options is not None:
        check_options(request.backend, request.options)
    template = _template_or_none(circuit, rows, request)
    if template is None:
        return None
    params, engine = _evaluated(template, rows), steered(request.backend, "sweep")
    with others_named(lambda: _bound(circuit, rows[0]), request):
        return batch(template, params, request, engine)


def _results(
    circuit: Circuit,
    together: Batch,
    first: RunRequest,
    seeds: NDArray[np.uint64],
    progress: Progress | None,
) -> Iterator[Result]:
    """A batch's results, one for each set."""
    layout = layout_of(circuit)
    names = [name for name, _ in first.observables]

    def result(index: int, seconds: float, drawn: Drawn | None, values: list[float]) -> Result:
        found = Found(
            together.plan,
            layout,
            *(to_clbits(*drawn, layout, circuit.num_qubits) if drawn is not None else NO_OUTCOMES),
            dict(zip(names, values, strict=True)),
            packed=together.template.with_params(together.params[index]),
            backend=together.backend,
        )
        request = replace(first, seed=int(seeds[index]))
        return finish(circuit, request, found, perf_counter() - seconds, _how(first))

    if asks_counts(first):
        for begin, drawn, seconds in together.counts(first.planning.shots, seeds):
            for place, each in enumerate(drawn):
                yield result(begin + place, seconds, each, [])
            _tell(progress, begin, len(drawn), len(seeds))
        return
    for begin, values, seconds in together.expectations(first.observables):
        for place, row in enumerate(values.tolist()):
            yield result(begin + place, seconds, None, row)
        _tell(progress, begin, len(values), len(seeds))


_PACKED_ONCE = Choice(
    QuantumBackend.STATEVECTOR.value, "statevector: it packs the circuit once for all sets of the sweep", ()
)


def _how(request: RunRequest) -> Choice | None:
    """How the backend of a packed sweep came about."""
    return _PACKED_ONCE if request.backend is QuantumBackend.AUTO else None


def _tell(progress: Progress | None, begin: int, count: int, total: int) -> None:
    """Tell that the sets begin .. begin + count - 1 of all are done."""
    if progress is not None:
        for done in range(begin + 1, begin + count + 1):
            progress(done, total)


def _evaluated(template: PackedTemplate, rows: Rows) -> NDArray[np.float64]:
    """The circuit's parameters for all sets at once, one row each."""
    if isinstance(rows, np.ndarray) and rows.shape[1] == len(template.parameters):
        return template.evaluate(rows)
    named = [_by_name(row, template.parameters) for row in rows]
    odd = next((each for each in named if each.keys() != named[0].keys()), None)
    if odd is not None:
        raise ParameterError(f"the sets name different parameters: {sorted(named[0])} and {sorted(odd)}")
    return template.evaluate({name: [each[name] for each in named] for name in named[0]})


def _by_name(row: Mapping[Any, float] | Sequence[float], names: Sequence[str]) -> dict[str, float]:
    """One parameter set by the parameters' names."""
    _check_set(row, "parameters", names)
    if isinstance(row, Mapping):
        return {str(getattr(key, "name", key)): value for key, value in row.items()}
    if len(row) != len(names):
        raise ParameterError(f"got {len(row)} values; the circuit's parameters are {list(names)}")
    return dict(zip(names, row, strict=True))


def _bound(circuit: Circuit, values: Mapping[Any, float] | Sequence[float]) -> Circuit:
    """The circuit with every open parameter replaced."""
    return circuit.bind(_by_name(values, [parameter.name for parameter in circuit.parameters]))


def _rows(parameter_sets: Any) -> Rows:
    """The sets of a sweep, each of them a mapping or a sequence; an array of them stays one."""
    if isinstance(parameter_sets, Mapping | str) or not isinstance(parameter_sets, Iterable):
        raise RequestError(
            f"sweep got the parameter sets {parameter_sets!r:.60}; the rule is one mapping or sequence of "
            "numbers for each run, or an array of shape (runs, parameters)"
        )
    if (
        isinstance(parameter_sets, np.ndarray)
        and parameter_sets.ndim == 2
        and parameter_sets.dtype.kind in "fiu"
    ):
        return parameter_sets.astype(np.float64, copy=False)
    rows = list(parameter_sets)
    for row in rows:
        _check_set(row, "sweep", None)
    return rows


def _check_set(row: Any, what: str, names: Sequence[str] | None) -> None:
    """Refuse what is no parameter set: a bare number, above all."""
    if isinstance(row, Mapping) or (
        hasattr(row, "__len__") and not isinstance(row, str) and getattr(row, "ndim", 1) != 0
    ):
        return
    known = f"; the circuit's parameters are {list(names)}" if names is not None else ""
    raise ParameterError(
        f"{what} got {row!r:.60} for a parameter set; the rule is a mapping by name or a sequence of numbers"
        + known,
        hint="for a single parameter, write [value]; for an array of values, values[:, None]",
    )


def _started(
    circuit: Circuit, state: str | Sequence[complex] | NDArray[np.complex128], bit_order: BitOrder
) -> Circuit:
    """The circuit with a preparation of all qubits before it."""
    registers = circuit.registers
    loose = registers[0].start if registers else circuit.num_clbits
    prepared = Circuit(circuit.num_qubits, loose, name=circuit.name)
    for register in registers:
        prepared.add_register(register.name, register.size)
    rule = (
        f"a circuit of {circuit.num_qubits} qubits needs {circuit.num_qubits} characters or "
        f"2^{circuit.num_qubits} amplitudes"
    )
    if not hasattr(state, "__len__") or getattr(state, "ndim", 1) == 0:
        raise RequestError(f"initial_state is {state!r:.60}; {rule}")
    width = len(state)
    expected = circuit.num_qubits if isinstance(state, str) else 1 << circuit.num_qubits
    if width != expected:
        raise RequestError(f"initial_state has {width} entries; {rule}")
    if isinstance(state, str) and bit_order == "big":
        state = state[::-1]
    return prepared.initialize(state).compose(circuit)


def _template_or_none(circuit: Circuit, rows: Rows, request: RunRequest) -> PackedTemplate | None:
    """One set of arrays for a whole sweep; None where every set has to be bound and run on its own."""
    if not len(rows) or request.backend not in _PLAIN or circuit.terminal_measurements is None:
        return None
    try:
        template = circuit.template()
    except (NotUnitaryError, ParameterError):
        return None  # a preparation too wide for one matrix, or a gate whose form depends on its numbers
    return template if _state_vector_suits(circuit, rows, request) else None


def _state_vector_suits(circuit: Circuit, rows: Rows, request: RunRequest) -> bool:
    """Whether the first set would go to the state vector."""
    if request.backend is QuantumBackend.STATEVECTOR or len(circuit) << circuit.num_qubits <= SMALL_WORK:
        return True
    bound = _bound(circuit, rows[0])
    facts = traits(bound, supports(request))
    if 0 < facts.cone_qubits < facts.num_qubits:
        return False  # the observables depend on parts of the circuit alone
    choice = choose_backend(bound, facts, request)
    return choice is not None and choice.name == QuantumBackend.STATEVECTOR
