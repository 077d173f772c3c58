"""Error mitigation: less wrong answers from noisy runs, and what they cost in shots."""

from qrealm.protect.folding import fold
from qrealm.protect.outcome import Mitigated
from qrealm.protect.pec import probabilistic_error_cancellation
from qrealm.protect.readout import ReadoutCorrection, readout_corrected
from qrealm.protect.zne import zero_noise_extrapolation

__all__ = [
    "Mitigated",
    "ReadoutCorrection",
    "fold",
    "probabilistic_error_cancellation",
    "readout_corrected",
    "zero_noise_extrapolation",
]
