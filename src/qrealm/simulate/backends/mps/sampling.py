"""Samples of a chain, drawn directly: site by site, each shot's qubit from its probability given the qubits
before it. Shots with the same bits so far share one row of numbers, and all rows are multiplied by a site's
tensor at once, so a thousand shots of a GHZ state cost two rows.

After A. J. Ferris and G. Vidal, Physical Review B 85 (2012) 165146, arXiv:1201.3974.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qrealm.simulate import bits
from qrealm.simulate.backends.mps.chain import Chain
from qrealm.simulate.backends.mps.linalg import Tensor
from qrealm.simulate.bits import Outcomes

ROWS_BYTES_MAX = 8 * 2**20
"""Rows are walked in groups of about this size: what the caches of one core hold."""

_WORD_BITS = 64


@dataclass(frozen=True, slots=True)
class Drawn:
    """Samples: `bits` uint8, shape (rows, qubits read); `shots` int64, how many shots each row has. Rows may
    be equal."""

    bits: NDArray[np.uint8]
    shots: NDArray[np.int64]


def draw(
    chain: Chain, qubits: Sequence[int], shots: int, seed: int, threads: int, check: Callable[[], None]
) -> Drawn:
    """Measure some qubits `shots` times; column i of the bits belongs to ``qubits[i]``. Moves the centre.

    The same seed gives the same rows whatever the number of threads.
    """
    if not qubits or not shots:
        return Drawn(np.zeros((min(shots, 1), len(qubits)), np.uint8), np.array([shots] * min(shots, 1)))
    sites = sorted(chain.place[q] for q in qubits)
    first, last = sites[0], sites[-1]
    chain.move_to(first)
    read = set(sites)
    walk = _Walk(chain.tensors[first : last + 1], [site in read for site in range(first, last + 1)])
    source = np.random.SeedSequence(seed)
    generator = np.random.default_rng(source)
    # The qubits left of the first are not read: which of their states it is may be drawn beforehand.
    start = walk.tensors[0]
    weights = (np.abs(start.reshape(len(start), -1)) ** 2).sum(axis=1, dtype=np.float64)
    split = generator.multinomial(shots, weights / weights.sum())
    alive = np.flatnonzero(split)
    rows = np.zeros((len(alive), len(start)), dtype=start.dtype)
    rows[np.arange(len(alive)), alive] = 1
    begin = _Task(0, rows, split[alive].astype(np.int64), np.zeros((len(alive), 0), np.uint8), source)
    found = list(walk.run(begin, threads, check))
    column = {site: index for index, site in enumerate(sites)}
    order = [column[chain.place[q]] for q in qubits]
    return Drawn(
        np.concatenate([each.bits for each in found])[:, order],
        np.concatenate([each.shots for each in found]),
    )


def outcomes_of(drawn: Drawn, positions: Sequence[int], num_bits: int) -> tuple[Outcomes, NDArray[np.int64]]:
    """Distinct outcomes, ascending, and their counts; column i of the bits goes to bit ``positions[i]``."""
    if num_bits <= _WORD_BITS:
        values = np.zeros(len(drawn.shots), dtype=np.uint64)
        for column, position in enumerate(positions):
            values |= drawn.bits[:, column].astype(np.uint64) << np.uint64(position)
        return bits.merge_array(values, drawn.shots)
    wide = np.zeros((len(drawn.shots), num_bits), dtype=np.uint8)
    wide[:, list(positions)] = drawn.bits
    words = np.packbits(wide, axis=1, bitorder="little")
    return bits.merge((int.from_bytes(row.tobytes(), "little") for row in words), drawn.shots.tolist())


@dataclass(frozen=True, slots=True)
class _Task:
    """Rows that have come to a site.

    Attributes:
        site: the next one.
        rows: shape (R, bond), each of norm 1: the state that is left, given the bits so far.
        shots: of each row.
        bits: read so far, shape (R, qubits read).
        source: of the random numbers from here on.
    """

    site: int
    rows: Tensor
    shots: NDArray[np.int64]
    bits: NDArray[np.uint8]
    source: np.random.SeedSequence


class _Walk:
    """Walks rows to the last site.

    Args:
        tensors: with orthonormal rows, but for the first.
        read: whether a site's qubit is wanted.
    """

    def __init__(self, tensors: Sequence[Tensor], read: Sequence[bool]) -> None:
        self.tensors = tensors
        self._read = read
        widest = max(tensor.shape[2] for tensor in tensors)
        self._rows_max = max(64, ROWS_BYTES_MAX // (2 * widest * tensors[0].itemsize))

    def run(self, begin: _Task, threads: int, check: Callable[[], None]) -> list[Drawn]:
        """All samples of a task, in an order that does not depend on the threads."""
        done: list[Drawn] = []
        todo = [begin]
        with ThreadPoolExecutor(threads) as pool:
            while todo:
                check()
                batch, todo = todo[-threads:], todo[:-threads]
                steps = map(self._step, batch) if threads == 1 else pool.map(self._step, batch)
                for drawn, more in steps:
                    todo += more
                    if drawn is not None:
                        done.append(drawn)
        return done

    def _step(self, task: _Task) -> tuple[Drawn | None, list[_Task]]:
        """Walk to the end, or to where there are too many rows for one go."""
        generator = np.random.default_rng(task.source)
        rows, shots = task.rows, task.shots
        trace: list[tuple[NDArray[np.int64], NDArray[np.uint8] | None]] = []
        for site in range(task.site, len(self.tensors)):
            if len(rows) > self._rows_max:
                return None, self._cut(site, rows, shots, _traced(task.bits, trace), task.source)
            rows, shots, parents, bit = _measure(rows, shots, self.tensors[site], generator)
            trace.append((parents, bit if self._read[site] else None))
        return Drawn(_traced(task.bits, trace), shots), []

    def _cut(
        self,
        site: int,
        rows: Tensor,
        shots: NDArray[np.int64],
        known: NDArray[np.uint8],
        source: np.random.SeedSequence,
    ) -> list[_Task]:
        """A task's rows in groups, each with random numbers of its own."""
        size = self._rows_max // 2 + 1
        starts = range(0, len(rows), size)
        return [
            _Task(site, rows[i : i + size], shots[i : i + size], known[i : i + size], child)
            for i, child in zip(starts, source.spawn(len(starts)), strict=True)
        ]


