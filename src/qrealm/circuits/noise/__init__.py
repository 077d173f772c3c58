"""Noise: channels, faulty readout, and models that put them into circuits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qrealm.circuits.noise.channel import Channel
from qrealm.circuits.noise.channels import (
    amplitude_damping,
    bit_flip,
    coherent,
    depolarizing,
    mixed_unitary,
    pauli_channel,
    phase_damping,
    phase_flip,
    thermal_relaxation,
)
from qrealm.circuits.noise.readout import ReadoutError

if TYPE_CHECKING:
    from qrealm.circuits.noise.model import NoiseModel

__all__ = [
    "Channel",
    "NoiseModel",
    "ReadoutError",
    "amplitude_damping",
    "bit_flip",
    "coherent",
    "depolarizing",
    "mixed_unitary",
    "pauli_channel",
    "phase_damping",
    "phase_flip",
    "thermal_relaxation",
]


def __getattr__(name: str) -> Any:
    # A model builds circuits, and circuits hold channels: so it is loaded when it is asked for.
    if name == "NoiseModel":
        from qrealm.circuits.noise.model import NoiseModel

        return NoiseModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
