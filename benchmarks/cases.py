"""The circuits: six families that stress different things, each a plain list of gates with fixed seeds.

Seeds and the order of random draws are part of the definition: figures can be compared only when every
simulator and every reader of the results runs the same gates. A test holds a digest of each family.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate: a lower-case name of `GATE_NAMES`, its qubits (controls first), its angles in radians."""

    name: str
    qubits: tuple[int, ...]
    params: tuple[float, ...] = ()


GATE_NAMES = ("h", "x", "t", "rx", "ry", "rz", "u3", "cx", "cz", "cp", "swap", "rzz")


@dataclass(frozen=True)
class Case:
    """A family at a size, with its gates."""

    family: str
    num_qubits: int
    gates: tuple[Gate, ...]

    @classmethod
    def build(cls, family: str, num_qubits: int) -> Case:
        """The case of that family; a family is a key of `FAMILIES`."""
        return cls(family, num_qubits, tuple(FAMILIES[family](num_qubits)))


def quantum_fourier_transform(num_qubits: int) -> Iterator[Gate]:
    """QFT of a product state with no zero amplitude; n²/2 controlled phases, so diagonals and swaps
    dominate."""
    for q in range(num_qubits):
        yield Gate("ry", (q,), (0.1 + 0.37 * q,))
    for high in reversed(range(num_qubits)):
        yield Gate("h", (high,))
        for low in reversed(range(high)):
            yield Gate("cp", (low, high), (math.pi / 2 ** (high - low),))
    for q in range(num_qubits // 2):
        yield Gate("swap", (q, num_qubits - 1 - q))


def quantum_volume(num_qubits: int, depth: int = 10, seed: int = 1) -> Iterator[Gate]:
    """Layers of random two-qubit blocks on a random pairing, each three CX between random U3: bound by
    arithmetic."""
    draw = random.Random(seed)

    def random_u3(qubit: int) -> Gate:
        return Gate("u3", (qubit,), tuple(draw.uniform(0, 2 * math.pi) for _ in range(3)))

    for _ in range(depth):
        order = list(range(num_qubits))
        draw.shuffle(order)
        for first, second in zip(order[::2], order[1::2], strict=False):
            for _ in range(3):
                yield random_u3(first)
                yield random_u3(second)
                yield Gate("cx", (first, second))
            yield random_u3(first)
            yield random_u3(second)


def random_grid(num_qubits: int, depth: int = 14, seed: int = 2, columns: int = 5) -> Iterator[Gate]:
    """Random √X-like gates and CZ along the edges of a grid, a quarter of the edges in each layer."""
    draw = random.Random(seed)
    layers: tuple[list[Gate], ...] = ([], [], [], [])
    for q in range(num_qubits):
        row, column = divmod(q, columns)
        if column + 1 < columns and q + 1 < num_qubits:
            layers[column % 2].append(Gate("cz", (q, q + 1)))
        if q + columns < num_qubits:
            layers[2 + row % 2].append(Gate("cz", (q, q + columns)))
    yield from (Gate("h", (q,)) for q in range(num_qubits))
    for layer in range(depth):
        for q in range(num_qubits):
            name = draw.choice(("rx", "ry", "t"))
            yield Gate(name, (q,), () if name == "t" else (math.pi / 2,))
        yield from layers[layer % 4]


def max_cut_qaoa(num_qubits: int, rounds: int = 4, seed: int = 3) -> Iterator[Gate]:
    """QAOA for MaxCut on a random graph of mean degree 3: long diagonal stretches between layers of RX."""
    draw = random.Random(seed)
    edges: set[tuple[int, int]] = set()
    while len(edges) < 3 * num_qubits // 2:
        one, other = draw.sample(range(num_qubits), 2)
        edges.add((min(one, other), max(one, other)))
    yield from (Gate("h", (q,)) for q in range(num_qubits))
    for _ in range(rounds):
        gamma, beta = draw.uniform(0, 2), draw.uniform(0, 2)
        yield from (Gate("rzz", edge, (gamma,)) for edge in sorted(edges))
        yield from (Gate("rx", (q,), (beta,)) for q in range(num_qubits))


def hardware_efficient_ansatz(num_qubits: int, layers: int = 6, seed: int = 4) -> Iterator[Gate]:
    """Layers of RY and RZ on every qubit and a ladder of CX: the work horse of variational programs."""
    draw = random.Random(seed)
    for _ in range(layers):
        for q in range(num_qubits):
            yield Gate("ry", (q,), (draw.uniform(0, 6),))
            yield Gate("rz", (q,), (draw.uniform(0, 6),))
        yield from (Gate("cx", pair) for pair in pairwise(range(num_qubits)))


def ghz_state(num_qubits: int) -> Iterator[Gate]:
    """One H and a ladder of CX: almost all of the state stays zero, and sampling is most of the work."""
    yield Gate("h", (0,))
    yield from (Gate("cx", pair) for pair in pairwise(range(num_qubits)))


FAMILIES: dict[str, Callable[[int], Iterator[Gate]]] = {
    "qft": quantum_fourier_transform,
    "qv": quantum_volume,
    "rqc": random_grid,
    "qaoa": max_cut_qaoa,
    "hea": hardware_efficient_ansatz,
    "ghz": ghz_state,
}
