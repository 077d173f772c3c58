"""The backends that exist: one folder each, one row each."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, partial
from types import ModuleType
from typing import cast

from qrealm.base.errors import MissingExtraError, RequestError, RunError, UnknownBackendError
from qrealm.simulate.backends.cirq.card import CARD as CIRQ_CARD
from qrealm.simulate.backends.density_matrix.card import CARD as DENSITY_MATRIX_CARD
from qrealm.simulate.backends.gpu.card import CARD as GPU_CARD
from qrealm.simulate.backends.mps.card import CARD as MPS_CARD
from qrealm.simulate.backends.pennylane.card import CARD as PENNYLANE_CARD
from qrealm.simulate.backends.protocol import Backend, SteeredBackend, is_steered
from qrealm.simulate.backends.qiskit.card import CARD as QISKIT_CARD
from qrealm.simulate.backends.stabilizer.card import CARD as STABILIZER_CARD
from qrealm.simulate.backends.statevector.card import CARD as STATEVECTOR_CARD
from qrealm.simulate.backends.tensor_network.card import CARD as TENSOR_NETWORK_CARD
from qrealm.simulate.backends.trajectories.card import CARD as TRAJECTORIES_CARD
from qrealm.simulate.plan.types import BackendCard


class QuantumBackend(StrEnum):
    """What `backend=` may be. AUTO picks among the others by the circuit."""

    AUTO = "auto"
    STATEVECTOR = "statevector"
    DENSITY_MATRIX = "density_matrix"
    TRAJECTORIES = "trajectories"
    STABILIZER = "stabilizer"
    MPS = "mps"
    TENSOR_NETWORK = "tensor_network"
    GPU = "gpu"
    QISKIT = "qiskit"
    CIRQ = "cirq"
    PENNYLANE = "pennylane"


@dataclass(frozen=True, slots=True)
class BackendRow:
    """One backend: its card, which costs nothing to read, and how to load what runs."""

    card: BackendCard
    load: Callable[[], Backend]


def _load(name: str) -> Backend:
    try:
        module: ModuleType = importlib.import_module(f"qrealm.simulate.backends.{name}.run")
    except ImportError as problem:
        card = BACKENDS[QuantumBackend(name)].card
        package = missing_package(card)
        if package:
            raise MissingExtraError(f"the {name} backend", package=package, extra=card.extra) from problem
        raise RunError(
            f"the compiled part of the {name} backend cannot be loaded: {problem}",
            hint="install qrealm again with `pip install .`, which compiles it",
        ) from problem
    return cast(Backend, module.BACKEND)


BACKENDS: dict[QuantumBackend, BackendRow] = {
    QuantumBackend(card.name): BackendRow(card, partial(_load, card.name))
    for card in (
        STATEVECTOR_CARD,
        DENSITY_MATRIX_CARD,
        TRAJECTORIES_CARD,
        STABILIZER_CARD,
        MPS_CARD,
        TENSOR_NETWORK_CARD,
        GPU_CARD,
        QISKIT_CARD,
        CIRQ_CARD,
        PENNYLANE_CARD,
    )
}


def backend_named(name: str | None) -> QuantumBackend:
    """The member of this name, in any case, AUTO for None. Raises UnknownBackendError."""
    if name is None:
        return QuantumBackend.AUTO
    try:
        return QuantumBackend(name.lower())
    except (ValueError, AttributeError):
        raise UnknownBackendError(
            f"no backend is named {name!r:.60}",
            hint="use one of: " + ", ".join(each.value for each in QuantumBackend),
        ) from None


def missing_package(card: BackendCard) -> str:
    """The first package that a backend needs and this Python does not have; empty when it has all."""
    return next((name for name in card.packages if importlib.util.find_spec(name) is None), "")


@cache
def loaded(name: QuantumBackend) -> Backend:
    """The backend, loaded once.

    Raises:
        MissingExtraError: a package that it needs is not installed.
        RunError: its compiled part cannot be loaded.
    """
    return BACKENDS[name].load()


def steered(name: QuantumBackend, what: str) -> SteeredBackend:
    """A backend that holds amplitudes; the state vector for AUTO.

    Raises:
        RequestError: this one does not; `what` says who asked.
        MissingExtraError, RunError: as `loaded`.
    """
    backend = loaded(QuantumBackend.STATEVECTOR if name is QuantumBackend.AUTO else name)
    if not is_steered(backend):
        able = [row.card.name for row in BACKENDS.values() if row.card.seconds is not None]
        raise RequestError(
            f"{what} needs amplitudes, and the {name} backend keeps none",
            hint=f"use one of: {', '.join(able)}",
        )
    return backend
