"""What every algorithm takes beside its own arguments, and the checks that they share."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypedDict

from qrealm.base.errors import RequestError
from qrealm.circuits import Circuit
from qrealm.simulate.backends import QuantumBackend
from qrealm.simulate.plan.types import Precision

if TYPE_CHECKING:
    from qrealm.circuits.noise import Device, NoiseModel

    NoiseSource = NoiseModel | Device | str


class RunOptions(TypedDict, total=False):
    """Options that go through to `qrealm.run` as they are.

    Attributes:
        precision: ``"single"``, ``"double"`` or ``"auto"``.
        threads: None for one on small circuits and all cores on large ones.
        backend: ``"auto"`` or a name of `QuantumBackend`.
    """

    precision: str | Precision
    threads: int | None
    backend: str | QuantumBackend | None


class NoisyRunOptions(RunOptions, total=False):
    """`RunOptions`, and noise.

    Attributes:
        noise: a `NoiseModel`, a `Device` or the name of a preset. For a device's the circuit is compiled to
            its gates and couplings first. Exact results that describe a pure state are left out, or taken
            from the shots.
    """

    noise: NoiseSource | None


def check_options(algorithm: Callable[..., Any], options: Mapping[str, Any], known: type) -> None:
    """Refuse options that an algorithm does not have. Raises RequestError, which names it and all it has.

    Args:
        algorithm: the function that was called.
        options: what it got beyond its own arguments.
        known: the TypedDict of those.
    """
    names = known.__annotations__
    unknown = sorted(set(options).difference(names))
    if unknown:
        *own, _ = inspect.signature(algorithm).parameters
        raise RequestError(
            f"{algorithm.__name__} got {', '.join(unknown)}; its options are {', '.join([*own, *names])}"
        )


QUBITS_MAX = 4096
"""Largest number of qubits of a builder: as many as a circuit may have."""


def check_whole(what: str, value: Any, low: int, high: int) -> int:
    """An integer from `low` to `high`. Raises RequestError, which names `what`."""
    try:
        number = operator.index(value)
    except TypeError:
        raise RequestError(f"{what} is {value!r:.60}; it must be an integer") from None
    if not low <= number <= high:
        raise RequestError(f"{what} is {number}; it must be from {low} to {high}")
    return number


def check_share(what: str, value: Any, low: float, high: float) -> float:
    """A number strictly between `low` and `high`. Raises RequestError, which names `what`."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise RequestError(f"{what} is {value!r:.60}; it must be a number") from None
    if not low < number < high:  # written so that NaN fails too
        raise RequestError(f"{what} is {number:g}; it must be between {low:g} and {high:g}")
    return number


def check_gates_only(what: str, circuit: Any) -> Circuit:
    """A circuit of gates without open parameters. Raises RequestError, which names `what`."""
    if not isinstance(circuit, Circuit):
        raise RequestError(
            f"{what} is a {type(circuit).__name__}; it must be a qrealm Circuit",
            hint="qrealm.read(...) makes one of other frameworks' circuits",
        )
    if not circuit.is_unitary:
        raise RequestError(f"{what} measures, resets or decides something; it must be a circuit of gates")
    if circuit.parameters:
        names = [parameter.name for parameter in circuit.parameters[:5]]
        raise RequestError(f"{what} has open parameters {names}; it must have none", hint="circuit.bind(...)")
    return circuit


def basis_text(index: int, num_qubits: int) -> str:
    """A basis index as a bit string with qubit 0 rightmost."""
    return format(index, f"0{num_qubits}b")
