"""A mixed state of n qubits as a state of 2n wires: gates and channels as kernel operations.

Entry ρ[i, j] is the amplitude of basis index i + 2^n j: wire q carries bit q of the row (the ket), wire n + q
that of the column (the bra). A gate U on qubit q is U on wire q and its complex conjugate on wire n + q. A
channel is its superoperator, a matrix on both wires of each of its qubits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrealm.circuits.gate_rows import GATES, UNITARY
from qrealm.circuits.gates import Gate
from qrealm.circuits.kernel_ops import MATRIX_QUBITS_MAX, OpCode
from qrealm.circuits.noise.channel import Channel
from qrealm.circuits.operations import State
from qrealm.circuits.pack import GateInstruction, PackedCircuit, pack
from qrealm.circuits.segments import preparation

SHRINK_MIN = 0.05
"""Least 1 - p of a uniform depolarisation that is carried out by one number, 1 / (1 - p)."""

SCALE_LOG_MAX = 20.0
"""Stored numbers may be too large by e^20 before they are brought back: single precision holds e^88."""

_FACTOR_TOLERANCE = 1e-12
_X, _H, _CX = GATES["x"], GATES["h"], GATES["cx"]
_S, _SDG, _CZ, _SWAP = GATES["s"], GATES["sdg"], GATES["cz"], GATES["swap"]
_Y, _ISWAP = GATES["y"], GATES["iswap"]


@dataclass(frozen=True, slots=True, eq=False)
class Superoperator:
    """A linear map on wires, unitary or not; in a gate's arguments it stands where a `Matrix` would.

    Attributes:
        array: complex128, C-contiguous, shape (2^w, 2^w).
        num_qubits: its w wires.
    """

    array: NDArray[np.complex128]
    num_qubits: int


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """How a channel is carried out.

    Attributes:
        shrink: for a uniform depolarisation the factor of every Pauli component but the identity's; else 0.
        parts: else (positions of its qubits, superoperator on the rows' wires and then the columns').
    """

    shrink: float
    parts: tuple[tuple[tuple[int, ...], Superoperator], ...]


RESET = Channel([[[1, 0], [0, 0]], [[0, 1], [0, 0]]], "reset")
FORGET = Channel([[[1, 0], [0, 0]], [[0, 0], [0, 1]]], "measured and forgotten")


class Doubler:
    """Collects gates and channels, and packs them for 2n wires.

    Args:
        num_qubits: n.
    """

    def __init__(self, num_qubits: int) -> None:
        self._n = num_qubits
        self._items: list[GateInstruction] = []
        self._log_scale = 0.0

    def __len__(self) -> int:
        return len(self._items)

    def gate(self, gate: Gate, qubits: tuple[int, ...], params: tuple[Any, ...]) -> None:
        """U ρ U†. The copy on the columns is conjugated when all is packed."""
        if not qubits:
            return  # a global phase
        wires = tuple(q + self._n for q in qubits)
        items = self._items
        items.append((gate, qubits, params))
        # Two whose conjugates are no kernel operations, by what they are made of.
        if gate is _Y and len(wires) == 1:
            items += [(_SDG, wires, ()), (_X, wires, ()), (_S, wires, ())]
        elif gate is _ISWAP and len(wires) == 2:
            items += [(_S, wires[:1], ()), (_S, wires[1:], ()), (_CZ, wires, ()), (_SWAP, wires, ())]
        else:
            items.append((gate, wires, params))

    def channel(self, channel: Channel, qubits: tuple[int, ...]) -> None:
        """The channel on these qubits."""
        recipe = recipe_of(channel)
        if recipe.shrink:
            self._depolarise(recipe.shrink, qubits)
        for places, superoperator in recipe.parts:
            self._superoperator(superoperator, tuple(qubits[place] for place in places))

    def prepare(self, state: State, qubits: tuple[int, ...], fresh: bool) -> None:
        """Qubits in a state of up to 6 qubits, or in any basis state; those that are not `fresh` are reset
        first."""
        if not fresh:
            for qubit in qubits:
                self.channel(RESET, (qubit,))
        if state.amplitudes is None:
            bits = reversed(state.bits or "")
            for qubit in (q for q, bit in zip(qubits, bits, strict=True) if bit == "1"):
                self.gate(_X, (qubit,), ())
        else:
            self.gate(UNITARY, qubits, (preparation(state.amplitudes),))

    def project(self, qubits: Sequence[int], outcome: int, probability: float) -> None:
        """What is left when the qubits are found in an outcome, the first one its low bit, divided by its
        probability."""
        for place, qubit in enumerate(qubits):
            array = np.zeros((4, 4), dtype=np.complex128)
            index = 3 * (outcome >> place & 1)
            array[index, index] = 1 / probability if place == 0 else 1
            self._superoperator(_as_argument(array), (qubit,))

    def rotate(self, x_mask: int, z_mask: int, back: bool = False) -> None:
        """Every qubit's axis turned to Z: H for X, S† then H for Y; or all of it undone."""
        for qubit in range(self._n):
            if x_mask >> qubit & 1:
                turned = z_mask >> qubit & 1
                if turned and not back:
                    self.gate(GATES["sdg"], (qubit,), ())
                self.gate(_H, (qubit,), ())
                if turned and back:
                    self.gate(GATES["s"], (qubit,), ())

    def packed(self) -> tuple[PackedCircuit, float]:
        """(all of it for 2n wires, log of the factor that the stored numbers lack); begins anew."""
        found = _conjugated(pack(2 * self._n, self._items), self._n)
        log_scale = self._log_scale
        self._items, self._log_scale = [], 0.0
        return found, log_scale

    def _superoperator(self, superoperator: Superoperator, qubits: tuple[int, ...]) -> None:
        if self._log_scale:
            scaled = superoperator.array * np.exp(self._log_scale)
            superoperator = Superoperator(scaled, superoperator.num_qubits)
            self._log_scale = 0.0
        wires = (*qubits, *(q + self._n for q in qubits))
        self._items.append((UNITARY, wires, (superoperator,)))

    def _depolarise(self, shrink: float, qubits: tuple[int, ...]) -> None:
        """Every Pauli component but the identity's times a number.

        CX and H turn the two wires of each qubit to the Bell basis, which is the Pauli basis; there the
        identity is 00. Multiplying it by 1 / shrink touches 1/4^k of the state, and the rest is a factor of
        the whole, which is left to be multiplied into what comes later.
        """
        items = self._items
        pairs = [(q, q + self._n) for q in qubits]
        wires = tuple(wire for pair in pairs for wire in pair)
        turn: list[GateInstruction] = [
            (gate, where, ()) for pair in pairs for gate, where in ((_CX, pair), (_H, pair[:1]))
        ]
        flips: list[GateInstruction] = [(_X, (wire,), ()) for wire in wires]
        items += turn + flips
        items.append((UNITARY, wires, (_as_argument(np.diag([1, 1 / shrink]).astype(np.complex128)),)))
        items += flips + turn[::-1]
        self._log_scale += float(np.log(shrink))
        if self._log_scale < -SCALE_LOG_MAX:
            self._superoperator(_as_argument(np.eye(4, dtype=np.complex128)), qubits[:1])


