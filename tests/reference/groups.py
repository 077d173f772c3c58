"""Groups of containers as whole density matrices: docs/registers.md written down, and nothing of the package.

The state of n containers is a tensor of 2n axes: axis i is the row index of container i, axis n + i its
column index. A container of k states has 2^⌈log₂ k⌉ of them. Meant for up to 8 qubits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.complex128]
Images = Sequence[int]
"""By the index of the one that leads the index of the one that follows."""


def gate_matrix(name: str, angle: float | None = None) -> Matrix:
    """Of one qubit, as textbooks have it: R(θ) = e^(-iθ/2 P)."""
    half = 0.0 if angle is None else angle / 2
    c, s, root = math.cos(half), math.sin(half), math.sqrt(0.5)
    rows = {
        "X": [[0, 1], [1, 0]],
        "Z": [[1, 0], [0, -1]],
        "H": [[root, root], [root, -root]],
        "RX": [[c, -1j * s], [-1j * s, c]],
        "RY": [[c, -s], [s, c]],
        "RZ": [[c - 1j * s, 0], [0, c + 1j * s]],
    }
    return np.array(rows[name], dtype=np.complex128)


@dataclass(frozen=True)
class Part:
    """A container: how many states, and the declared probability of the first."""

    name: str
    states: int
    chance: float

    @property
    def qubits(self) -> int:
        """Fewest that have so many basis states."""
        return math.ceil(math.log2(self.states))

    @property
    def size(self) -> int:
        """Basis states, those that stand for no state too."""
        return 2**self.qubits

    def declared(self) -> NDArray[np.float64]:
        """π of every basis state."""
        others = [(1 - self.chance) / (self.states - 1)] * (self.states - 1)
        return np.array([self.chance, *others, *[0.0] * (self.size - self.states)])

    def gate(self, matrix: Matrix, qubit: int) -> Matrix:
        """One qubit's gate as one of all qubits of the container, qubit 0 the lowest bit."""
        return np.kron(np.eye(2 ** (self.qubits - 1 - qubit)), np.kron(matrix, np.eye(2**qubit)))


