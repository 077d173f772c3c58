"""Gradients of expectation values by adjoint differentiation: one run forwards, one back, whatever the number
of parameters (T. Jones and J. Gacon, "Efficient calculation of gradients in classical simulations of
variational quantum algorithms", arXiv:2009.02823)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrealm.base import cancel, limits
from qrealm.base.errors import NotUnitaryError, ParameterError, RequestError
from qrealm.base.machine import cores_default, memory_available_bytes
from qrealm.circuits import Circuit, PackedTemplate, Parameter, PauliSum, read
from qrealm.circuits.pack import PackedCircuit
from qrealm.simulate.backends import QuantumBackend, backend_named, steered
from qrealm.simulate.backends.devices import is_on_device
from qrealm.simulate.backends.protocol import SteeredBackend, takes_rows
from qrealm.simulate.chain_rule import ChainRule, chain_rule
from qrealm.simulate.decide import SMALL_WORK
from qrealm.simulate.memory import LEDGER, NOTHING_RESERVED, refusal_told
from qrealm.simulate.observables import parse_observable, parse_observables
from qrealm.simulate.packed_cones import PackedCone, Terms, packed_cones
from qrealm.simulate.plan.choose import choose
from qrealm.simulate.plan.types import CircuitShape, Plan, Precision, Request
from qrealm.simulate.request import check_precision, check_threads


@dataclass(frozen=True, slots=True, eq=False)
class Gradient:
    """An expectation value and its derivatives.

    Attributes:
        value: the expectation value of the observable.
        derivatives: by each parameter of `parameters`, shape (P,), in the observable's unit per unit of the
            parameter (per radian for angles).
        parameters: names, in the order of `derivatives`.
    """

    value: float
    derivatives: NDArray[np.float64]
    parameters: tuple[str, ...]

    def __getitem__(self, parameter: str | Parameter) -> float:
        """The derivative by one parameter."""
        name = getattr(parameter, "name", parameter)
        return float(self.derivatives[self.parameters.index(name)])


@dataclass(frozen=True, slots=True, eq=False)
class Gradients:
    """Expectation values and their derivatives for R parameter sets.

    Attributes:
        values: shape (R,).
        derivatives: shape (R, P), a column for each parameter of `parameters`; units as in `Gradient`.
        parameters: names, in the order of the columns.
    """

    values: NDArray[np.float64]
    derivatives: NDArray[np.float64]
    parameters: tuple[str, ...]


Options = tuple[Precision | None, int | None]
"""Precision and threads that were asked for."""

Masks = tuple[NDArray[np.uint64], NDArray[np.uint64]]

_ROWS_AT_ONCE = 1024
"""Of one call of the kernel: between calls, memory for its answers stays small."""


@refusal_told
def gradient(
    circuit: Any,
    observable: PauliSum | str,
    values: Mapping[Any, float] | Sequence[float],
    parameters: Iterable[str | Parameter] | None = None,
    *,
    precision: str | Precision = "double",
    threads: int | None = None,
    backend: str | QuantumBackend | None = None,
) -> Gradient:
    """The derivative of an observable's expectation value by a circuit's parameters.

    Takes the memory of two states, and the time of three to five runs however many parameters there are
    (docs/running.md): one way forwards, one back with two states. With no backend named, a large circuit is
    cut down to what the observable's terms depend on, as `qrealm.run` does.

    Args:
        circuit: with open parameters; anything that `qrealm.read` takes. Its final measurements are left out.
        observable: a Hermitian Pauli sum, such as ``"Z0 Z1 + 0.5 X2"``.
        values: a value for every open parameter, by name or in the order of ``circuit.parameters``.
        parameters: those by which to differentiate; all when None.
        precision: ``"double"``, ``"single"`` or ``"auto"``.
        threads: None for one on small circuits and all cores on large ones.
        backend: ``"auto"`` or a name of `QuantumBackend`.

    Raises:
        ParameterError: a value is missing, superfluous or not finite, an asked parameter is not there, or the
            angles have no finite derivative at these values.
        NotUnitaryError: the circuit measures, resets or decides half-way.
        TooLargeError: it does not fit in memory; nothing has been allocated.
        RequestError: not exactly one observable, or an option is unknown or out of range.
        ObservableError, ReadError: as `qrealm.run`.
    """
    rule = _rule(circuit, parameters, "gradient")
    point = rule.point(values)
    angles, slopes = rule.angles(point), rule.slopes(point)
    hamiltonian = _one_observable(observable, rule.template.packed.num_qubits)
    name = backend_named(backend)
    engine = steered(name, "gradient")
    options = (check_precision(precision), check_threads(threads))
    value, derivatives = _one(rule, angles[0], hamiltonian.strings(), name, engine, options)
    return Gradient(value, rule.pull(derivatives[None, :], slopes)[0], rule.asked)


@refusal_told
def gradients(
    circuit: Any,
    parameter_sets: Iterable[Mapping[Any, float] | Sequence[float]] | NDArray[np.float64],
    observable: PauliSum | str | Sequence[PauliSum | str],
    parameters: Iterable[str | Parameter] | None = None,
    *,
    weights: NDArray[np.float64] | None = None,
    precision: str | Precision = "double",
    threads: int | None = None,
    backend: str | QuantumBackend | None = None,
) -> Gradients:
    """Expectation values and their derivatives for many parameter sets in one call.

    The circuit is laid out once, and small states are run one on each thread, as in `qrealm.sweep`; each row
    is what `gradient` gives for it, whatever the number of threads.

    Args:
        circuit, parameters, precision, threads, backend: as for `gradient`.
        parameter_sets: a mapping or sequence of values for each row, or an array of shape (R, parameters).
        observable: one for all rows; or one for each row; or, with `weights`, K of them.
        weights: shape (R, K): each row differentiates the sum of the K observables with these factors.

    Raises:
        RequestError: the number of observables or the shape of `weights` does not fit the rows.
        ParameterError, NotUnitaryError, TooLargeError, ObservableError, ReadError: as `gradient`.
    """
    rule = _rule(circuit, parameters, "gradients")
    points = _points(rule, parameter_sets)
    angles, slopes = rule.angles(points), rule.slopes(points)
    masks, coefficients = _shared_strings(observable, weights, len(points), rule.template.packed.num_qubits)
    name = backend_named(backend)
    engine = steered(name, "gradients")
    options = (check_precision(precision), check_threads(threads))
    values, derivatives = _rows(rule, angles, masks, coefficients, name, engine, options)
    return Gradients(values, rule.pull(derivatives, slopes), rule.asked)


def _rule(circuit: Any, parameters: Iterable[str | Parameter] | None, what: str) -> ChainRule:
    """The circuit with its parameters open, and those by which to differentiate."""
    if not isinstance(circuit, Circuit):
        circuit = read(circuit)
    if circuit.terminal_measurements is None:
        raise NotUnitaryError(
            f"{what} needs a circuit of gates; this one measures, resets or decides half-way",
            hint="differentiate numerically from qrealm.run, or leave those steps out",
        )
    template = _template(circuit)
    asked = _asked(parameters, template.parameters)
    try:
        return chain_rule(template, asked)
    except ArithmeticError as problem:
        raise ParameterError(f"an angle of the circuit has no finite derivative: {problem}") from problem


def _rows(
    rule: ChainRule,
    angles: NDArray[np.float64],
    masks: Masks,
    coefficients: NDArray[np.float64],
    name: QuantumBackend,
    engine: SteeredBackend,
    options: Options,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values (R,) and derivatives (R, angles); together where the backend can and no light cone is small."""
    values, derivatives = np.zeros(len(angles)), np.zeros(angles.shape)
    if not len(angles):
        return values, derivatives
    first = rule.template.with_params(angles[0])
    small = len(first) << first.num_qubits <= SMALL_WORK or name is not QuantumBackend.AUTO
    program = engine.compile(first, options[0] or Precision.DOUBLE)
    strings = [(int(x), int(z)) for x, z in zip(*masks, strict=True)]
    if takes_rows(program) and (small or not packed_cones(first, [(x, z, 1.0) for x, z in strings])):
        threads = options[1] or cores_default()
        at_once = program.gradients_at_once(len(angles), threads)
        plan, reserved = _planned(first.num_qubits, 2 * at_once, engine, (options[0], threads))
        if plan.precision is not (options[0] or Precision.DOUBLE):
            program = engine.compile(first, plan.precision)
            assert takes_rows(program)  # as it did in the other precision
        with reserved:
            for begin in range(0, len(angles), _ROWS_AT_ONCE):
                cancel.check()
                rows = slice(begin, begin + _ROWS_AT_ONCE)
                values[rows], derivatives[rows] = program.gradients_of_rows(
                    angles[rows], masks, coefficients[rows], rule.wanted, plan.threads
                )
        return values, derivatives
    for row, each in enumerate(coefficients.tolist()):
        cancel.check()
        terms = [(x, z, c) for (x, z), c in zip(strings, each, strict=True) if c]
        values[row], derivatives[row] = _one(rule, angles[row], terms, name, engine, options)
    return values, derivatives


