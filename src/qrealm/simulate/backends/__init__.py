"""The backends that exist: one folder each, one row each."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, partial
from types import ModuleType
from typing import cast

from qrealm.base.errors import RunError, UnknownBackendError
from qrealm.simulate.backends.protocol import Backend
from qrealm.simulate.backends.statevector.card import CARD as STATEVECTOR_CARD
from qrealm.simulate.plan.types import BackendCard


class QuantumBackend(StrEnum):
    """What `backend=` may be. AUTO picks among the others by the circuit."""

    AUTO = "auto"
    STATEVECTOR = "statevector"


@dataclass(frozen=True, slots=True)
class BackendRow:
    """One backend: its card, which costs nothing to read, and how to load what runs."""

    card: BackendCard
    load: Callable[[], Backend]


def _load(name: str) -> Backend:
    try:
        module: ModuleType = importlib.import_module(f"qrealm.simulate.backends.{name}.run")
    except ImportError as problem:
        raise RunError(
            f"the compiled part of the {name} backend cannot be loaded: {problem}",
            hint="install qrealm again with `pip install .`, which compiles it",
        ) from problem
    return cast(Backend, module.BACKEND)


BACKENDS: dict[QuantumBackend, BackendRow] = {
    QuantumBackend.STATEVECTOR: BackendRow(STATEVECTOR_CARD, partial(_load, "statevector")),
}


def backend_named(name: str | None) -> QuantumBackend:
    """The member of this name, AUTO for None. Raises UnknownBackendError."""
    if name is None:
        return QuantumBackend.AUTO
    try:
        return QuantumBackend(name)
    except ValueError:
        raise UnknownBackendError(
            f"no backend is named {name!r:.60}",
            hint="use one of: " + ", ".join(each.value for each in QuantumBackend),
        ) from None


@cache
def loaded(name: QuantumBackend) -> Backend:
    """The backend, loaded once. AUTO is the state vector: of those that exist it runs every circuit.

    Raises:
        RunError: its compiled part cannot be loaded.
    """
    chosen = QuantumBackend.STATEVECTOR if name is QuantumBackend.AUTO else name
    return BACKENDS[chosen].load()
