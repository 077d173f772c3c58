"""`QrealmProvider`: where Qiskit users find qrealm's backends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qrealm.faces.providers.qiskit.backend import QrealmBackend
from qrealm.simulate.backends import BACKENDS, QuantumBackend, backend_named


class QrealmProvider:
    """The backends of this machine.

    Args:
        options: defaults for the options of every backend's `run`, such as ``shots=4000``.

    Raises:
        AttributeError: (Qiskit's) an option that `QrealmBackend.run` does not have.
    """

    def __init__(self, **options: Any) -> None:
        names = [QuantumBackend.AUTO, *BACKENDS]
        self._backends = {name: QrealmBackend(name.value, self, **options) for name in names}

    def backends(
        self,
        name: str | None = None,
        min_num_qubits: int | None = None,
        filters: Callable[[QrealmBackend], bool] | None = None,
    ) -> list[QrealmBackend]:
        """The backends that fit, ``"auto"`` first.

        Args:
            name: only the one of this name.
            min_num_qubits: only those that take circuits of at least so many qubits.
            filters: only those for which it is true.
        """
        return [
            backend
            for backend in self._backends.values()
            if name in (None, backend.name)
            and (min_num_qubits is None or backend.qubits_max >= min_num_qubits)
            and (filters is None or filters(backend))
        ]

    def get_backend(self, name: str | None = None) -> QrealmBackend:
        """The backend of this name, ``"auto"`` when None.

        Raises:
            UnknownBackendError: there is no backend of this name.
        """
        return self._backends[backend_named(name)]

    def __repr__(self) -> str:
        return f"<QrealmProvider: {', '.join(backend.name for backend in self._backends.values())}>"