def _one(
    rule: ChainRule,
    angles: NDArray[np.float64],
    strings: Sequence[tuple[int, int, float]],
    name: QuantumBackend,
    engine: SteeredBackend,
    options: Options,
) -> tuple[float, NDArray[np.float64]]:
    """Value and derivatives by all angles, for one row of them."""
    packed = rule.template.with_params(angles)
    cones: list[PackedCone] = []
    if name is QuantumBackend.AUTO and len(packed) << packed.num_qubits > SMALL_WORK:
        cones = packed_cones(packed, strings)
    if not cones:
        return _by_params(packed, _arrays(strings), rule.wanted, engine, options)
    value, derivatives = 0.0, np.zeros(len(packed.params))
    for cone in cones:
        cancel.check()
        part, slopes = _by_params(cone.packed, cone.terms, rule.wanted[cone.params], engine, options)
        value += part
        derivatives[cone.params] += slopes
    return value, derivatives


def _by_params(
    packed: PackedCircuit,
    terms: Terms,
    wanted: NDArray[np.uint8],
    engine: SteeredBackend,
    options: Options,
) -> tuple[float, NDArray[np.float64]]:
    """Value and derivatives by the wanted entries of `packed.params`."""
    plan, reserved = _planned(packed.num_qubits, 2, engine, options)  # psi and lambda
    with reserved:
        return engine.compile(packed, plan.precision).gradient(terms, wanted, plan.threads)


