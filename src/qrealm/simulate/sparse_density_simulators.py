"""The simulators that may move a density matrix: ours, which keeps what is not zero, and two others.

Those hold the whole matrix. A register that is too large for one of them, made while another was chosen, is
moved by ours, so that it stays usable whatever is chosen later.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Protocol

from qrealm.base.errors import MissingExtraError, RegisterError
from qrealm.simulate.plan.types import BackendCard
from qrealm.simulate.sparse_density import QUBITS_MAX, SparseDensity, from_dense, to_dense
from qrealm.simulate.sparse_density_maps import changed
from qrealm.simulate.sparse_density_steps import Preparation, Relaxation, Step

DENSE_QUBITS_MAX = 10
"""Most qubits of a simulator that holds the whole matrix: 16 MiB, and a second or so for a step."""

KRAUS_QUBITS_MAX = 3
"""Most qubits of a relaxation or preparation for a simulator that goes through its Kraus operators: k states
have more than k² of them, 73 with eight states and a million with a thousand. Ours has a shorter way."""


class DensitySimulator(Protocol):
    """Carries out steps on a density matrix."""

    @property
    def name(self) -> str:
        """As `find_simulator` knows it."""
        ...

    @property
    def qubits_max(self) -> int:
        """Most qubits of a register that it takes itself."""
        ...

    def evolve(self, density: SparseDensity, steps: Sequence[Step]) -> SparseDensity:
        """The density matrix after these steps, in this order; one of more than `qubits_max` qubits is moved
        by `SparseSimulator`.

        Raises:
            TooLargeError: more entries than one matrix may have.
        """
        ...


class SparseSimulator:
    """qrealm's own: exact, and as large as the number of entries that are not zero."""

    name = "qrealm"
    qubits_max = QUBITS_MAX

    def evolve(self, density: SparseDensity, steps: Sequence[Step]) -> SparseDensity:
        """See `DensitySimulator`."""
        return changed(density, steps)


class DenseSimulator:
    """Another framework's simulator of density matrices, which holds the whole matrix.

    Args:
        name: what it is called.
        evolve_dense: from a matrix of shape (2^n, 2^n) and steps to the matrix after them.
    """

    qubits_max = DENSE_QUBITS_MAX

    def __init__(self, name: str, evolve_dense: Callable[..., object]) -> None:
        self.name = name
        self._evolve_dense = evolve_dense

    def evolve(self, density: SparseDensity, steps: Sequence[Step]) -> SparseDensity:
        """See `DensitySimulator`."""
        if density.num_qubits > self.qubits_max:
            return changed(density, steps)
        for ours, run in itertools.groupby(steps, _has_many_operators):
            some = list(run)
            if ours:
                density = changed(density, some)
            else:
                density = from_dense(self._evolve_dense(to_dense(density), some))  # type: ignore[arg-type]
        return density


def _has_many_operators(step: Step) -> bool:
    return isinstance(step, Relaxation | Preparation) and len(step.qubits) > KRAUS_QUBITS_MAX


def simulator_of(simulator: DensitySimulator, num_qubits: int) -> str:
    """Name of the simulator that moves registers of so many qubits where this one is chosen."""
    return simulator.name if num_qubits <= simulator.qubits_max else SparseSimulator.name


def _cirq() -> DensitySimulator:
    from qrealm.simulate.backends.cirq import card, density

    _check(card.CARD)
    return DenseSimulator("cirq", density.evolve_dense)


def _qiskit() -> DensitySimulator:
    from qrealm.simulate.backends.qiskit import card, density

    _check(card.CARD)
    return DenseSimulator("qiskit", density.evolve_dense)


def _check(card: BackendCard) -> None:
    from qrealm.simulate.backends import missing_package

    package = missing_package(card)
    if package:
        raise MissingExtraError(f"simulation backend {card.name!r}", package=package, extra=card.extra)


SIMULATORS: Mapping[str, Callable[[], DensitySimulator]] = MappingProxyType(
    {"qrealm": SparseSimulator, "cirq": _cirq, "qiskit": _qiskit}
)
"""Name to what loads it."""


@cache
def find_simulator(name: str) -> DensitySimulator:
    """The simulator of this name.

    Raises:
        RegisterError: there is none of this name.
        MissingExtraError: a package that it needs is not installed.
    """
    if name not in SIMULATORS:
        raise RegisterError(
            f"simulation_backend is {name!r:.60}; the rule is one of {', '.join(SIMULATORS)}",
            hint="set simulation_backend in the configuration",
        )
    return SIMULATORS[name]()
