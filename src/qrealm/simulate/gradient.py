"""Gradients of expectation values by adjoint differentiation: one run forwards, one back, whatever the number
of parameters (T. Jones and J. Gacon, "Efficient calculation of gradients in classical simulations of
variational quantum algorithms", arXiv:2009.02823)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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
from qrealm.simulate.backends.protocol import SteeredBackend
from qrealm.simulate.decide import SMALL_WORK
from qrealm.simulate.memory import LEDGER, NOTHING_RESERVED, refusal_told
from qrealm.simulate.observables import parse_observables
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
    if not isinstance(circuit, Circuit):
        circuit = read(circuit)
    if circuit.terminal_measurements is None:
        raise NotUnitaryError(
            "gradient needs a circuit of gates; this one measures, resets or decides half-way",
            hint="differentiate numerically from qrealm.run, or leave those steps out",
        )
    template = _template(circuit)
    packed = template.bind(values)
    asked = _asked(parameters, template.parameters)
    hamiltonian = _one_observable(observable, circuit.num_qubits)
    jacobian = _jacobian(template, values, asked)
    wanted = np.zeros(len(packed.params), dtype=np.uint8)
    slots = np.asarray(template.slots, dtype=np.intp)
    wanted[slots] = jacobian.any(axis=1)
    name = backend_named(backend)
    engine = steered(name, "gradient")
    options = (check_precision(precision), check_threads(threads))
    cones: list[PackedCone] = []
    if name is QuantumBackend.AUTO and len(circuit) << circuit.num_qubits > SMALL_WORK:
        cones = packed_cones(packed, hamiltonian.strings())
    if not cones:
        value, derivatives = _by_params(packed, hamiltonian.masks(), wanted, engine, options)
        return Gradient(value, derivatives[slots] @ jacobian, asked)
    value, derivatives = 0.0, np.zeros(len(packed.params))
    for cone in cones:
        cancel.check()
        part, slopes = _by_params(cone.packed, cone.terms, wanted[cone.params], engine, options)
        value += part
        derivatives[cone.params] += slopes
    return Gradient(value, derivatives[slots] @ jacobian, asked)


def _by_params(
    packed: PackedCircuit,
    terms: Terms,
    wanted: NDArray[np.uint8],
    engine: SteeredBackend,
    options: tuple[Precision | None, int | None],
) -> tuple[float, NDArray[np.float64]]:
    """Value and derivatives by the wanted entries of `packed.params`; `options` are precision and threads."""
    arrays = 2  # psi and lambda
    small = arrays * (16 << packed.num_qubits) <= limits.MEMORY_UNCHECKED_BYTES
    shape = CircuitShape(packed.num_qubits, 1 << packed.num_qubits, 0, arrays - 1)
    request = Request(0, *options, exact=True, state_copy=False)

    def plan_for(available: int | None) -> Plan:
        return choose(shape, request, engine.card, cores=cores_default(), memory_available_bytes=available)

    ledger, free_bytes = LEDGER, memory_available_bytes
    if is_on_device(engine):
        ledger, free_bytes = engine.ledger, engine.memory_available_bytes
    plan, reserved = (plan_for(None), NOTHING_RESERVED) if small else ledger.reserve(plan_for, free_bytes)
    with reserved:
        return engine.compile(packed, plan.precision).gradient(terms, wanted, plan.threads)


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
    named = parse_observables(observable, num_qubits)
    if len(named) != 1:
        raise RequestError(
            f"gradient got {len(named)} observables; the rule is exactly one",
            hint="add them up in one Pauli sum, or call gradient for each",
        )
    return named[0][1]


def _jacobian(template: PackedTemplate, values: Any, asked: Sequence[str]) -> NDArray[np.float64]:
    """Derivatives of the packed angles by the asked parameters, shape (angles, asked), all finite."""
    try:
        with np.errstate(all="ignore"):
            whole = template.jacobian(values)
    except ArithmeticError as problem:
        raise ParameterError(
            f"an angle of the circuit has no finite derivative at these values: {problem}"
        ) from problem
    jacobian = whole[:, [template.parameters.index(name) for name in asked]]
    odd = np.argwhere(~np.isfinite(jacobian))
    if len(odd):
        row, column = odd[0]
        raise ParameterError(
            f"the derivative of {template.expressions[row]} by {asked[column]} is {jacobian[row, column]} at "
            "these values; the rule is a finite number",
            hint="choose other values, or write the angle without a corner or a vertical slope",
        )
    return jacobian


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