def _planned(
    num_qubits: int, arrays: int, engine: SteeredBackend, options: Options
) -> tuple[Plan, AbstractContextManager[Any]]:
    """The plan of a gradient that holds so many states, and its memory."""
    small = arrays * (16 << num_qubits) <= limits.MEMORY_UNCHECKED_BYTES
    shape = CircuitShape(num_qubits, 1 << num_qubits, 0, arrays - 1)
    request = Request(0, *options, exact=True, state_copy=False)

    def plan_for(available: int | None) -> Plan:
        return choose(shape, request, engine.card, cores=cores_default(), memory_available_bytes=available)

    ledger, free_bytes = LEDGER, memory_available_bytes
    if is_on_device(engine):
        ledger, free_bytes = engine.ledger, engine.memory_available_bytes
    return (plan_for(None), NOTHING_RESERVED) if small else ledger.reserve(plan_for, free_bytes)


def _arrays(strings: Sequence[tuple[int, int, float]]) -> Terms:
    """Pauli strings for the kernel."""
    return (
        np.array([x for x, _, _ in strings], dtype=np.uint64),
        np.array([z for _, z, _ in strings], dtype=np.uint64),
        np.array([c for _, _, c in strings], dtype=np.float64),
    )


def _template(circuit: Circuit) -> PackedTemplate:
    """The circuit with its parameters open."""
    try:
        return circuit.template()
    except ParameterError as problem:
        raise ParameterError(
            "gradient needs gates whose kernel form is an expression of the parameters; the circuit has one "
            f"that is not: {problem.message}",
            hint="put numbers into it (rv), write it with rx, ry and rz, or differentiate numerically from "
            "qrealm.run",
        ) from problem


