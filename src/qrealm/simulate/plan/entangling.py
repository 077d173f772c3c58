"""How far a circuit entangles what lies left and right of a cut: an estimate, made without a state. Pure.

Qubits that are still by themselves are followed exactly, so a gate whose control is certain adds nothing. A
gate of operator Schmidt rank 2 looks at one observable of each qubit (M. A. Nielsen et al., Phys. Rev. A 67
(2003) 052301: every such gate is a controlled one up to gates on one qubit). While the gates on a qubit look
at the same observable, all of them across a cut together choose between two branches: a fan of CX from one
control is one bit across every cut, as a stabilizer tableau's rank would say, and so is one row of a Fourier
transform. Each bit has a weight, and what a chain keeps are the products of weights above its truncation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrealm.circuits.gate_rows import UNITARY
from qrealm.circuits.gates import Gate

Array = NDArray[np.complex128]

CUTS_MAX = 24
"""Cuts that are looked at; the others are taken to be like them."""

DROPPED_BITS = 20
"""Products of weights below 2^-20 are left out. A chain that truncates at 1e-12 drops them from 2^-40 on, but
bits are not independent, and of the small products most merge: measured with Fourier transforms, Trotter
steps of Ising chains and weak brickwork of 20 to 60 qubits."""

ZERO_TOLERANCE = 1e-12
"""Weights below this are rounding."""

SAME_AXIS = 1e-9
"""Two axes whose scalar product is this close to 1 are one."""

DISTURBED_MAX = 0.25
"""An observable that has been turned away by more than this share is another one."""

EVEN_BELOW = 0.05
"""A reduced state this close to the even one is taken for it."""

AXES_MAX = 3
"""Observables of one qubit that are remembered."""

_Key = tuple[int, int]
"""A qubit and the number of an era."""

_ZERO = np.array([1, 0], dtype=np.complex128)
_EVEN = np.eye(2, dtype=np.complex128) / 2
_PAULIS = {
    "X": np.array([[0, 1], [1, 0]], dtype=np.complex128),
    "Y": np.array([[0, -1j], [1j, 0]], dtype=np.complex128),
    "Z": np.array([[1, 0], [0, -1]], dtype=np.complex128),
}


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """What a gate on two qubits does, by its operator Schmidt decomposition.

    Attributes:
        weights: shares of the operator Schmidt values, descending, those above rounding.
        seen, left: for a gate of rank 2, for each of the two qubits the axis that it looks at before the
            gate, and the same axis behind it; traceless Hermitian (2, 2) with trace of the square 2.
    """

    weights: tuple[float, ...]
    seen: tuple[Array, Array] | None
    left: tuple[Array, Array] | None


@dataclass(slots=True)
class _Era:
    """A time in which gates look at one observable of a qubit.

    Attributes:
        number: of all eras of the qubit.
        axis: the observable, as it is now.
        disturbed: share of it that gates in between, which looked at others, have turned away.
    """

    number: int
    axis: Array
    disturbed: float = 0.0


@dataclass(slots=True)
class _Cut:
    """The gates across a cut.

    Attributes:
        sides: left and right of it, era -> weight of the smaller branch.
        dense: weights of gates that look at no observable, or at several.
    """

    sides: tuple[dict[_Key, float], dict[_Key, float]] = field(default_factory=lambda: ({}, {}))
    dense: list[tuple[float, ...]] = field(default_factory=list)

    def add(self, left: tuple[_Key, float, _Key], right: tuple[_Key, float, _Key], weight: float) -> None:
        """A gate's weight, to its eras on both sides."""
        for side, (key, apart, fresh) in zip(self.sides, (left, right), strict=True):
            side[key] = side.get(key, 0.0) + weight
            if apart * weight > ZERO_TOLERANCE:
                side[fresh] = side.get(fresh, 0.0) + apart * weight


