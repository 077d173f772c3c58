"""Noise for circuits: `from qrealm.noise import NoiseModel, depolarizing`."""

from qrealm.circuits.noise import *  # noqa: F403
from qrealm.circuits.noise import __all__ as __all__
