"""The state as a chain of tensors, one for each qubit, and what gates and measurements do to it.

Tensor i has shape (left bond, 2, right bond). One site is the centre: all tensors left of it have orthonormal
columns, all right of it orthonormal rows, so the weight that a split at the centre drops is the weight that
the whole state loses (U. Schollwöck, Annals of Physics 326 (2011) 96, arXiv:1008.3477, section 4). Qubits
may stand at any site: where two far ones meet, they stay.

Tensors are never written to, only replaced, so a copy of a chain shares them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from qrealm.base.errors import TooLargeError
from qrealm.simulate.backends.mps.linalg import (
    Limits,
    Tally,
    Tensor,
    left_orthogonal,
    right_orthogonal,
    split,
)
from qrealm.simulate.backends.mps.program import ChainProgram, Matrix, turned
from qrealm.simulate.backends.mps.schedule import carry_out
from qrealm.simulate.backends.mps.train import Train
from qrealm.simulate.plan.types import Precision

_SWAP = np.eye(4, dtype=np.complex128)[[0, 2, 1, 3]]


class Chain:
    """|0...0> on `num_qubits` qubits at first, qubit q at site q.

    Args:
        num_qubits: at least 1.
        precision: of the tensors.
        limits: what splits keep.
        bytes_max: what the tensors may take.
        check: called between steps; raises to stop.

    Attributes:
        tensors: one for each site; replace entries, never write to them.
        place: site of each qubit.
        wire: qubit at each site.
        centre: site of the centre.
        tally: what truncation dropped.
        phase: factor of the whole state.
    """

    def __init__(
        self,
        num_qubits: int,
        precision: Precision,
        limits: Limits,
        bytes_max: int,
        check: Callable[[], None],
    ) -> None:
        self.dtype = np.dtype(np.complex64 if precision is Precision.SINGLE else np.complex128)
        zero = np.array([1, 0], dtype=self.dtype).reshape(1, 2, 1)
        self.tensors: list[Tensor] = [zero] * num_qubits
        self.place = list(range(num_qubits))
        self.wire = list(range(num_qubits))
        self.centre = 0
        self.tally = Tally()
        self.phase = 1 + 0j
        self._limits = limits
        self._bytes = num_qubits * zero.nbytes
        self._bytes_max = bytes_max
        self._check = check

    def __len__(self) -> int:
        return len(self.tensors)

    @property
    def size_bytes(self) -> int:
        """Memory of the tensors."""
        return self._bytes

    @property
    def bonds(self) -> list[int]:
        """Bond between each two neighbouring sites."""
        return [tensor.shape[2] for tensor in self.tensors[:-1]]

    def copy(self) -> Chain:
        """An independent copy that shares the tensors."""
        twin = object.__new__(Chain)
        twin.__dict__.update(self.__dict__)
        twin.tensors, twin.place, twin.wire = list(self.tensors), list(self.place), list(self.wire)
        twin.tally = self.tally.copy()
        return twin

    # ---- the centre ------------------------------------------------------------------------------

    def move_to(self, site: int) -> None:
        """Put the centre there."""
        while self.centre < site:
            here, after = self.tensors[self.centre], self.tensors[self.centre + 1]
            left, _, right = here.shape
            q, r = left_orthogonal(here.reshape(2 * left, right))
            self._put(self.centre, q.reshape(left, 2, -1))
            self._put(self.centre + 1, (r @ after.reshape(right, -1)).reshape(-1, *after.shape[1:]))
            self.centre += 1
        while self.centre > site:
            here, before = self.tensors[self.centre], self.tensors[self.centre - 1]
            left, _, right = here.shape
            rest, q = right_orthogonal(here.reshape(left, 2 * right))
            self._put(self.centre, q.reshape(-1, 2, right))
            self._put(self.centre - 1, (before.reshape(-1, left) @ rest).reshape(*before.shape[:2], -1))
            self.centre -= 1

    # ---- gates -----------------------------------------------------------------------------------

    def apply(self, program: ChainProgram) -> None:
        """All gates of a program."""
        carry_out(self, program)
        self.phase *= program.phase

    def apply_one(self, qubit: int, matrix: Matrix) -> None:
        """A matrix (2, 2) on one qubit; unitary, or the centre must be there."""
        site = self.place[qubit]
        self._put(site, np.matmul(matrix.astype(self.dtype), self.tensors[site]))

    def apply_two(self, qubits: tuple[int, ...], matrix: Matrix, centre_right: bool) -> None:
        """A unitary (4, 4) on two qubits at neighbouring sites, the first one the low bit.

        Args:
            centre_right: whether the centre shall be at the right one afterwards, else at the left one.
        """
        left, right = sorted(self.place[q] for q in qubits)
        # Along the chain the left site is the high bit.
        self._two_sites(left, turned(matrix, self.place[qubits[1]] == right), centre_right)

    def swap_sites(self, left: int, centre_right: bool) -> None:
        """Exchange the qubits at this site and the next."""
        self._two_sites(left, _SWAP, centre_right)
        wire = self.wire
        wire[left], wire[left + 1] = wire[left + 1], wire[left]
        self.place[wire[left]], self.place[wire[left + 1]] = left, left + 1

    def rename(self, carrier: Sequence[int]) -> None:
        """What was qubit ``carrier[q]`` is now qubit q."""
        self.place = [self.place[each] for each in carrier]
        for qubit, site in enumerate(self.place):
            self.wire[site] = qubit

    def apply_train(self, train: Train) -> None:
        """An operator that keeps the state's norm, on any sites."""
        first, last = train.sites[0], train.sites[-1]
        self.move_to(min(max(self.centre, first), last))
        cores = dict(zip(train.sites, train.cores, strict=True))
        bond = 1
        for site in range(first, last + 1):
            core = cores.get(site)
            if core is None:
                core = np.einsum("ab,oi->aoib", np.eye(bond), np.eye(2))
            bond = core.shape[3]
            self._put(site, _grown(core.astype(self.dtype), self.tensors[site]))
        self.centre = first
        self.move_to(last)
        self._sweep_left(first)

    def collapse(self, qubit: int, outcome: int) -> float:
        """Project a qubit on an outcome; returns the outcome's probability before."""
        site = self.place[qubit]
        self.move_to(site)
        here = np.zeros_like(self.tensors[site])
        here[:, outcome] = self.tensors[site][:, outcome]
        probability = float(np.vdot(here, here).real)
        self._put(site, here * here.dtype.type(probability**-0.5))
        self._compress_around(site)
        return probability

    # ---- inside ----------------------------------------------------------------------------------

    def _two_sites(self, site: int, matrix: Matrix, centre_right: bool) -> None:
        """A matrix on this site, the high bit, and the next."""
        self._check()
        if self.centre not in (site, site + 1):
            self.move_to(site if self.centre < site else site + 1)
        one, two = self.tensors[site], self.tensors[site + 1]
        left, _, bond = one.shape
        right = two.shape[2]
        both = (one.reshape(2 * left, bond) @ two.reshape(bond, 2 * right)).reshape(left, 4, right)
        both = np.matmul(matrix.astype(self.dtype), both).reshape(2 * left, 2 * right)
        u, s, vh = split(both, self._limits, self.tally)
        if centre_right:
            vh = s[:, None] * vh
        else:
            u = u * s
        self._put(site, np.ascontiguousarray(u).reshape(left, 2, -1))
        self._put(site + 1, np.ascontiguousarray(vh).reshape(-1, 2, right))
        self.centre = site + int(centre_right)

    def _sweep_left(self, site: int) -> None:
        """Move the centre left to a site, truncating every bond on the way."""
        while self.centre > site:
            self._check()
            self._truncate_left()

    def _truncate_left(self) -> None:
        here, before = self.tensors[self.centre], self.tensors[self.centre - 1]
        left, _, right = here.shape
        u, s, vh = split(here.reshape(left, 2 * right), self._limits, self.tally)
        self._put(self.centre, np.ascontiguousarray(vh).reshape(-1, 2, right))
        self._put(self.centre - 1, (before.reshape(-1, left) @ (u * s)).reshape(*before.shape[:2], -1))
        self.centre -= 1

    def _truncate_right(self) -> None:
        here, after = self.tensors[self.centre], self.tensors[self.centre + 1]
        left, _, right = here.shape
        u, s, vh = split(here.reshape(2 * left, right), self._limits, self.tally)
        self._put(self.centre, np.ascontiguousarray(u).reshape(left, 2, -1))
        rest = (s[:, None] * vh) @ after.reshape(right, -1)
        self._put(self.centre + 1, rest.reshape(-1, *after.shape[1:]))
        self.centre += 1

    def _compress_around(self, site: int) -> None:
        """Shrink the bonds that a collapse made too large, both ways until one is as large as it must be."""
        while self.centre + 1 < len(self.tensors):
            before = self.tensors[self.centre].shape[2]
            self._truncate_right()
            if self.tensors[self.centre].shape[0] == before:
                break
        self.move_to(site)
        while self.centre > 0:
            before = self.tensors[self.centre].shape[0]
            self._truncate_left()
            if self.tensors[self.centre].shape[2] == before:
                break

    def _put(self, site: int, tensor: Tensor) -> None:
        self._bytes += tensor.nbytes - self.tensors[site].nbytes
        self.tensors[site] = tensor
        if self._bytes > self._bytes_max:
            bond = max(self.bonds, default=1)
            raise TooLargeError(
                f"a matrix product state of {len(self)} qubits whose bonds have grown to {bond}",
                needed_bytes=self._bytes,
                available_bytes=self._bytes_max,
                hint="limit the bonds: options=MPSOptions(bond_max=...); the result tells what was dropped",
            )


def _grown(core: Matrix, tensor: Tensor) -> Tensor:
    """A tensor with an operator's core (bond, out, in, bond) applied; its bonds multiply."""
    product = np.tensordot(core, tensor, axes=(2, 1)).transpose(0, 3, 1, 2, 4)
    rows, left, _, columns, right = product.shape
    return np.ascontiguousarray(product).reshape(rows * left, 2, columns * right)
