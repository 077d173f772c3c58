"""qrealm: a self-hosted quantum cloud. A circuit goes in, it is planned and run on your own machines, its
result comes out.

    >>> import qrealm
    >>> bell = qrealm.Circuit(2).h(0).cx(0, 1)
    >>> sorted(qrealm.run(bell, shots=100, seed=7).counts)
    ['00', '11']

Everything here is loaded when it is first used, so that `import qrealm` takes no time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qrealm.base import errors
    from qrealm.circuits import Circuit, Parameter, PauliSum, read
    from qrealm.control.engine import QuantumJobResult, QuantumVirtualizationEngine
    from qrealm.simulate.backends import QuantumBackend
    from qrealm.simulate.benchmark import benchmark
    from qrealm.simulate.estimate import estimate
    from qrealm.simulate.gradient import Gradient, gradient
    from qrealm.simulate.results import Result
    from qrealm.simulate.run import run, sweep

    __version__: str

_HOMES = {
    "Circuit": "qrealm.circuits",
    "Gradient": "qrealm.simulate.gradient",
    "Parameter": "qrealm.circuits",
    "PauliSum": "qrealm.circuits",
    "QuantumBackend": "qrealm.simulate.backends",
    "QuantumJobResult": "qrealm.control.engine",
    "QuantumVirtualizationEngine": "qrealm.control.engine",
    "Result": "qrealm.simulate.results",
    "benchmark": "qrealm.simulate.benchmark",
    "errors": "qrealm.base",
    "estimate": "qrealm.simulate.estimate",
    "gradient": "qrealm.simulate.gradient",
    "read": "qrealm.circuits",
    "run": "qrealm.simulate.run",
    "sweep": "qrealm.simulate.run",
}

__all__ = [
    "Circuit",
    "Gradient",
    "Parameter",
    "PauliSum",
    "QuantumBackend",
    "QuantumJobResult",
    "QuantumVirtualizationEngine",
    "Result",
    "__version__",
    "benchmark",
    "errors",
    "estimate",
    "gradient",
    "read",
    "run",
    "sweep",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from qrealm.base.version import installed_version

        value: Any = installed_version()
    elif name == "errors":
        value = import_module("qrealm.base.errors")
    elif name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'qrealm' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
