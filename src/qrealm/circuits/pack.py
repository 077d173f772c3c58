"""From instructions to the flat arrays that the kernel takes in one call."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import ParameterError
from qrealm.circuits.gate_rows import UNITARY
from qrealm.circuits.gates import Gate, Params
from qrealm.circuits.kernel_ops import OpCode
from qrealm.circuits.parameters import ANGLE_MAX, ParameterExpression

GateInstruction = tuple[Gate, tuple[int, ...], Params]
"""A gate, its qubits (controls first) and its parameters."""


KernelArguments = tuple[
    int,
    NDArray[np.uint8],
    NDArray[np.uint8],
    NDArray[np.int32],
    NDArray[np.int32],
    NDArray[np.int32],
    NDArray[np.float64],
    list[NDArray[np.complex128]],
]
"""What a kernel takes of a circuit; see `PackedCircuit` for shapes."""


@dataclass(frozen=True, slots=True, eq=False)
class PackedCircuit:
    """Kernel operations as flat arrays: all that a kernel sees of a circuit. Do not write to the arrays.

    Attributes:
        num_qubits: number of qubits.
        codes: uint8, shape (G,): operation codes (`OpCode`).
        num_controls: uint8, shape (G,): how many leading qubits of an operation are positive controls.
        qubit_offsets: int32, shape (G + 1,): operation g has qubits[qubit_offsets[g]:qubit_offsets[g + 1]].
        qubits: int32: controls first, then targets, of each operation in turn.
        param_offsets: int32, shape (G + 1,): the same for `params`.
        params: float64: angles in radians; for a MATRIX operation the index into `matrices`.
        matrices: complex128, C-contiguous, shape (2^k, 2^k), k up to 6; the first target is the least
            significant bit of an index.
    """

    num_qubits: int
    codes: NDArray[np.uint8]
    num_controls: NDArray[np.uint8]
    qubit_offsets: NDArray[np.int32]
    qubits: NDArray[np.int32]
    param_offsets: NDArray[np.int32]
    params: NDArray[np.float64]
    matrices: tuple[NDArray[np.complex128], ...] = ()

    def __len__(self) -> int:
        return len(self.codes)

    def arrays(self) -> KernelArguments:
        """The positional arguments that ``qrealm._kernels.plan`` takes, in their order."""
        return (
            self.num_qubits,
            self.codes,
            self.num_controls,
            self.qubit_offsets,
            self.qubits,
            self.param_offsets,
            self.params,
            list(self.matrices),
        )

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of all of it: equal programs have equal digests on every machine."""
        state = hashlib.sha256(f"{self.num_qubits},{len(self.codes)}".encode())
        arrays: tuple[NDArray[Any], ...] = (
            self.codes,
            self.num_controls,
            self.qubit_offsets,
            self.qubits,
            self.param_offsets,
            self.params,
            *self.matrices,
        )
        for array in arrays:
            state.update(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
        return state.hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class PackedTemplate:
    """A packed circuit some of whose parameters are expressions: packed once, bound many times.

    Attributes:
        packed: the circuit, NaN where a parameter is still open.
        parameters: names, in order of first appearance: the columns of a sweep.
        slots: int64, shape (S,): the open entries of `packed.params`.
        expressions: what stands in each of them, length S.
    """

    packed: PackedCircuit
    parameters: tuple[str, ...]
    slots: NDArray[np.int64]
    expressions: tuple[ParameterExpression, ...]
    _distinct: dict[ParameterExpression, list[int]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        distinct: dict[ParameterExpression, list[int]] = {}
        for slot, expression in zip(self.slots.tolist(), self.expressions, strict=True):
            distinct.setdefault(expression, []).append(slot)
        object.__setattr__(self, "_distinct", distinct)

    def bind(self, values: Mapping[Any, float] | Sequence[float]) -> PackedCircuit:
        """The packed circuit for one parameter set: a mapping by name or parameter, or a sequence by column.

        Raises:
            ParameterError: a parameter is missing or unknown, or a result is not finite.
        """
        columns = self._columns(values)
        return self.with_params(
            self.evaluate({name: np.array([value]) for name, value in columns.items()})[0]
        )

    def evaluate(self, values: Mapping[Any, Any] | NDArray[np.float64]) -> NDArray[np.float64]:
        """`packed.params` for many parameter sets at once.

        Args:
            values: for each parameter an array of R numbers (or one number for all), or one array of
                shape (R, P) with a column for each of `parameters`.

        Returns:
            float64, shape (R, len(packed.params)).

        Raises:
            ParameterError: a parameter is missing or unknown, shapes differ, or a result is not finite.
        """
        columns = self._columns(values)
        try:
            arrays = {name: np.asarray(value, dtype=np.float64) for name, value in columns.items()}
            shape = np.broadcast_shapes((1,), *(array.shape for array in arrays.values()))
        except (TypeError, ValueError) as problem:
            raise ParameterError(f"a sweep needs arrays of numbers of one length: {problem}") from None
        if len(shape) != 1:
            raise ParameterError(
                f"a sweep got values of shape {shape}; the rule is one number per parameter set"
            )
        params = np.repeat(self.packed.params[None, :], shape[0], axis=0)
        for expression, slots in self._distinct.items():
            params[:, slots] = np.broadcast_to(expression.evaluate(arrays), shape)[:, None]
        opened = params[:, self.slots]
        wrong = ~(np.abs(opened) <= ANGLE_MAX)  # written so that NaN is wrong too
        if wrong.any():
            row, place = np.argwhere(wrong)[0]
            raise ParameterError(
                f"{self.expressions[place]} is {opened[row, place]:.6g} for parameter set {row}; the rule is "
                f"a finite number from {-ANGLE_MAX:g} to {ANGLE_MAX:g}"
            )
        return params

    def with_params(self, params: NDArray[np.float64]) -> PackedCircuit:
        """The packed circuit with one row of `evaluate` as its parameters; all else is shared."""
        return replace(self.packed, params=np.ascontiguousarray(params, dtype=np.float64))

    def jacobian(self, values: Mapping[Any, float] | Sequence[float]) -> NDArray[np.float64]:
        """Derivatives of the open entries by the parameters, exact, float64, shape (S, P).

        With a kernel's gradient g by `packed.params[slots]`, the gradient by the parameters is g @ jacobian.
        """
        point = {name: float(value) for name, value in self._columns(values).items()}
        columns = {name: column for column, name in enumerate(self.parameters)}
        result = np.zeros((len(self.expressions), len(self.parameters)))
        for expression, slots in self._distinct.items():
            rows = np.searchsorted(self.slots, slots)
            for parameter in expression.parameters:
                slope = expression.derivative(parameter.name).evaluate(point)
                result[rows, columns[parameter.name]] = slope
        return result

    def _columns(self, values: Any) -> dict[str, Any]:
        if isinstance(values, Mapping):
            named = {key.name if hasattr(key, "name") else key: value for key, value in values.items()}
            wrong = [name for name in named if name not in self.parameters]
            missing = [name for name in self.parameters if name not in named]
            if wrong or missing:
                raise ParameterError(
                    f"binding got {sorted(map(str, named))}; the circuit's parameters are "
                    f"{list(self.parameters)}",
                    hint="give every parameter once, by its name",
                )
            return named
        array = np.asarray(values, dtype=np.float64)
        if array.ndim not in (1, 2) or array.shape[-1] != len(self.parameters):
            raise ParameterError(
                f"binding got an array of shape {array.shape}; the rule is one column for each of "
                f"{list(self.parameters)}"
            )
        return {name: array[..., column] for column, name in enumerate(self.parameters)}


def pack(num_qubits: int, instructions: Iterable[GateInstruction], global_phase: Any = 0.0) -> PackedCircuit:
    """Packs gates whose parameters are all numbers.

    Raises:
        ParameterError: a parameter is not bound yet.
    """
    flat = _flatten(instructions, global_phase)
    try:
        return _packed(num_qubits, flat)
    except (TypeError, ParameterError):
        raise ParameterError(
            "the circuit has parameters that are not bound yet",
            hint="circuit.bind({...}), or pass parameter sets to the run",
        ) from None


def pack_template(
    num_qubits: int,
    instructions: Iterable[GateInstruction],
    parameters: Sequence[str],
    global_phase: Any = 0.0,
) -> PackedTemplate:
    """Packs gates some of whose parameters are expressions of `parameters`."""
    flat = _flatten(instructions, global_phase)
    params = flat[5]
    slots = [index for index, value in enumerate(params) if isinstance(value, ParameterExpression)]
    expressions = tuple(params[index] for index in slots)
    for index in slots:
        params[index] = np.nan
    columns = tuple(parameters)
    return PackedTemplate(_packed(num_qubits, flat), columns, np.array(slots, dtype=np.int64), expressions)


_Flat = tuple[
    list[int], list[int], list[int], list[int], list[int], list[Any], tuple[NDArray[np.complex128], ...]
]


def _packed(num_qubits: int, flat: _Flat) -> PackedCircuit:
    codes, controls, offsets, qubits, param_offsets, params, matrices = flat
    return PackedCircuit(
        num_qubits,
        np.array(codes, dtype=np.uint8),
        np.array(controls, dtype=np.uint8),
        np.array(offsets, dtype=np.int32),
        np.array(qubits, dtype=np.int32),
        np.array(param_offsets, dtype=np.int32),
        np.array(params, dtype=np.float64),
        matrices,
    )


def _flatten(instructions: Iterable[GateInstruction], global_phase: Any) -> _Flat:
    codes: list[int] = []
    controls: list[int] = []
    offsets = [0]
    qubits: list[int] = []
    param_offsets = [0]
    params: list[Any] = []
    matrices: list[NDArray[np.complex128]] = []
    if not isinstance(global_phase, float) or global_phase != 0.0:
        codes.append(OpCode.GPHASE)
        controls.append(0)
        offsets.append(0)
        params.append(global_phase)
        param_offsets.append(1)
    for gate, wires, values in instructions:
        if gate.code >= 0 and gate is not UNITARY:
            codes.append(gate.code)
            controls.append(len(wires) - gate.targets)
            qubits.extend(wires)
            offsets.append(len(qubits))
            if values:
                params.extend(values if gate.to_op is None else gate.to_op(*values))
            param_offsets.append(len(params))
        elif gate is UNITARY:
            codes.append(OpCode.MATRIX)
            controls.append(len(wires) - values[0].num_qubits)
            qubits.extend(wires)
            offsets.append(len(qubits))
            params.append(float(len(matrices)))
            matrices.append(values[0].array)
            param_offsets.append(len(params))
        else:
            split = len(wires) - gate.targets
            outer, targets = wires[:split], wires[split:]
            for op in gate.lowered(values):
                held = () if op.free else outer
                codes.append(op.code)
                controls.append(len(held) + len(op.inner))
                qubits.extend(held)
                qubits.extend([targets[i] for i in (*op.inner, *op.targets)])
                offsets.append(len(qubits))
                params.extend(op.params)
                param_offsets.append(len(params))
    return codes, controls, offsets, qubits, param_offsets, params, tuple(matrices)