def _measure(
    rows: Tensor, shots: NDArray[np.int64], tensor: Tensor, generator: np.random.Generator
) -> tuple[Tensor, NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
    """(rows, shots, which row each came from, bit) after one site."""
    left, _, right = tensor.shape
    both = rows @ tensor.reshape(left, 2 * right)
    parts = both.view(both.real.dtype).reshape(len(rows), 2, 2 * right)
    weights = np.einsum("rbi,rbi->rb", parts, parts)
    ones = weights[:, 1].astype(np.float64) / weights.sum(axis=1, dtype=np.float64)
    up = generator.binomial(shots, np.minimum(ones, 1.0))
    shares = np.stack([shots - up, up], axis=1)
    parents, bit = np.nonzero(shares)
    chosen = both.reshape(len(rows), 2, right)[parents, bit]
    chosen *= (weights[parents, bit] ** -0.5)[:, None]
    return chosen, shares[parents, bit], parents, bit.astype(np.uint8)


def _traced(
    known: NDArray[np.uint8], trace: Sequence[tuple[NDArray[np.int64], NDArray[np.uint8] | None]]
) -> NDArray[np.uint8]:
    """The bits of the rows at the end of a trace, followed back to its beginning."""
    if not trace:
        return known
    rows = np.arange(len(trace[-1][0]))
    columns: list[NDArray[np.uint8]] = []
    for parents, bit in reversed(trace):
        if bit is not None:
            columns.append(bit[rows])
        rows = parents[rows]
    return np.concatenate([known[rows], *(column[:, None] for column in reversed(columns))], axis=1)


__all__ = ["Drawn", "draw", "outcomes_of"]