class Entangling:
    """Walks a circuit's operations in order.

    Args:
        num_qubits: at least 1.

    """

    def __init__(self, num_qubits: int) -> None:
        self._n = num_qubits
        self._states: list[Array | None] = [_ZERO] * num_qubits  # of qubits by themselves
        self._mixed: list[Array | None] = [None] * num_qubits  # of the others, as far as they are not even
        self._eras: list[list[_Era]] = [[] for _ in range(num_qubits)]
        self._numbers = 0
        self._site = list(range(num_qubits))  # of each qubit, after swaps that only rename
        last = num_qubits - 1
        step = max(1, -(-last // CUTS_MAX))
        self._cuts = {cut: _Cut() for cut in sorted({*range(0, last, step), last // 2}) if cut < last}
        self._joined: set[int] = set()  # sites of qubits that were entangled at some time

    # ---- what happens ----------------------------------------------------------------------------

    def gate(self, gate: Gate, qubits: tuple[int, ...], params: tuple[Any, ...]) -> None:
        """A gate, its controls first."""
        count = len(qubits)
        if not count:
            return
        if count == 1:
            self._one(qubits[0], _matrix(gate, params, 1))
        elif count == 2 and gate.name == "swap":
            a, b = qubits
            moved: tuple[list[Any], ...] = (self._site, self._states, self._mixed, self._eras)
            for each in moved:
                each[a], each[b] = each[b], each[a]
        elif count == 2:
            self._two(qubits, gate, params)
        else:
            self._many(gate, qubits, params)

    def measure(self, qubit: int) -> bool:
        """A measurement or reset. Returns whether its outcome is open: both may come."""
        state = self._states[qubit]
        self._states[qubit], self._mixed[qubit] = _ZERO, None
        self._eras[qubit].clear()
        return state is None or ZERO_TOLERANCE < abs(state[0]) ** 2 < 1 - ZERO_TOLERANCE

    def prepare(self, qubits: tuple[int, ...], amplitudes: Any) -> None:
        """A state; None for one of basis states."""
        for qubit in qubits:
            self._eras[qubit].clear()
            self._states[qubit], self._mixed[qubit] = _ZERO if amplitudes is None else None, None
        if amplitudes is not None:
            self._dense(qubits, 1)

    # ---- what comes of it ------------------------------------------------------------------------

    def bond_log2(self) -> float:
        """log2 of the largest bond, as estimated."""
        return max((self._log2_at(cut) for cut in self._cuts), default=0.0)

    def _log2_at(self, cut: int) -> float:
        left = sum(site <= cut for site in self._joined)
        most = float(min(left, len(self._joined) - left))
        found = self._cuts[cut]
        if most <= 0:
            return 0.0
        # Whichever side is chosen to name the branches, naming them all is enough.
        return min(most, *(_kept_log2([*_bits(side.values()), *found.dense]) for side in found.sides))

    # ---- one, two, many --------------------------------------------------------------------------

    def _one(self, qubit: int, matrix: Array) -> None:
        state = self._states[qubit]
        if state is not None:
            self._states[qubit] = matrix @ state
        mixed = self._mixed[qubit]
        if mixed is not None:
            self._mixed[qubit] = matrix @ mixed @ matrix.conj().T
        for era in self._eras[qubit]:
            era.axis = matrix @ era.axis @ matrix.conj().T

    def _two(
        self, qubits: tuple[int, ...], gate: Gate, params: tuple[Any, ...], controls: int | None = None
    ) -> None:
        pair = _pair(gate, params, controls)
        if len(pair.weights) == 1:
            if not gate.diagonal or gate is UNITARY:
                self._product(qubits, gate, params, controls)
            return
        alone = any(self._states[qubit] is not None for qubit in qubits)
        if alone and self._stays_apart(qubits, _matrix(gate, params, 2, controls)):
            return
        if pair.seen is None or pair.left is None:
            # A qubit by itself has no more than two dimensions to be entangled in.
            weights = pair.weights[:2] if alone else pair.weights
            for qubit in qubits:
                self._eras[qubit].clear()
            self._mix(qubits, gate, params, controls)
            self._cross(qubits, None, weights)
            return
        smaller = self._smaller(qubits, pair.seen, pair.weights[1])
        if smaller < ZERO_TOLERANCE:
            return
        looks = [
            self._look(qubit, smaller, seen, left)
            for qubit, seen, left in zip(qubits, pair.seen, pair.left, strict=True)
        ]
        self._mix(qubits, gate, params, controls)
        self._cross(qubits, looks, (1.0 - smaller, smaller))

    def _mix(
        self, qubits: tuple[int, ...], gate: Gate, params: tuple[Any, ...], controls: int | None
    ) -> None:
        """The reduced states of two qubits after a gate, as if nothing had joined them before."""
        first, second = (self._reduced(qubit) for qubit in qubits)
        if first is not None or second is not None:
            matrix = _matrix(gate, params, 2, controls)
            one, two = _EVEN if first is None else first, _EVEN if second is None else second
            joint = np.multiply.outer(two, one).transpose(0, 2, 1, 3).reshape(4, 4)
            both = (matrix @ joint @ matrix.conj().T).reshape(2, 2, 2, 2)
            first, second = both[0, :, 0] + both[1, :, 1], both[:, 0, :, 0] + both[:, 1, :, 1]
        for qubit, mixed in zip(qubits, (first, second), strict=True):
            self._states[qubit] = None
            even = mixed is None or np.linalg.norm(mixed - _EVEN) < EVEN_BELOW
            self._mixed[qubit] = None if even else mixed

    def _reduced(self, qubit: int) -> Array | None:
        state = self._states[qubit]
        return self._mixed[qubit] if state is None else np.outer(state, state.conj())

    def _product(
        self, qubits: tuple[int, ...], gate: Gate, params: tuple[Any, ...], controls: int | None
    ) -> None:
        """A gate that is one matrix on each qubit."""
        parts = _matrix(gate, params, 2, controls).reshape(2, 2, 2, 2).transpose(1, 3, 0, 2).reshape(4, 4)
        u, s, vh = np.linalg.svd(parts)
        first, second = u[:, 0].reshape(2, 2) * math.sqrt(2), vh[0].reshape(2, 2) * (s[0] / math.sqrt(2))
        self._one(qubits[0], first.astype(np.complex128))
        self._one(qubits[1], second.astype(np.complex128))

    def _many(self, gate: Gate, qubits: tuple[int, ...], params: tuple[Any, ...]) -> None:
        """A gate on more than two qubits: controls that are certain are left out."""
        targets = params[0].num_qubits if gate is UNITARY else gate.targets
        controls, acted = qubits[: len(qubits) - targets], qubits[len(qubits) - targets :]
        open_controls = []
        for qubit in controls:
            state = self._states[qubit]
            one = 0.5 if state is None else abs(state[1]) ** 2
            if one < ZERO_TOLERANCE:
                return
            if one < 1 - ZERO_TOLERANCE:
                open_controls.append(qubit)
        left = (*open_controls, *acted)
        if len(left) == 1:
            self._one(left[0], _matrix(gate, params, 1, 0))
        elif len(left) == 2:
            self._two(left, gate, params, len(open_controls))
        else:
            for qubit in left:
                self._eras[qubit].clear()
                self._states[qubit] = self._mixed[qubit] = None
            self._dense(left, 1 if targets == 1 else 2)

    def _stays_apart(self, qubits: tuple[int, ...], matrix: Array) -> bool:
        """Follow the gate exactly where it leaves a qubit by itself."""
        states = [self._states[qubit] for qubit in qubits]
        tensor = matrix.reshape(2, 2, 2, 2)  # (second out, first out, second in, first in)
        for place, state in enumerate(states):
            if state is None:
                continue
            # (own out, other out, other in): of rank 1 when the gate only turns the other one.
            given = np.tensordot(tensor, state, axes=(3 - place, 0))
            given = given.transpose(1, 0, 2) if place == 0 else given
            u, s, vh = np.linalg.svd(given.reshape(2, 4), full_matrices=False)
            if s[1] ** 2 > ZERO_TOLERANCE * s[0] ** 2:
                continue
            self._states[qubits[place]] = u[:, 0]
            self._one(qubits[1 - place], s[0] * vh[0].reshape(2, 2))
            return True
        if states[0] is None or states[1] is None:
            return False
        u, s, vh = np.linalg.svd((matrix @ np.kron(states[1], states[0])).reshape(2, 2))
        if s[1] ** 2 > ZERO_TOLERANCE:
            return False
        self._states[qubits[1]], self._states[qubits[0]] = u[:, 0], vh[0]
        return True

    def _smaller(self, qubits: tuple[int, ...], seen: tuple[Array, Array], smaller: float) -> float:
        """Weight of the smaller branch, by what is known of the qubits."""
        for axis, qubit in zip(seen, qubits, strict=True):
            mixed = self._reduced(qubit)
            if mixed is not None:
                # A certain observable makes no branches, an even one as much as can be.
                mean = float(np.sum(mixed.T * axis).real)
                smaller *= max(0.0, 1.0 - mean * mean)
        return smaller

    # ---- inside ----------------------------------------------------------------------------------

    def _look(self, qubit: int, weight: float, seen: Array, left: Array) -> tuple[_Key, float, _Key]:
        """(era that the gate belongs to, share of its weight that does not, a new era for that share)."""
        eras = self._eras[qubit]
        overlaps = [float(abs(np.vdot(era.axis, seen))) / 2 for era in eras]
        place = max(range(len(eras)), key=overlaps.__getitem__, default=-1)
        for other, era in enumerate(eras):
            if other != place:
                era.disturbed += weight * max(0.0, 1.0 - overlaps[other] ** 2)
        kept = [era for other, era in enumerate(eras) if other == place or era.disturbed < DISTURBED_MAX]
        best = eras[place] if eras else None
        apart = 1.0 if best is None else max(0.0, 1.0 - overlaps[place] ** 2) + best.disturbed
        self._numbers += 1
        fresh = (qubit, self._numbers)
        if best is None or apart >= DISTURBED_MAX:
            if best is not None:
                best.disturbed += weight * max(0.0, 1.0 - overlaps[place] ** 2)
                kept = [era for era in kept if era.disturbed < DISTURBED_MAX]
            self._eras[qubit] = [*kept[-AXES_MAX + 1 :], _Era(self._numbers, left)]
            return fresh, 0.0, fresh
        self._eras[qubit] = kept
        if apart < SAME_AXIS:
            best.axis, apart = left, 0.0
        return (qubit, best.number), apart, fresh

    def _cross(
        self,
        qubits: tuple[int, ...],
        looks: list[tuple[_Key, float, _Key]] | None,
        weights: tuple[float, ...],
    ) -> None:
        sites = [self._site[qubit] for qubit in qubits]
        self._joined.update(sites)
        low, high = min(sites), max(sites)
        crossed = [found for cut, found in self._cuts.items() if low <= cut < high]
        if looks is None:
            for found in crossed:
                found.dense.append(weights)
            return
        left, right = looks if sites[0] < sites[1] else looks[::-1]
        for found in crossed:
            found.add(left, right, weights[1])

    def _dense(self, qubits: tuple[int, ...], bits: int) -> None:
        """A gate that looks at nothing in particular: so many bits for each qubit of the smaller side."""
        sites = [self._site[qubit] for qubit in qubits]
        self._joined.update(sites)
        for cut, found in self._cuts.items():
            left = sum(site <= cut for site in sites)
            across = min(left, len(sites) - left)
            found.dense += [(0.5, 0.5)] * (bits * across)


def _matrix(gate: Gate, params: tuple[Any, ...], count: int, controls: int | None = None) -> Array:
    """On controls, the low bits, and targets."""
    if gate is UNITARY:
        matrix: Array = params[0].array
        held = count - params[0].num_qubits if controls is None else controls
        return matrix if not held else UNITARY.full_matrix(params, held)
    if controls is None:
        controls = count - gate.targets
    return _named_matrix(gate, params, controls)


@lru_cache(maxsize=4096)
def _named_matrix(gate: Gate, params: tuple[float, ...], controls: int) -> Array:
    return np.asarray(gate.full_matrix(params, controls), dtype=np.complex128)


def _pair(gate: Gate, params: tuple[Any, ...], controls: int | None = None) -> _Pair:
    if len(gate.rotations) == 1 and controls is None and gate.targets == 2:
        (rotation,) = gate.rotations
        if rotation.parameter is not None and "I" not in rotation.pauli:
            return _rotation(rotation.pauli, math.sin(rotation.coefficient * params[rotation.parameter]) ** 2)
    matrix = _matrix(gate, params, 2, controls)
    return _pair_of(np.ascontiguousarray(matrix, dtype=np.complex128).tobytes())


def _rotation(pauli: str, share: float) -> _Pair:
    """exp(-i angle P Q) = cos(angle) - i sin(angle) P Q."""
    axes = (_PAULIS[pauli[0]], _PAULIS[pauli[1]])
    smaller = min(share, 1.0 - share)
    return _Pair((1.0 - smaller, smaller) if smaller > ZERO_TOLERANCE else (1.0,), axes, axes)


@lru_cache(maxsize=4096)
def _pair_of(data: bytes) -> _Pair:
    matrix = np.frombuffer(data, dtype=np.complex128).reshape(4, 4)
    # (second out, first out, second in, first in) -> (first, second)
    parts = matrix.reshape(2, 2, 2, 2).transpose(1, 3, 0, 2).reshape(4, 4)
    u, s, vh = np.linalg.svd(parts)
    shares = s**2 / np.sum(s**2)
    weights = tuple(float(each) for each in shares if each > ZERO_TOLERANCE)
    if len(weights) != 2:
        return _Pair(weights, None, None)
    seen, left = [], []
    for one, two in ((u[:, 0], u[:, 1]), (vh[0], vh[1])):
        # Mixed, because two projectors, whose product is 0, would hide the axis.
        first, second = (one + 0.6 * two).reshape(2, 2), (one - 0.8 * two).reshape(2, 2)
        before, behind = _axis(first.conj().T @ second), _axis(second @ first.conj().T)
        if before is None or behind is None:
            return _Pair(weights, None, None)
        seen.append(before)
        left.append(behind)
    return _Pair(weights, (seen[0], seen[1]), (left[0], left[1]))


def _axis(operator: Array) -> Array | None:
    """The traceless part, up to a factor, as an observable; None when it is none."""
    part = operator - np.trace(operator) / 2 * np.eye(2)
    size = np.linalg.norm(part)
    if size < SAME_AXIS:
        return None
    part = part * (math.sqrt(2) / size)
    square = np.trace(part @ part) / 2
    if abs(abs(square) - 1) > SAME_AXIS:
        return None
    found: Array = part / np.sqrt(square)
    return found


def _bits(weights: Iterable[float]) -> list[tuple[float, ...]]:
    """Each bit's two branches: no branch weighs more than half."""
    return [(1.0 - smaller, smaller) for smaller in (min(0.5, each) for each in weights)]


def _kept_log2(spectra: Sequence[tuple[float, ...]]) -> float:
    """log2 of how many products of one weight of each spectrum are not dropped."""
    # counts[k]: products between 2^-k and 2^-(k+1) of the largest, roughly.
    counts = np.zeros(DROPPED_BITS + 1)
    counts[0] = 1.0
    for spectrum in spectra:
        total = np.zeros_like(counts)
        for weight in spectrum:
            if weight <= 0.0:
                continue
            shift = round(math.log2(spectrum[0] / weight))
            if shift <= DROPPED_BITS:
                total[shift:] += counts[: len(counts) - shift]
        counts = np.minimum(total, 2.0**900)
    return math.log2(float(np.sum(counts)))
