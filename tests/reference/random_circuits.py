"""Seeded random circuits over all kernel ops, with the corner cases that planners treat apart.

Angles are special one time in four (0, π, multiples of π/2), matrices are at times diagonal or
permutations, qubit orders are random, and an op may have every other qubit as a control.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .ops import KERNEL_OPS, MATRIX, OP_BY_NAME, KernelOp, Matrix

SPECIAL_ANGLES = (0.0, math.pi / 2, -math.pi / 2, math.pi, -math.pi, 2 * math.pi, 4 * math.pi)
MATRIX_QUBITS_MAX = 6


@dataclass(frozen=True)
class ReferenceCircuit:
    """Flat op arrays as the kernel takes them; field for field `qrealm.circuits.pack.PackedCircuit`."""

    num_qubits: int
    codes: NDArray[np.uint8]
    num_controls: NDArray[np.uint8]
    qubit_offsets: NDArray[np.int32]
    qubits: NDArray[np.int32]
    param_offsets: NDArray[np.int32]
    params: NDArray[np.float64]
    matrices: tuple[Matrix, ...]


@dataclass
class CircuitBuilder:
    """Collects ops by name and packs them."""

    num_qubits: int
    _codes: list[int] = field(default_factory=list)
    _num_controls: list[int] = field(default_factory=list)
    _qubits: list[tuple[int, ...]] = field(default_factory=list)
    _params: list[tuple[float, ...]] = field(default_factory=list)
    _matrices: list[Matrix] = field(default_factory=list)

    def add(
        self, name: str, targets: Sequence[int], *, params: Sequence[float] = (), controls: Sequence[int] = ()
    ) -> CircuitBuilder:
        """Append the kernel op `name`; returns the builder, so calls chain."""
        op = OP_BY_NAME[name]
        assert op.code == MATRIX or (len(targets), len(params)) == (op.num_targets, op.num_params), name
        self._codes.append(op.code)
        self._num_controls.append(len(controls))
        self._qubits.append((*controls, *targets))
        self._params.append(tuple(params))
        return self

    def add_matrix(
        self, matrix: Matrix, targets: Sequence[int], *, controls: Sequence[int] = ()
    ) -> CircuitBuilder:
        """Append a MATRIX op; `matrix` is (2^k, 2^k) on k targets, the first the low bit."""
        self._matrices.append(np.ascontiguousarray(matrix, dtype=complex))
        return self.add("MATRIX", targets, params=[len(self._matrices) - 1], controls=controls)

    def build(self) -> ReferenceCircuit:
        """The packed circuit."""
        return ReferenceCircuit(
            num_qubits=self.num_qubits,
            codes=np.array(self._codes, dtype=np.uint8),
            num_controls=np.array(self._num_controls, dtype=np.uint8),
            qubit_offsets=_offsets(self._qubits),
            qubits=np.array([q for qubits in self._qubits for q in qubits], dtype=np.int32),
            param_offsets=_offsets(self._params),
            params=np.array([p for params in self._params for p in params], dtype=np.float64),
            matrices=tuple(self._matrices),
        )


def _offsets(rows: Sequence[Sequence[float]]) -> NDArray[np.int32]:
    return np.cumsum([0, *(len(row) for row in rows)], dtype=np.int32)


def random_unitary(rng: np.random.Generator, num_qubits: int) -> Matrix:
    """A (2^k, 2^k) unitary from the Haar measure: F. Mezzadri, "How to generate random matrices from the
    classical compact groups", Notices of the AMS 54 (2007), section 5."""
    size = 2**num_qubits
    normal = rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size))
    q, r = np.linalg.qr(normal)
    return q * (np.diagonal(r) / np.abs(np.diagonal(r)))


def random_matrix(rng: np.random.Generator, num_qubits: int) -> Matrix:
    """A unitary that is dense (half of the time), diagonal, or a permutation with phases."""
    size = 2**num_qubits
    kind = rng.integers(4)
    if kind < 2:
        return random_unitary(rng, num_qubits)
    phases = np.diag(np.exp(2j * math.pi * rng.random(size)))
    return phases if kind == 2 else phases[rng.permutation(size)]


def random_angle(rng: np.random.Generator) -> float:
    """An angle in radians: a special one with probability 1/4, else uniform in [-4π, 4π)."""
    if rng.random() < 0.25:
        return float(rng.choice(SPECIAL_ANGLES))
    return float(rng.uniform(-4 * math.pi, 4 * math.pi))


def random_circuit(
    seed: int,
    num_qubits: int,
    num_ops: int,
    *,
    names: Sequence[str] | None = None,
    controls_max: int | None = None,
    matrix_qubits_max: int = MATRIX_QUBITS_MAX,
) -> ReferenceCircuit:
    """`num_ops` random ops on `num_qubits` qubits; the same arguments give the same circuit.

    `names` restricts the ops (default: all that fit on that many qubits). Most ops have no control, a third
    have one or more, at most `controls_max` (default: every qubit that is no target). MATRIX has at most
    `matrix_qubits_max` targets.
    """
    rng = np.random.default_rng(seed)
    kinds = [op for op in KERNEL_OPS if (names is None or op.name in names) and op.num_targets <= num_qubits]
    assert kinds, f"none of {names} fits on {num_qubits} qubits"
    builder = CircuitBuilder(num_qubits)
    for _ in range(num_ops):
        _add_random_op(builder, rng, kinds[rng.integers(len(kinds))], controls_max, matrix_qubits_max)
    return builder.build()


def _add_random_op(
    builder: CircuitBuilder,
    rng: np.random.Generator,
    op: KernelOp,
    controls_max: int | None,
    matrix_qubits_max: int,
) -> None:
    num_qubits = builder.num_qubits
    if op.code == MATRIX:
        num_targets = int(rng.integers(1, min(matrix_qubits_max, num_qubits) + 1))
    else:
        num_targets = op.num_targets
    room = num_qubits - num_targets
    room = room if controls_max is None else min(room, controls_max)
    num_controls = int(rng.integers(1, room + 1)) if room and rng.random() < 1 / 3 else 0
    order = [int(q) for q in rng.permutation(num_qubits)]
    controls, targets = order[:num_controls], order[num_controls : num_controls + num_targets]
    if op.code == MATRIX:
        builder.add_matrix(random_matrix(rng, num_targets), targets, controls=controls)
    else:
        params = [random_angle(rng) for _ in range(op.num_params)]
        builder.add(op.name, targets, params=params, controls=controls)


@contextmanager
def replayable(seed: int, **details: object) -> Iterator[None]:
    """Adds the seed (and `details`) to whatever fails inside, so that the failure can be replayed."""
    try:
        yield
    except BaseException as error:
        facts = "".join(f", {name}={value!r}" for name, value in details.items())
        error.add_note(f"replay with seed={seed}{facts}")
        raise
