"""A chain without numbers: how far bonds could grow, whatever the angles of the gates are.

It takes the same steps as a real chain, because their order depends on where qubits stand and not on what the
tensors hold.
"""

from __future__ import annotations

from collections.abc import Sequence

from qrealm.simulate.backends.mps.program import Matrix, operator_rank
from qrealm.simulate.backends.mps.train import Train


class Outline:
    """log2 of the largest bond that there can be at each cut; |0...0> at first.

    Args:
        num_qubits: at least 1.
        bond_max: as in `MPSOptions`.

    Attributes:
        place, wire, centre: as in `Chain`.
        largest: largest bond that each cut had so far.
        growth: largest factor by which a train makes a tensor larger for a while.
    """

    def __init__(self, num_qubits: int, bond_max: int | None) -> None:
        self.place = list(range(num_qubits))
        self.wire = list(range(num_qubits))
        self.centre = 0
        self.growth = 1
        self.largest = [1] * (num_qubits - 1)
        self._bond_max = bond_max if bond_max is not None else 1 << 64
        self._bonds = [1] * (num_qubits + 1)  # the chain's ends are bonds of 1

    def __len__(self) -> int:
        return len(self.place)

    def apply_one(self, qubit: int, matrix: Matrix) -> None:
        """Changes no bond."""

    def apply_two(self, qubits: tuple[int, ...], matrix: Matrix, centre_right: bool) -> None:
        """The bond between grows by the operator's rank."""
        self._grow(min(self.place[q] for q in qubits), operator_rank(matrix))
        self.centre = min(self.place[q] for q in qubits) + int(centre_right)

    def swap_sites(self, left: int, centre_right: bool) -> None:
        """As `Chain.swap_sites`."""
        self._grow(left, 4)
        wire = self.wire
        wire[left], wire[left + 1] = wire[left + 1], wire[left]
        self.place[wire[left]], self.place[wire[left + 1]] = left, left + 1
        self.centre = left + int(centre_right)

    def apply_train(self, train: Train) -> None:
        """Every bond that it spans grows by the train's."""
        bonds = {site: core.shape[3] for site, core in zip(train.sites, train.cores, strict=True)}
        bond, most = 1, 1
        for site in range(train.sites[0], train.sites[-1]):
            bond = bonds.get(site, bond)
            most = max(most, bond)
            self._bonds[site + 1] *= bond
        for site in range(train.sites[0], train.sites[-1]):
            self._grow(site, 1)
        for site in reversed(range(train.sites[0], train.sites[-1])):
            self._grow(site, 1)
        self.growth = max(self.growth, most * most)
        self.centre = train.sites[0]

    def rename(self, carrier: Sequence[int]) -> None:
        """As `Chain.rename`."""
        self.place = [self.place[each] for each in carrier]
        for qubit, site in enumerate(self.place):
            self.wire[site] = qubit

    def _grow(self, site: int, factor: int) -> None:
        """The bond right of a site, after an operator of this rank: no larger than its neighbours allow."""
        left, here, right = self._bonds[site : site + 3]
        bond = min(here * factor, 2 * left, 2 * right, self._bond_max)
        self._bonds[site + 1] = bond
        self.largest[site] = max(self.largest[site], bond)
