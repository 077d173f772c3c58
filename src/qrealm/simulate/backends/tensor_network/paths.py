"""Contraction paths: found by seeded random trials, improved, cut into slices that fit."""

from __future__ import annotations

from typing import Any

import numpy as np

from qrealm.base import cancel
from qrealm.base.errors import ResourceError
from qrealm.base.units import format_seconds
from qrealm.simulate.backends.tensor_network.card import FLOPS_PER_SECOND
from qrealm.simulate.backends.tensor_network.network import Array, Problem

TRIALS_AT_ONCE = 16
"""Trials between two looks at the clock's stand-in, and at whether the run was cancelled."""

TRIALS_MAX = 512

SEARCH_SHARE = 0.5
"""The search may take this share of the time that the best path so far would take."""

TRIAL_TENSOR_SECONDS = 4e-5
"""One trial, for each tensor, as measured. Counted and not clocked: the same seed finds the same path."""

LARGEST_MIN = 64
"""Numbers in a tensor below which slicing goes no further: the gates themselves are as large."""

CUTS_TRIED = 3
"""Labels that are tried for each cut."""

SECONDS_MAX = 30 * 86_400.0
"""A contraction that would take longer than a month is refused."""


class Path:
    """How to contract all networks with these labels.

    Args:
        problem: one of them.
        bytes_max: what the tensors of one slice may take.
        itemsize: bytes of a number.
        trials: how many paths are tried; None scales them with the work.
        seed: of the trials.

    Raises:
        ResourceError: the best path found would take longer than a month.
    """

    def __init__(
        self, problem: Problem, bytes_max: int, itemsize: int, trials: int | None, seed: int
    ) -> None:
        self._itemsize = itemsize
        self._tree: Any = None
        self.trials = 0
        if len(problem.inputs) > 1:
            self._search(problem, trials, seed)
            self._cut(bytes_max, seed)
            seconds = self.flops / FLOPS_PER_SECOND
            if seconds > SECONDS_MAX:
                raise ResourceError(
                    f"contracting the network of {len(problem.inputs)} tensors takes "
                    f"10^{np.log10(self.flops):.1f} operations on the best of {self.trials} paths, about "
                    f"{format_seconds(seconds)} here",
                    hint="take the mps backend with a bond_max, or allow more memory_bytes",
                )

    @property
    def flops(self) -> float:
        """Real floating-point operations of one contraction, all slices together."""
        return 8.0 * float(self._tree.total_flops()) if self._tree is not None else 0.0

    @property
    def slices(self) -> int:
        """Parts that are contracted one after the other and summed."""
        return int(self._tree.nslices) if self._tree is not None else 1

    @property
    def peak_bytes(self) -> int:
        """Memory of one contraction."""
        return int(self._tree.peak_size()) * self._itemsize if self._tree is not None else 0

    @property
    def width(self) -> float:
        """log2 of the numbers in the largest tensor."""
        return float(np.log2(max(1, int(self._tree.max_size())))) if self._tree is not None else 0.0

    def contract(self, problem: Problem, dtype: np.dtype[Any]) -> Array:
        """The network's value: an array with one axis for each open label."""
        if problem.factor == 0:
            return np.zeros([problem.sizes[label] for label in problem.output], dtype=dtype)
        arrays = [array.astype(dtype) for array in problem.arrays]
        if self._tree is None:
            return self._alone(problem, arrays, dtype)
        total: Array | None = None
        for part in range(self.slices):
            cancel.check()
            found = np.asarray(
                self._tree.contract(arrays) if self.slices == 1 else self._tree.contract_slice(arrays, part)
            )
            total = found if total is None else total + found
        assert total is not None  # there is at least one slice
        return np.asarray(total * dtype.type(problem.factor))

    def _alone(self, problem: Problem, arrays: list[Array], dtype: np.dtype[Any]) -> Array:
        """A network of one tensor or none."""
        if not arrays:
            return np.asarray(problem.factor, dtype=dtype)
        (labels,), (array,) = problem.inputs, arrays
        turned = array.transpose([labels.index(label) for label in problem.output])
        return np.asarray(turned * dtype.type(problem.factor))

    def _search(self, problem: Problem, trials: int | None, seed: int) -> None:
        from cotengra import RandomGreedyOptimizer, get_symbol

        size = len(problem.inputs)
        inputs = [[get_symbol(label) for label in labels] for labels in problem.inputs]
        output = [get_symbol(label) for label in problem.output]
        sizes = {get_symbol(label): length for label, length in problem.sizes.items()}
        seeds = np.random.SeedSequence(seed)
        best = float("inf")
        while True:
            cancel.check()
            number = int(seeds.spawn(1)[0].generate_state(1)[0])
            wanted = TRIALS_AT_ONCE if trials is None else min(TRIALS_AT_ONCE, trials - self.trials)
            finder = RandomGreedyOptimizer(max_repeats=wanted, seed=number, accel=False, parallel=False)
            tree = finder.search(inputs, output, sizes)
            tree.subtree_reconfigure_(seed=number)
            self.trials += wanted
            if tree.total_flops() < best:
                best, self._tree = float(tree.total_flops()), tree
            spent = self.trials * size * TRIAL_TENSOR_SECONDS
            enough = spent > SEARCH_SHARE * 8 * best / FLOPS_PER_SECOND or self.trials >= TRIALS_MAX
            if self.trials >= trials if trials is not None else enough:
                return

    def _cut(self, bytes_max: int, seed: int) -> None:
        """Slice until it fits. A label is cut at a time and the rest improved: cutting all at once can cost
        a million times more."""
        room = bytes_max // self._itemsize
        while self._tree.peak_size() > room and self._tree.max_size() > LARGEST_MIN:
            cancel.check()
            half = int(self._tree.max_size()) // 2
            tries = []
            for attempt in range(CUTS_TRIED):
                tree = self._tree.slice(target_size=half, allow_outer=False, seed=seed + attempt)
                tree.subtree_reconfigure_(seed=seed + attempt)
                tries.append(tree)
            best = min(tries, key=lambda tree: (tree.total_flops(), tree.nslices))
            if best.nslices == self._tree.nslices:
                return  # what is open cannot be cut
            self._tree = best


class Paths:
    """Paths by the shape of the networks that they are for, whatever their labels are called.

    Args:
        itemsize, trials, seed: as for `Path`.
    """

    def __init__(self, itemsize: int, trials: int | None, seed: int) -> None:
        self._options = (itemsize, trials, seed)
        self._found: dict[tuple[object, ...], Path] = {}

    def find(self, problem: Problem, bytes_max: int) -> Path:
        """The path of a network, looked for when its shape is new."""
        key = _shape(problem)
        path = self._found.get(key)
        if path is None:
            path = self._found[key] = Path(problem, bytes_max, *self._options)
        return path

    @property
    def all(self) -> list[Path]:
        """Those that were found."""
        return list(self._found.values())


def _shape(problem: Problem) -> tuple[object, ...]:
    """Labels by the order in which they appear, and the lengths of the axes."""
    names: dict[int, int] = {}
    inputs = tuple(
        tuple(names.setdefault(label, len(names)) for label in labels) for labels in problem.inputs
    )
    lengths = tuple(array.shape for array in problem.arrays)
    return inputs, tuple(names[label] for label in problem.output), lengths