@dataclass(frozen=True)
class Group:
    """Containers that share a state, as it was at some time."""

    parts: tuple[Part, ...]
    rho: Matrix
    time: float

    @classmethod
    def alone(cls, part: Part, index: int, time: float) -> Group:
        """One container in one basis state."""
        rho = np.zeros((part.size, part.size), dtype=np.complex128)
        rho[index, index] = 1
        return cls((part,), rho, time)

    @classmethod
    def prepared(cls, part: Part, time: float) -> Group:
        """One container in Σ √π_i |i⟩."""
        amplitudes = np.sqrt(part.declared())
        return cls((part,), np.outer(amplitudes, amplitudes).astype(np.complex128), time)

    @property
    def names(self) -> list[str]:
        """Of its containers."""
        return [part.name for part in self.parts]

    @property
    def qubits(self) -> int:
        """Of all containers."""
        return sum(part.qubits for part in self.parts)

    @cached_property
    def diagonal(self) -> NDArray[np.float64]:
        """Probability of every joint outcome, an axis for each container."""
        whole = math.prod(part.size for part in self.parts)
        shares: NDArray[np.float64] = np.diag(self.rho.reshape(whole, whole)).real
        return shares.reshape([part.size for part in self.parts])

    def odds(self, name: str) -> NDArray[np.float64]:
        """Probability of every basis state of one container."""
        place = self.names.index(name)
        return self.diagonal.sum(axis=tuple(axis for axis in range(len(self.parts)) if axis != place))

    def matrix(self, order: Sequence[str]) -> Matrix:
        """The whole matrix with the containers in this order, the first in the lowest bits."""
        places = [self.names.index(name) for name in reversed(order)]
        whole = math.prod(part.size for part in self.parts)
        return self.rho.transpose([*places, *(p + len(places) for p in places)]).reshape(whole, whole)

    def coherence(self) -> float:
        """Σ |ρ_ij|² over i ≠ j."""
        return max(0.0, self.purity() - float(np.sum(self.diagonal**2)))

    def purity(self) -> float:
        """tr ρ²."""
        return float(np.sum(np.abs(self.rho) ** 2))

    def decayed(self, time: float, t1_s: float, t2_s: float) -> Group:
        """Every container relaxed towards what it declares; nothing passes in a clock that was set back."""
        passed = max(0.0, time - self.time)
        kept = math.exp(-passed / t1_s)
        rho, count = self.rho, len(self.parts)
        for place, part in enumerate(self.parts):
            factors = np.full((part.size, part.size), math.exp(-passed / t2_s))
            np.fill_diagonal(factors, kept)
            ends = (place, count + place)
            fresh = np.multiply.outer(np.diag(part.declared()), np.trace(rho, axis1=ends[0], axis2=ends[1]))
            shape = [part.size if axis in ends else 1 for axis in range(2 * count)]
            rho = rho * factors.reshape(shape) + (1 - kept) * np.moveaxis(fresh, (0, 1), ends)
        return replace(self, rho=rho, time=time)

    def joined(self, other: Group) -> Group:
        """Two groups beside each other, at the same time."""
        here, there = len(self.parts), len(other.parts)
        rho = np.multiply.outer(self.rho, other.rho)
        axes = [*range(here), *range(2 * here, 2 * here + there)]
        rho = rho.transpose([*axes, *(axis for axis in range(2 * (here + there)) if axis not in axes)])
        return Group((*self.parts, *other.parts), rho, self.time)

    def without(self, names: Sequence[str]) -> Group | None:
        """What the others know of themselves; None when there are none."""
        left = self
        for name in names:
            place = left.names.index(name)
            rho = np.trace(left.rho, axis1=place, axis2=len(left.parts) + place)
            left = replace(left, parts=left.parts[:place] + left.parts[place + 1 :], rho=rho)
        return left if left.parts else None

    def turned(self, matrix: Matrix, names: Sequence[str]) -> Group:
        """U ρ U† with U on one container, or on two, of which the first has the higher bits of its index."""
        count = len(self.parts)
        places = [self.names.index(name) for name in names]
        shape = [self.parts[place].size for place in places]
        gate = matrix.reshape(shape * 2)
        inner = list(range(len(places), 2 * len(places)))
        rho = self.rho
        for axes, factor in ((places, gate), ([count + p for p in places], gate.conj())):
            rho = np.moveaxis(np.tensordot(factor, rho, (inner, axes)), range(len(places)), axes)
        return replace(self, rho=rho)

    def following(self, leader: str, followers: Mapping[Part, Images]) -> Group:
        """|x⟩ → |x⟩|f(x)⟩: what these containers were is forgotten, and each takes what the leader says."""
        names = [part.name for part in followers if part.name in self.names]
        group = self.without(names)
        assert group is not None
        for part, images in followers.items():
            count = len(group.parts)
            place = group.names.index(leader)
            shape = group.rho.shape
            rho = np.zeros((*shape[:count], part.size, *shape[count:], part.size), dtype=np.complex128)
            for row, its_row in enumerate(images):
                for column, its_column in enumerate(images):
                    inside: list[int | slice] = [slice(None)] * (2 * count)
                    inside[place], inside[count + place] = row, column
                    target = [*inside[:count], its_row, *inside[count:], its_column]
                    rho[tuple(target)] = group.rho[tuple(inside)]
            group = Group((*group.parts, part), rho, group.time)
        return group


def controlled(kind: str, one: Part, qubit: int, other: Part, target: int) -> Matrix:
    """CX or CZ of a qubit of one container on a qubit of another, for `Group.turned`."""
    gate = other.gate(gate_matrix(kind[1]), target)
    whole = np.zeros((one.size * other.size,) * 2, dtype=np.complex128)
    for index in range(one.size):
        here = slice(index * other.size, (index + 1) * other.size)
        whole[here, here] = gate if index >> qubit & 1 else np.eye(other.size)
    return whole