def _one_observable(observable: Any, num_qubits: int) -> PauliSum:
    """The observable to differentiate."""
    if isinstance(observable, str):
        return _read_text(observable, num_qubits)
    named = parse_observables(observable, num_qubits)
    if len(named) != 1:
        raise RequestError(
            f"gradient got {len(named)} observables; the rule is exactly one",
            hint="add them up in one Pauli sum, or call gradient for each",
        )
    return named[0][1]


@lru_cache(maxsize=128)
def _read_text(observable: str, num_qubits: int) -> PauliSum:
    return parse_observable(observable, num_qubits)


def _shared_strings(
    observable: Any, weights: Any, rows: int, num_qubits: int
) -> tuple[Masks, NDArray[np.float64]]:
    """(x and z masks of T strings, coefficients of shape (rows, T)) of what each row differentiates."""
    listed = [observable] if isinstance(observable, PauliSum | str) else list(observable)
    sums = [_one_observable(each, num_qubits) for each in listed]
    if weights is None:
        if len(sums) not in (1, rows) or (isinstance(observable, list | tuple) and len(sums) != rows):
            raise RequestError(
                f"gradients got {len(sums)} observables for {rows} parameter sets; the rule is one for all, "
                "or one for each",
                hint="weights= says how much of each observable a row takes",
            )
    elif np.shape(weights) != (rows, len(sums)):
        raise RequestError(
            f"gradients got weights of shape {np.shape(weights)} for {rows} parameter sets and {len(sums)} "
            "observables; the rule is a row for each set, a column for each observable"
        )
    places: dict[tuple[int, int], int] = {}
    terms = [
        (k, places.setdefault((x, z), len(places)), c) for k, s in enumerate(sums) for x, z, c in s.strings()
    ]
    matrix = np.zeros((len(sums), len(places)))
    for k, place, c in terms:
        matrix[k, place] += c
    masks = (
        np.array([x for x, _ in places], dtype=np.uint64),
        np.array([z for _, z in places], dtype=np.uint64),
    )
    if weights is not None:
        return masks, np.asarray(weights, dtype=np.float64) @ matrix
    return masks, np.repeat(matrix, rows, axis=0) if len(sums) == 1 else matrix


def _points(rule: ChainRule, parameter_sets: Any) -> NDArray[np.float64]:
    """Rows of values, shape (R, P)."""
    names = rule.template.parameters
    if isinstance(parameter_sets, np.ndarray) and parameter_sets.ndim == 2:
        if parameter_sets.shape[1] != len(names) or parameter_sets.dtype.kind not in "fiu":
            raise ParameterError(
                f"gradients got an array of shape {parameter_sets.shape} and type {parameter_sets.dtype}; "
                f"the rule is real numbers, one column for each of {list(names)}"
            )
        return parameter_sets.astype(np.float64, copy=False)
    if isinstance(parameter_sets, Mapping | str) or not isinstance(parameter_sets, Iterable):
        raise RequestError(
            f"gradients got the parameter sets {parameter_sets!r:.60}; the rule is one mapping or sequence "
            "of numbers for each row, or an array of shape (rows, parameters)",
            hint="for a single set, call gradient",
        )
    rows = [rule.point(each) for each in parameter_sets]
    return np.concatenate(rows) if rows else np.zeros((0, len(names)))


def _asked(parameters: Iterable[str | Parameter] | None, names: Sequence[str]) -> tuple[str, ...]:
    """The names by which to differentiate."""
    if parameters is None:
        return tuple(names)
    if isinstance(parameters, str | Parameter) or not isinstance(parameters, Iterable):
        raise ParameterError(
            f"gradient by {parameters!r:.60}; the rule is a sequence of parameters or names",
            hint="for a single one, write [parameter]",
        )
    asked = tuple(str(getattr(each, "name", each)) for each in parameters)
    odd = [name for name in asked if name not in names]
    if odd:
        raise ParameterError(f"gradient by {odd}; the circuit's parameters are {list(names)}")
    return asked
