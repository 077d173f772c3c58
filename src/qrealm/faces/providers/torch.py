"""PyTorch: `QrealmLayer`, a circuit as a layer, differentiated by the adjoint method."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import MissingExtraError, NotUnitaryError, ParameterError, RequestError
from qrealm.circuits import Circuit, Parameter, PauliSum, read
from qrealm.simulate.backends import backend_named
from qrealm.simulate.gradient import gradients
from qrealm.simulate.observables import parse_observable
from qrealm.simulate.request import check_precision, check_seed, check_threads
from qrealm.simulate.run import expectations

try:
    import torch
except ImportError as problem:
    raise MissingExtraError("qrealm's PyTorch layer", package="torch", extra="torch") from problem


class QrealmLayer(torch.nn.Module):  # type: ignore[misc]
    """A circuit's exact expectation values as a layer: data in, one number for each observable out.

    The backward pass takes one adjoint run for each row of the batch, however many parameters and observables
    there are: the observables are first added up, weighted by the incoming gradient. Gradients go to the
    weights and, where they are asked for, to the inputs. There are no second derivatives.

    Args:
        circuit: gates with open parameters; anything that `qrealm.read` takes.
        observables: Pauli sums such as ``"Z0 Z1 + 0.5 X2"``: one or several.
        inputs: the parameters that the data fills, a column each.
        weights: the parameters that are trained; None for all that are no inputs.
        initial_weights: their first values, shape (W,); None draws angles from -pi to pi.
        seed: of that draw; None takes PyTorch's own generator.
        precision: ``"double"``, ``"single"`` or ``"auto"``, of the simulation. Results have the type of the
            inputs, or of the weights where there are none.
        threads: None for one on small circuits and all cores on large ones.
        backend: ``"auto"`` or a name of `qrealm.QuantumBackend`.

    Attributes:
        weights: `torch.nn.Parameter` of shape (W,), in the order of `weight_names`.
        input_names, weight_names: the circuit's parameters, by what fills them.

    Raises:
        ParameterError: inputs and weights are not each of the circuit's parameters once, or
            `initial_weights` has another shape or is not of finite real numbers.
        NotUnitaryError: the circuit measures, resets or decides half-way.
        ObservableError: an observable cannot be read, or acts on a qubit that the circuit does not have.
        UnknownBackendError: there is no backend of this name.
        RequestError: there is no observable, or an option is unknown or out of range.
    """

    def __init__(
        self,
        circuit: Any,
        observables: PauliSum | str | Sequence[PauliSum | str],
        *,
        inputs: Iterable[str | Parameter] = (),
        weights: Iterable[str | Parameter] | None = None,
        initial_weights: Any = None,
        seed: int | None = None,
        precision: str = "double",
        threads: int | None = None,
        backend: str | None = None,
    ) -> None:
        super().__init__()
        check_precision(precision)
        check_threads(threads)
        self.circuit = circuit if isinstance(circuit, Circuit) else read(circuit)
        if self.circuit.terminal_measurements is None:
            raise NotUnitaryError(
                "QrealmLayer needs a circuit of gates; this one measures, resets or decides half-way",
                hint="leave those steps out: the layer computes exact expectation values of the final state",
            )
        listed = [observables] if isinstance(observables, PauliSum | str) else list(observables)
        if not listed:
            raise RequestError("QrealmLayer got no observables; name at least one")
        self.observables = tuple(parse_observable(each, self.circuit.num_qubits) for each in listed)
        names = tuple(parameter.name for parameter in self.circuit.parameters)
        self.input_names = _names(inputs)
        self.weight_names = (
            tuple(name for name in names if name not in self.input_names)
            if weights is None
            else _names(weights)
        )
        _check_partition(names, self.input_names, self.weight_names)
        given = self.input_names + self.weight_names
        self._order = [given.index(name) for name in names]  # from (inputs, weights) to the circuit's columns
        self._options: dict[str, Any] = {
            "precision": precision,
            "threads": threads,
            "backend": backend_named(backend).value,
        }
        self.weights = torch.nn.Parameter(_first_weights(len(self.weight_names), initial_weights, seed))

    def forward(self, inputs: Any = None) -> Any:
        """Expectation values.

        Args:
            inputs: a tensor, array or list of shape (..., I), a column for each of `input_names`; None when
                there are none.

        Returns:
            Shape (..., M), a column for each observable; (M,) without inputs.

        Raises:
            ParameterError: `inputs` has another number of columns, or is not of real numbers.
        """
        width = len(self.input_names)
        if inputs is None:
            inputs = torch.zeros(0, dtype=self.weights.dtype, device=self.weights.device)
        inputs = _real_tensor("inputs", inputs, self.weights.device)
        if inputs.ndim == 0 or inputs.shape[-1] != width:
            raise ParameterError(
                f"QrealmLayer got inputs of shape {tuple(inputs.shape)}; the rule is (..., {width}), a "
                f"column for each of {list(self.input_names)}"
            )
        lead = inputs.shape[:-1]
        rows = inputs.reshape(math.prod(lead), width)
        values = _Expectations.apply(rows, self.weights, self)
        return values.reshape(*lead, len(self.observables))

    def extra_repr(self) -> str:
        """What ``print(model)`` tells of the layer."""
        return (
            f"qubits={self.circuit.num_qubits}, inputs={len(self.input_names)}, "
            f"weights={len(self.weight_names)}, observables={len(self.observables)}"
        )

    def _points(self, inputs: Any, weights: Any) -> NDArray[np.float64]:
        """Values of the circuit's parameters, a row for each of the batch."""
        data = inputs.detach().to("cpu", torch.float64).numpy()
        trained = weights.detach().to("cpu", torch.float64).numpy()
        both = np.concatenate([data, np.broadcast_to(trained, (len(data), len(trained)))], axis=1)
        return np.ascontiguousarray(both[:, self._order])

    def _values(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Expectation values, shape (rows, M)."""
        return expectations(self.circuit, points, list(self.observables), **self._options)

    def _slopes(
        self, points: NDArray[np.float64], cotangents: NDArray[np.float64], names: Sequence[str]
    ) -> NDArray[np.float64]:
        """For each row, derivatives of the weighted sum of all observables by some parameters: one adjoint
        pass a row, all rows that have any influence in one call."""
        found = np.zeros((len(points), len(names)))
        counts = cotangents.any(axis=1)
        if counts.any():
            found[counts] = gradients(
                self.circuit,
                points[counts],
                list(self.observables),
                names,
                weights=cotangents[counts],
                **self._options,
            ).derivatives
        return found


class _Expectations(torch.autograd.Function):  # type: ignore[misc]
    """Expectation values of a batch, and their vector-Jacobian product."""

    @staticmethod
    def forward(ctx: Any, inputs: Any, weights: Any, layer: QrealmLayer) -> Any:
        points = layer._points(inputs, weights)
        ctx.points, ctx.layer = points, layer  # data, no tensors: nothing is traced through them
        ctx.save_for_backward(inputs, weights)
        return torch.as_tensor(layer._values(points)).to(
            device=inputs.device, dtype=torch.promote_types(inputs.dtype, torch.float32)
        )

    @staticmethod
    def backward(ctx: Any, cotangents: Any) -> tuple[Any, Any, None]:
        inputs, weights = ctx.saved_tensors
        wanted = ctx.needs_input_grad[:2]
        of_inputs, of_weights = _Slopes.apply(cotangents, inputs, weights, ctx.layer, ctx.points, wanted)
        return (of_inputs if wanted[0] else None, of_weights if wanted[1] else None, None)


class _Slopes(torch.autograd.Function):  # type: ignore[misc]
    """The vector-Jacobian product. A function of its own, so that a second derivative is refused and not
    taken for zero."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ARG004
        cotangents: Any,
        inputs: Any,
        weights: Any,
        layer: QrealmLayer,
        points: NDArray[np.float64],
        wanted: Sequence[bool],
    ) -> tuple[Any, Any]:
        names = (layer.input_names if wanted[0] else ()) + (layer.weight_names if wanted[1] else ())
        incoming = cotangents.detach().to("cpu", torch.float64).numpy()
        slopes = layer._slopes(points, incoming, names)
        split = len(layer.input_names) if wanted[0] else 0
        return (
            torch.as_tensor(slopes[:, :split]).to(inputs),
            torch.as_tensor(slopes[:, split:].sum(axis=0)).to(weights),
        )

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:  # noqa: ARG004
        raise RequestError(
            "QrealmLayer has no second derivatives",
            hint="take them numerically, or detach the gradient before it is differentiated again",
        )


