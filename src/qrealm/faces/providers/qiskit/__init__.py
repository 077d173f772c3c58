"""What Qiskit users plug in: a provider with backends, and the primitives `SamplerV2` and `EstimatorV2`.

Importing it needs Qiskit 2 or later: ``pip install "qrealm[qiskit]"``.
"""

from __future__ import annotations

from qrealm.base.errors import MissingExtraError

try:
    import qiskit as _qiskit  # noqa: F401
except ImportError as problem:
    raise MissingExtraError("the Qiskit provider", package="qiskit", extra="qiskit") from problem

from qrealm.faces.providers.qiskit.backend import QrealmBackend
from qrealm.faces.providers.qiskit.estimator import EstimatorV2
from qrealm.faces.providers.qiskit.jobs import QrealmJob, QrealmPrimitiveJob
from qrealm.faces.providers.qiskit.options import EstimatorOptions, SamplerOptions
from qrealm.faces.providers.qiskit.provider import QrealmProvider
from qrealm.faces.providers.qiskit.sampler import SamplerV2

__all__ = [
    "EstimatorOptions",
    "EstimatorV2",
    "QrealmBackend",
    "QrealmJob",
    "QrealmPrimitiveJob",
    "QrealmProvider",
    "SamplerOptions",
    "SamplerV2",
]