@lru_cache(maxsize=512)
def recipe_of(channel: Channel) -> Recipe:
    """The cheapest way to carry out a channel."""
    if channel.is_identity:
        return Recipe(0.0, ())
    count = channel.num_qubits
    if count == 1:
        return Recipe(0.0, (((0,), _as_argument(channel.superoperator())),))
    shrink = _uniform_shrink(channel)
    if shrink >= SHRINK_MIN:
        return Recipe(shrink, ())
    whole = channel.superoperator()
    if count == 2:
        parts = _factors(whole)
        if parts is not None:
            return Recipe(0.0, (((0,), _as_argument(parts[0])), ((1,), _as_argument(parts[1]))))
    return Recipe(0.0, ((tuple(range(count)), _as_argument(whole)),))


def _uniform_shrink(channel: Channel) -> float:
    """1 - p of a depolarising channel on all its qubits; 0 for any other."""
    paulis = channel.paulis
    size = 4**channel.num_qubits
    if paulis is None or len(paulis) != size:
        return 0.0
    others = [value for label, value in paulis.items() if label.strip("I")]
    if max(others) - min(others) > _FACTOR_TOLERANCE:
        return 0.0
    return float(1.0 - size * sum(others) / len(others))


def _factors(
    whole: NDArray[np.complex128],
) -> tuple[NDArray[np.complex128], NDArray[np.complex128]] | None:
    """A superoperator on two qubits as a product of one on each, when it is one."""
    # Axes of a row or column index, highest bit first: column of b, column of a, row of b, row of a.
    tensor = whole.reshape((2,) * 8).transpose(1, 3, 5, 7, 0, 2, 4, 6).reshape(16, 16)
    left, weights, right = np.linalg.svd(tensor)
    if weights[1] > _FACTOR_TOLERANCE * weights[0]:
        return None
    first, second = left[:, 0].reshape(4, 4) * weights[0], right[0].reshape(4, 4)
    # Both keep the trace, which the decomposition knows only of their product.
    trace = first[0, 0] + first[3, 0]
    return np.ascontiguousarray(first / trace), np.ascontiguousarray(second * trace)


