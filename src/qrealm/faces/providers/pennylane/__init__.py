"""PennyLane: the device ``qrealm.qubit``.

Installed, it is found as ``pennylane.device("qrealm.qubit")`` through the entry point `pennylane.plugins`.
"""

from __future__ import annotations

from qrealm.base.errors import MissingExtraError

try:
    import pennylane  # noqa: F401  (its absence is told before anything else here is loaded)
except ImportError as problem:
    raise MissingExtraError("qrealm's PennyLane device", package="pennylane", extra="pennylane") from problem

from qrealm.faces.providers.pennylane.device import QrealmDevice

__all__ = ["QrealmDevice"]
