"""The hydrogen molecule in the STO-3G basis on two qubits, from its integrals.

Both orbitals follow from symmetry, so nothing is iterated. Formulas and basis: A. Szabo and N. S. Ostlund,
Modern Quantum Chemistry, appendix A and section 3.5.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qrealm.algorithms.options import check_share
from qrealm.circuits import Circuit, Parameter, PauliSum

BOHR_ANGSTROM = 0.529177210903
"""CODATA 2018."""

_EXPONENTS = (3.425250914, 0.6239137298, 0.1688554040)  # STO-3G for hydrogen, scaled with zeta = 1.24
_WEIGHTS = (0.1543289673, 0.5353281423, 0.4446345422)


class _Pair(NamedTuple):
    """The product of two Gaussians: again a Gaussian, with this exponent, place and weight."""

    exponent: float
    reduced: float
    place: float
    distance_squared: float
    weight: float


def hydrogen_hamiltonian(bond_length_angstrom: float = 0.7414) -> PauliSum:
    """The energy of H2 in hartree, repulsion of the nuclei included, with one electron of either spin.

    Qubit 0 is the electron with spin up, qubit 1 the one with spin down; |0> is the bonding orbital, |1> the
    antibonding one. So |00> is the Hartree-Fock state. The lowest eigenvalue is the full configuration
    interaction energy: -1.1373 at 0.7414 angstrom.

    Raises:
        RequestError: the bond length is not between 0.1 and 100 angstrom.
    """
    length = check_share("bond_length_angstrom", bond_length_angstrom, 0.1, 100)
    distance = length / BOHR_ANGSTROM
    overlap, core, repulsion = _atomic_integrals((0.0, distance))
    both = math.sqrt(2 * (1 + overlap[0, 1]))
    apart = math.sqrt(2 * (1 - overlap[0, 1]))
    orbitals = np.array([[1 / both, 1 / apart], [1 / both, -1 / apart]])  # columns: bonding, antibonding
    energies = np.diag(orbitals.T @ core @ orbitals)
    pairs = np.einsum("pqrs,pi,qj,rk,sl->ijkl", repulsion, orbitals, orbitals, orbitals, orbitals)
    j_gg, j_uu, j_gu, k_gu = pairs[0, 0, 0, 0], pairs[1, 1, 1, 1], pairs[0, 0, 1, 1], pairs[0, 1, 0, 1]
    # With P = (1 + Z)/2 for the bonding orbital: one-electron energies, repulsions, and the exchange that
    # turns both electrons over.
    constant = 1 / distance + energies.sum() + (j_gg + j_uu + 2 * j_gu) / 4
    single = (energies[0] - energies[1]) / 2 + (j_gg - j_uu) / 4
    double = (j_gg + j_uu - 2 * j_gu) / 4
    terms = [("I", constant), ("Z0", single), ("Z1", single), ("Z0 Z1", double), ("X0 X1", k_gu)]
    return PauliSum([(name, float(value)) for name, value in terms])


def hydrogen_ansatz() -> Circuit:
    """exp(-i theta X0 Y1)|00> = cos(theta)|00> + sin(theta)|11>: unitary coupled cluster for H2's singlet.

    For `hydrogen_hamiltonian`: the only excitation that symmetry allows takes both electrons at once.
    """
    return Circuit(2, name="UCC singlet").ry(2 * Parameter("theta"), 0).cx(0, 1)


def _atomic_integrals(
    places: tuple[float, float],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Overlap, kinetic energy plus attraction of both nuclei, and electron repulsion (pq|rs) of two atoms."""
    overlap, core = np.zeros((2, 2)), np.zeros((2, 2))
    products: dict[tuple[int, int], list[_Pair]] = {}
    for p, q in itertools.product(range(2), repeat=2):
        products[p, q] = _products(places[p], places[q])
        for pair in products[p, q]:
            share = pair.weight * (math.pi / pair.exponent) ** 1.5
            overlap[p, q] += share
            core[p, q] += share * pair.reduced * (3 - 2 * pair.reduced * pair.distance_squared)
            core[p, q] -= sum(
                pair.weight * 2 * math.pi / pair.exponent * _boys(pair.exponent * (pair.place - nucleus) ** 2)
                for nucleus in places
            )
    repulsion = np.zeros((2, 2, 2, 2))
    for p, q, r, s in itertools.product(range(2), repeat=4):
        repulsion[p, q, r, s] = sum(
            _repulsion(left, right) for left in products[p, q] for right in products[r, s]
        )
    return overlap, core, repulsion


def _products(first: float, second: float) -> list[_Pair]:
    """All products of the primitives of two contracted s functions on a line."""
    found = []
    for (a, wa), (b, wb) in itertools.product(zip(_EXPONENTS, _WEIGHTS, strict=True), repeat=2):
        total, reduced, squared = a + b, a * b / (a + b), (first - second) ** 2
        norm = (2 * a / math.pi) ** 0.75 * (2 * b / math.pi) ** 0.75
        weight = wa * wb * norm * math.exp(-reduced * squared)
        found.append(_Pair(total, reduced, (a * first + b * second) / total, squared, weight))
    return found


def _repulsion(left: _Pair, right: _Pair) -> float:
    p, q = left.exponent, right.exponent
    factor = 2 * math.pi**2.5 / (p * q * math.sqrt(p + q))
    return float(
        left.weight * right.weight * factor * _boys(p * q / (p + q) * (left.place - right.place) ** 2)
    )


def _boys(t: float) -> float:
    """F0(t) = sqrt(pi/t)/2 erf(sqrt t); its series where the quotient would lose digits."""
    if t < 1e-8:
        return 1 - t / 3
    return 0.5 * math.sqrt(math.pi / t) * math.erf(math.sqrt(t))
