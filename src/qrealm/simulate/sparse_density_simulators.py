"""The simulators that may move a density matrix: ours, which keeps what is not zero, and two others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Protocol

from qrealm.base.errors import MissingExtraError, RegisterError
from qrealm.simulate.plan.types import BackendCard
from qrealm.simulate.sparse_density import SparseDensity, from_dense, to_dense
from qrealm.simulate.sparse_density_maps import changed
from qrealm.simulate.sparse_density_steps import Step

DENSE_QUBITS_MAX = 10
"""Most qubits of a simulator that holds the whole matrix: 16 MiB, and a second or so for a step."""


class DensitySimulator(Protocol):
    """Carries out steps on a density matrix."""

    @property
    def name(self) -> str:
        """As `find_simulator` knows it."""
        ...

    def evolve(self, density: SparseDensity, steps: Sequence[Step]) -> SparseDensity:
        """The density matrix after these steps, in this order.

        Raises:
            TooLargeError: more entries than one matrix may have.
            RegisterError: more qubits than this simulator takes.
        """
        ...


class SparseSimulator:
    """qrealm's own: exact, and as large as the number of entries that are not zero."""

    name = "qrealm"

    def evolve(self, density: SparseDensity, steps: Sequence[Step]) -> SparseDensity:
        """See `DensitySimulator`."""
        return changed(density, steps)


class DenseSimulator:
    """Another framework's simulator of density matrices, which holds the whole matrix.

    Args:
        name: what it is called.
        evolve_dense: from a matrix of shape (2^n, 2^n) and steps to the matrix after them.
    """

    def __init__(self, name: str, evolve_dense: Callable[..., object]) -> None:
        self.name = name
        self._evolve_dense = evolve_dense

    def evolve(self, density: SparseDensity, steps: Sequence[Step]) -> SparseDensity:
        """See `DensitySimulator`."""
        if density.num_qubits > DENSE_QUBITS_MAX:
            raise RegisterError(
                f"simulation backend {self.name!r} got a register of {density.num_qubits} qubits; "
                f"it holds the whole matrix and takes up to {DENSE_QUBITS_MAX}",
                hint='set simulation_backend to "qrealm", which keeps only what is not zero',
            )
        return from_dense(self._evolve_dense(to_dense(density), steps)) if steps else density  # type: ignore[arg-type]


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
