"""Which of a device's qubits carry a circuit's, and the swaps that bring them together."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice

from qrealm.base.errors import ChannelError
from qrealm.circuits.gate_rows import UNITARY
from qrealm.circuits.gates import Gate, Matrix
from qrealm.circuits.matrices import swap
from qrealm.circuits.operations import IF, Instruction, qubits_of

Pair = tuple[int, int]

AHEAD = 20
"""Gates on two qubits that a swap looks ahead at."""

_FADES = 0.8
_ROUNDS = 2
_SWAP = Matrix(swap())


class Coupling:
    """Distances between a device's qubits.

    Args:
        num_qubits: of the device.
        pairs: that have gates.
    """

    def __init__(self, num_qubits: int, pairs: Iterable[Pair]) -> None:
        self.neighbours: list[set[int]] = [set() for _ in range(num_qubits)]
        for a, b in pairs:
            self.neighbours[a].add(b)
            self.neighbours[b].add(a)
        self._from: dict[int, list[float]] = {}

    def distance(self, a: int, b: int) -> float:
        """Edges between two qubits; infinite where there is no way."""
        if a not in self._from:
            found = [float("inf")] * len(self.neighbours)
            found[a] = 0.0
            line = deque([a])
            while line:
                here = line.popleft()
                for there in self.neighbours[here]:
                    if found[there] == float("inf"):
                        found[there] = found[here] + 1
                        line.append(there)
            self._from[a] = found
        return self._from[a][b]


class _Router:
    """Where each of the circuit's qubits is, as gates go by."""

    def __init__(self, coupling: Coupling, layout: Sequence[int], pairs: Sequence[Pair]) -> None:
        self.coupling = coupling
        self.place = list(layout)
        self.pairs = pairs
        self.done = 0  # of `pairs`

    def together(self) -> list[Pair]:
        """Swaps that bring the next pair together; each is one of the device's pairs.

        Each brings it one step closer; of those, the one that is best for the gates that follow.
        """
        a, b = self.pairs[self.done]
        if self.coupling.distance(self.place[a], self.place[b]) == float("inf"):
            raise ChannelError(f"no couplings lead from qubit {self.place[a]} to qubit {self.place[b]}")
        swaps: list[Pair] = []
        while (far := self.coupling.distance(self.place[a], self.place[b])) > 1:
            best: tuple[float, Pair] | None = None
            for one, other in ((a, b), (b, a)):
                here, there = self.place[one], self.place[other]
                for near in sorted(self.coupling.neighbours[here]):
                    if self.coupling.distance(near, there) < far:
                        cost = self._cost((here, near))
                        if best is None or cost < best[0] - 1e-12:
                            best = cost, (here, near)
            assert best is not None
            self.swap(best[1])
            swaps.append(best[1])
        self.done += 1
        return swaps

    def swap(self, pair: Pair) -> None:
        """Two of the device's qubits change what they carry."""
        moved = {pair[0]: pair[1], pair[1]: pair[0]}
        self.place = [moved.get(place, place) for place in self.place]

    def _cost(self, swapped: Pair) -> float:
        moved = {swapped[0]: swapped[1], swapped[1]: swapped[0]}
        cost, weight = 0.0, 1.0
        for a, b in islice(self.pairs, self.done, self.done + AHEAD):
            first, second = self.place[a], self.place[b]
            cost += weight * self.coupling.distance(moved.get(first, first), moved.get(second, second))
            weight *= _FADES
        return cost


def best_layout(coupling: Coupling, num_qubits: int, pairs: Sequence[Pair]) -> list[int]:
    """The device's qubit for each of the circuit's: the first ones, or where walking through the circuit
    forwards and backwards ends, whatever needs fewer swaps (G. Li, Y. Ding and Y. Xie, arXiv:1809.02573)."""
    layout = list(range(num_qubits))
    best: tuple[int, list[int]] | None = None
    for _ in range(1 + _ROUNDS):
        swaps, last = _walked(coupling, layout, pairs)
        if best is None or swaps < best[0]:
            best = swaps, layout
        layout = _walked(coupling, last, pairs[::-1])[1]
    assert best is not None
    return best[1]


def _walked(coupling: Coupling, layout: Sequence[int], pairs: Sequence[Pair]) -> tuple[int, list[int]]:
    router = _Router(coupling, layout, pairs)
    swaps = sum(len(router.together()) for _ in pairs)
    return swaps, router.place


def routed(
    instructions: Sequence[Instruction], coupling: Coupling, num_qubits: int
) -> tuple[list[Instruction], list[int], list[int]]:
    """(the instructions on the device's qubits with swaps among them, the layout before, the layout after).

    Raises:
        ChannelError: no couplings lead from one qubit to another that it must meet.
    """
    pairs = list(_pairs(instructions))
    layout = best_layout(coupling, num_qubits, pairs)
    router = _Router(coupling, layout, pairs)
    return _written(instructions, router), layout, router.place


def _written(instructions: Iterable[Instruction], router: _Router) -> list[Instruction]:
    found: list[Instruction] = []
    for op, qubits, args in instructions:
        if op is IF:
            bodies = tuple(tuple(_branch(branch, router)) for branch in args[1:])
            found.append((op, qubits_of((*bodies[0], *bodies[1])), (args[0], *bodies)))
            continue
        if isinstance(op, Gate) and len(qubits) == 2:
            found += _swaps(router.together())
        found.append((op, tuple(router.place[qubit] for qubit in qubits), args))
    return found


def _branch(branch: Sequence[Instruction], router: _Router) -> list[Instruction]:
    """A condition's branch ends where it began: nobody knows which of them will be carried out."""
    before = list(router.place)
    found = _written(branch, router)
    swaps = [qubits for op, qubits, args in found if op is UNITARY and args[0] is _SWAP]
    router.place = before
    return found + _swaps([(a, b) for a, b in reversed(swaps)])


def _swaps(pairs: Iterable[Pair]) -> list[Instruction]:
    return [(UNITARY, pair, (_SWAP,)) for pair in pairs]


def _pairs(instructions: Iterable[Instruction]) -> Iterable[Pair]:
    for op, qubits, args in instructions:
        if op is IF:
            yield from _pairs(args[1])
            yield from _pairs(args[2])
        elif isinstance(op, Gate) and len(qubits) == 2:
            yield qubits[0], qubits[1]


__all__ = ["AHEAD", "Coupling", "best_layout", "routed"]