def _names(parameters: Iterable[str | Parameter]) -> tuple[str, ...]:
    if isinstance(parameters, str | Parameter):
        raise ParameterError(
            f"QrealmLayer got {parameters!r:.60} for a list of parameters",
            hint="for a single one, write [it]",
        )
    return tuple(str(getattr(each, "name", each)) for each in parameters)


def _check_partition(names: Sequence[str], inputs: Sequence[str], weights: Sequence[str]) -> None:
    """Refuse inputs and weights that are not all parameters, each once."""
    given = [*inputs, *weights]
    unknown = [name for name in given if name not in names]
    missing = [name for name in names if name not in given]
    twice = sorted({name for name in given if given.count(name) > 1})
    if unknown or missing or twice:
        found = {"unknown": unknown, "left out": missing, "named twice": twice}
        told = ", ".join(f"{what}: {which}" for what, which in found.items() if which)
        raise ParameterError(
            f"the inputs and weights of QrealmLayer are not the circuit's parameters, each once ({told}); it "
            f"has {list(names)}"
        )


def _real_tensor(what: str, given: Any, device: Any = None) -> Any:
    """A tensor as it is, and a tensor of what else holds real numbers. Raises ParameterError."""
    rule = "the rule is a tensor, an array or a list of real numbers"
    try:
        found = given if torch.is_tensor(given) else torch.as_tensor(given, device=device)
    except (TypeError, ValueError, RuntimeError):
        raise ParameterError(f"{what} of QrealmLayer is {given!r:.60}; {rule}") from None
    if found.is_complex():
        raise ParameterError(f"{what} of QrealmLayer is complex; {rule}")
    return found


def _first_weights(count: int, given: Any, seed: int | None) -> Any:
    """What training starts from."""
    if given is not None:
        found = _real_tensor("initial_weights", given)
        if not found.is_floating_point() or not torch.is_tensor(given):
            found = found.to(torch.get_default_dtype())
        if tuple(found.shape) != (count,):
            raise ParameterError(
                f"initial_weights has the shape {tuple(found.shape)}; the rule is ({count},), one for each"
            )
        if not bool(torch.isfinite(found).all()):
            raise ParameterError("initial_weights has an entry that is not finite; the rule is real numbers")
        return found.detach().clone()
    generator = None if seed is None else torch.Generator().manual_seed(check_seed(seed))
    return (2 * torch.rand(count, generator=generator) - 1) * math.pi


__all__ = ["QrealmLayer"]
