"""Cirq: `QrealmSampler` and `QrealmSimulator`, which run Cirq's circuits on qrealm."""

from __future__ import annotations

from qrealm.base.errors import MissingExtraError

try:
    import cirq  # noqa: F401  (its absence is told before anything else here is loaded)
except ImportError as problem:
    raise MissingExtraError("qrealm's Cirq provider", package="cirq", extra="cirq") from problem

from qrealm.faces.providers.cirq.sampler import QrealmSampler
from qrealm.faces.providers.cirq.simulator import QrealmSimulator

__all__ = ["QrealmSampler", "QrealmSimulator"]
