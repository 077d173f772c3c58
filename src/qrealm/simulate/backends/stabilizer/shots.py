"""Shots of stabilizer circuits: all at once by Pauli frames, or one after the other where conditions demand
it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrealm.base import cancel
from qrealm.circuits.types import Misread
from qrealm.simulate.backends.stabilizer.card import CHUNK_BYTES
from qrealm.simulate.backends.stabilizer.translate import Fork, Look, Piece, Program, Step
from qrealm.simulate.bits import Outcomes, merge

_WORD_BITS = 64
_NO_OUTCOMES = np.zeros(0, dtype=np.uint64)

Bits = NDArray[np.bool_]


def sampled_bits(lines: Sequence[str], width: int, shots: int, seed: int) -> Iterator[Bits]:
    """Measurement results of all shots, shape (some shots, width), in chunks whose sizes depend on the width
    alone."""
    import stim

    sampler = stim.Circuit("\n".join(lines)).compile_sampler(seed=seed)
    most = max(1, CHUNK_BYTES // max(1, width))
    for start in range(0, shots, most):
        cancel.check()
        yield sampler.sample(min(most, shots - start))


class Tally:
    """Counts rows of bits; bit i of an outcome is column i.

    Args:
        width: bits of an outcome.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._parts: list[tuple[Outcomes, NDArray[np.int64]]] = []

    def add(self, rows: Bits) -> None:
        """Count these too."""
        self._parts.append(count_rows(rows))

    def found(self) -> tuple[Outcomes, NDArray[np.int64]]:
        """Distinct outcomes, ascending, and how often each came: an array of words up to 64 bits, else a list
        of integers."""
        if len(self._parts) == 1:
            return self._parts[0]
        keys = [int(key) for outcomes, _ in self._parts for key in outcomes]
        outcomes, draws = merge(keys, [int(count) for _, counts in self._parts for count in counts])
        if self._width <= _WORD_BITS:
            return np.array(outcomes, dtype=np.uint64), draws
        return outcomes, draws


def count_rows(rows: Bits) -> tuple[Outcomes, NDArray[np.int64]]:
    """Distinct rows as integers, ascending, column i as bit i, and how often each occurs."""
    shots, width = rows.shape
    if not width:
        return np.zeros(1, dtype=np.uint64), np.array([shots], dtype=np.int64)
    size = -(-width // 8)
    packed = np.packbits(rows, axis=1, bitorder="little")
    if width <= _WORD_BITS:
        words = np.zeros((shots, 8), dtype=np.uint8)
        words[:, :size] = packed
        distinct, counts = np.unique(words.view("<u8").reshape(-1), return_counts=True)
        return distinct.astype(np.uint64), counts.astype(np.int64)
    # The highest byte first, so that rows compare as the numbers do.
    turned = np.ascontiguousarray(packed[:, ::-1])
    distinct, counts = np.unique(turned.view(np.dtype((np.void, size))).reshape(-1), return_counts=True)
    return [int.from_bytes(row.tobytes(), "big") for row in distinct], counts.astype(np.int64)


def columns_of(program: Program, width: int) -> NDArray[np.int64]:
    """Which measurement is in each classical bit at the end; -1 for none."""
    columns = np.full(width, -1, dtype=np.int64)
    for bit, record in program.last.items():
        columns[bit] = record
    return columns


def count_program(program: Program, width: int, shots: int, seed: int) -> tuple[Outcomes, NDArray[np.int64]]:
    """Counts of a circuit that all shots go through at once."""
    columns = columns_of(program, width)
    written = columns >= 0
    tally = Tally(width)
    for bits in sampled_bits(program.lines, len(program.records), shots, seed):
        rows = bits
        if not np.array_equal(columns, np.arange(bits.shape[1])):
            rows = np.zeros((len(bits), width), dtype=bool)
            rows[:, written] = bits[:, columns[written]]
        tally.add(rows)
    return tally.found() if shots else (_NO_OUTCOMES, np.zeros(0, dtype=np.int64))


class Walker:
    """Takes shots through steps one after the other. Shot s depends on the seed and s alone.

    Args:
        num_qubits: of the circuit.
        steps: of the circuit.
        seed: of the run.
    """

    def __init__(self, num_qubits: int, steps: Sequence[Step], seed: int) -> None:
        self._num_qubits = num_qubits
        self._steps = tuple(steps)
        self._seed = seed
        self._compiled: dict[int, Any] = {}

    def walk(self, shots: int, visit: Callable[[Any, int], None]) -> None:
        """Call `visit` with stim's simulator and the classical bits at the end of every shot."""
        import stim

        for shot in range(shots):
            cancel.check()
            words = np.random.SeedSequence([self._seed, shot]).generate_state(2, np.uint64).tolist()
            simulator = stim.TableauSimulator(seed=words[0])
            simulator.set_num_qubits(self._num_qubits)
            visit(simulator, self._take(simulator, self._steps, 0, np.random.default_rng(words[1])))

    def _take(
        self, simulator: Any, steps: Sequence[Step], clbits: int, generator: np.random.Generator
    ) -> int:
        for step in steps:
            if isinstance(step, Piece):
                simulator.do_circuit(self._circuit(step))
            elif isinstance(step, Look):
                for bit, found in zip(step.clbits, simulator.measure_many(*step.qubits), strict=True):
                    clbits = clbits | 1 << bit if found else clbits & ~(1 << bit)
            elif isinstance(step, Fork):
                branch = step.steps if _value(clbits, step.clbits) == step.value else step.otherwise
                clbits = self._take(simulator, branch, clbits, generator)
            else:
                clbits = _misread(clbits, step, generator)
        return clbits

    def _circuit(self, piece: Piece) -> Any:
        import stim

        found = self._compiled.get(id(piece))
        if found is None:
            found = self._compiled[id(piece)] = stim.Circuit(piece.text)
        return found


def _value(clbits: int, places: Sequence[int]) -> int:
    return sum((clbits >> bit & 1) << index for index, bit in enumerate(places))


def _misread(clbits: int, error: Misread, generator: np.random.Generator) -> int:
    shares = error.error.assignment[:, _value(clbits, error.clbits)]
    read = int(np.searchsorted(np.cumsum(shares), generator.random() * shares.sum(), side="right"))
    for place, bit in enumerate(error.clbits):
        clbits = clbits | 1 << bit if read >> place & 1 else clbits & ~(1 << bit)
    return clbits