def _as_argument(array: NDArray[np.complex128]) -> Superoperator:
    return Superoperator(np.ascontiguousarray(array), len(array).bit_length() - 1)


# ---- conjugates -----------------------------------------------------------------------------------

_CONJUGATE = np.arange(len(OpCode), dtype=np.uint8)
for _a, _b in ((OpCode.S, OpCode.SDG), (OpCode.T, OpCode.TDG), (OpCode.SX, OpCode.SXDG)):
    _CONJUGATE[_a], _CONJUGATE[_b] = _b, _a

_NEGATED = np.zeros((len(OpCode), 3), dtype=bool)
for _code in ("GPHASE", "RX", "RZ", "P", "RXX", "RYY", "RZZ", "RZX"):
    _NEGATED[OpCode[_code], 0] = True
_NEGATED[OpCode.U, 1:] = True

_IMAGINARY_PAULI = np.array([[0, 1j], [-1j, 0]])
_ISWAP_CONJUGATE = np.eye(4, dtype=np.complex128)[[0, 2, 1, 3]] * np.array([1, -1j, -1j, 1])


def _conjugated(packed: PackedCircuit, num_qubits: int) -> PackedCircuit:
    """The operations whose first wire belongs to a column become their complex conjugates; uncontrolled
    phases, which cancel, are nought."""
    codes, offsets, params = packed.codes.copy(), packed.qubit_offsets, packed.params.copy()
    starts, empty = packed.param_offsets[:-1], np.diff(offsets) == 0
    first = np.zeros(len(codes), dtype=np.int32)
    first[~empty] = packed.qubits[offsets[:-1][~empty]]
    bra = (first >= num_qubits) & ~empty
    for place in range(_NEGATED.shape[1]):
        turned = starts[bra & _NEGATED[codes, place]] + place
        params[turned] = -params[turned]
    params[starts[empty]] = 0.0
    matrices = list(packed.matrices)
    for index in params[starts[bra & (codes == OpCode.MATRIX)]].astype(np.int64).tolist():
        matrices[index] = matrices[index].conj()
    codes[bra] = _CONJUGATE[codes[bra]]
    found = replace(packed, codes=codes, params=params, matrices=tuple(matrices))
    return _without_odd_ones(found, bra)


def _without_odd_ones(packed: PackedCircuit, bra: NDArray[np.bool_]) -> PackedCircuit:
    """Y and iSWAP on columns, whose conjugates are no kernel operations, as matrices."""
    odd = np.flatnonzero(bra & ((packed.codes == OpCode.Y) | (packed.codes == OpCode.ISWAP)))
    if not len(odd):
        return packed
    codes, matrices = packed.codes.copy(), list(packed.matrices)
    added = []
    for place in odd:
        added.append(float(len(matrices)))
        matrices.append(_IMAGINARY_PAULI if codes[place] == OpCode.Y else _ISWAP_CONJUGATE)
        codes[place] = OpCode.MATRIX
    lengths = np.diff(packed.param_offsets)
    params = np.insert(packed.params, packed.param_offsets[odd], added)
    lengths[odd] = 1
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return replace(packed, codes=codes, params=params, param_offsets=offsets, matrices=tuple(matrices))


def packable(state: State) -> bool:
    """Whether `Doubler.prepare` takes a state."""
    return state.amplitudes is None or state.num_qubits <= MATRIX_QUBITS_MAX


__all__ = ["FORGET", "RESET", "Doubler", "packable", "recipe_of"]
