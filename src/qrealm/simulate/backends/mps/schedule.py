"""In which order gates are applied, and where qubits that are far apart meet.

The centre goes through the chain like a lift: it takes every gate that is ready on its way, then turns. Two
far qubits are swapped towards each other and stay where they met, unless the gates to come say that going
back would cost more than applying the gate across the sites between, as a train.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from typing import Protocol

from qrealm.simulate.backends.mps.program import (
    ChainProgram,
    LocalOp,
    Matrix,
    Op,
    TrainOp,
    operator_rank,
)
from qrealm.simulate.backends.mps.train import Train, gate_train

LOOK_AHEAD = 4
"""Gates to come that a meeting place takes into account, each half as much as the one before."""

TRAIN_COST = {2: 3.0, 3: 8.0, 4: 16.0}
"""Time of one site of a train of this bond, in swaps. Measured with bonds of 32 and 64: a train is split at
every site with its bond on both sides."""


class Steps(Protocol):
    """What takes the steps: a `Chain`, or the `Outline` of one."""

    place: list[int]
    centre: int

    def __len__(self) -> int: ...
    def apply_one(self, qubit: int, matrix: Matrix) -> None: ...
    def apply_two(self, qubits: tuple[int, ...], matrix: Matrix, centre_right: bool) -> None: ...
    def swap_sites(self, left: int, centre_right: bool) -> None: ...
    def apply_train(self, train: Train) -> None: ...
    def rename(self, carrier: Sequence[int]) -> None: ...


def carry_out(chain: Steps, program: ChainProgram) -> None:
    """Apply a program, but for its phase."""
    _Lift(chain, program.ops).run()
    chain.rename(program.carrier)


class _Lift:
    """Applies operations, each after those before it on its qubits."""

    def __init__(self, chain: Steps, ops: Sequence[Op]) -> None:
        self._chain = chain
        self._ops = ops
        self._of_qubit: list[list[int]] = [[] for _ in range(len(chain))]
        self._blocked = [0] * len(ops)
        for index, op in enumerate(ops):
            for qubit in op.qubits:
                self._of_qubit[qubit].append(index)
        self._done = [0] * len(chain)  # how many of each qubit's operations
        for each in self._of_qubit:
            for index in each[1:]:
                self._blocked[index] += 1
        self._ready: list[tuple[int, int]] = []  # (leftmost site, operation), ascending
        for index in range(len(ops)):
            if not self._blocked[index]:
                insort(self._ready, self._entry(index))

    def run(self) -> None:
        chain, rightwards = self._chain, True
        while self._ready:
            if rightwards:
                place = bisect_left(self._ready, (chain.centre - 1, -1))
                rightwards = place < len(self._ready)
                place = place if rightwards else len(self._ready) - 1
            else:
                place = bisect_right(self._ready, (chain.centre, len(self._ops))) - 1
                rightwards = place < 0
                place = max(place, 0)
            _, index = self._ready.pop(place)
            self._apply(index, rightwards)
            self._finish(index)

    def _apply(self, index: int, rightwards: bool) -> None:
        op, chain = self._ops[index], self._chain
        if isinstance(op, TrainOp):
            chain.apply_train(gate_train(op, chain.place))
        elif len(op.qubits) == 1:
            chain.apply_one(op.qubits[0], op.matrix)
        elif self._bring_together(op):
            chain.apply_two(op.qubits, op.matrix, rightwards)

    def _finish(self, index: int) -> None:
        for qubit in self._ops[index].qubits:
            self._done[qubit] += 1
            rest = self._of_qubit[qubit]
            if self._done[qubit] < len(rest):
                after = rest[self._done[qubit]]
                self._blocked[after] -= 1
                if not self._blocked[after]:
                    insort(self._ready, self._entry(after))

    def _entry(self, index: int) -> tuple[int, int]:
        return min(self._chain.place[q] for q in self._ops[index].qubits), index

    # ---- far apart -------------------------------------------------------------------------------

    def _bring_together(self, op: LocalOp) -> bool:
        """Make two qubits neighbours; False when the gate was applied across the sites between."""
        chain = self._chain
        left, right = sorted(op.qubits, key=lambda q: chain.place[q])
        begin, end = chain.place[left], chain.place[right]
        if end - begin == 1:
            return True
        ahead = self._partners(left), self._partners(right)
        meeting = min(
            sorted({begin, (begin + end - 1) // 2, end - 1, *self._wishes(ahead, begin, end)}),
            key=lambda site: self._regret(ahead, site, site + 1),
        )
        swapping = end - begin - 1 + self._regret(ahead, meeting, meeting + 1)
        staying = TRAIN_COST[2] * (end - begin + 1) + self._regret(ahead, begin, end)
        if staying < swapping:
            rank = operator_rank(op.matrix)
            if rank == 1 or TRAIN_COST[rank] * (end - begin + 1) + self._regret(ahead, begin, end) < swapping:
                chain.apply_train(gate_train(TrainOp((), op.qubits, op.matrix), chain.place))
                return False
        self._walk(begin, end, meeting)
        return True

    def _walk(self, begin: int, end: int, meeting: int) -> None:
        """Swap the qubit at `begin` to `meeting`, the one at `end` to the site after it."""
        chain = self._chain
        for site in range(begin, meeting):
            chain.swap_sites(site, True)
        for site in range(end - 1, meeting, -1):
            chain.swap_sites(site, False)
        self._ready = sorted(self._entry(index) for _, index in self._ready)

    def _partners(self, qubit: int) -> list[int]:
        """Other qubits of the gates to come on a qubit, the next one first."""
        rest = self._of_qubit[qubit][self._done[qubit] + 1 :][:LOOK_AHEAD]
        return [
            next(q for q in self._ops[i].qubits if q != qubit) for i in rest if len(self._ops[i].qubits) > 1
        ]

    def _wishes(self, ahead: tuple[list[int], list[int]], begin: int, end: int) -> list[int]:
        """Meeting places beside the next partners."""
        sites = (self._chain.place[each] for partners in ahead for each in partners)
        return [min(max(site, begin), end - 1) for site in sites]

    def _regret(self, ahead: tuple[list[int], list[int]], left: int, right: int) -> float:
        """Swaps that the gates to come will need when the two qubits stand at these sites."""
        total = 0.0
        for partners, site in zip(ahead, (left, right), strict=True):
            for step, partner in enumerate(partners):
                total += 0.5**step * max(0, abs(self._chain.place[partner] - site) - 1)
        return total


__all__ = ["LOOK_AHEAD", "TRAIN_COST", "Steps", "carry_out"]
