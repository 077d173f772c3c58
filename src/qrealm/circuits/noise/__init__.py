"""Noise: channels, faulty readout, and models that put them into circuits."""

from __future__ import annotations

from importlib import import_module
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
    zz_phase,
)
from qrealm.circuits.noise.readout import ReadoutError

if TYPE_CHECKING:
    from qrealm.circuits.noise.compiling import CompiledCircuit
    from qrealm.circuits.noise.device import Device
    from qrealm.circuits.noise.model import NoiseModel
    from qrealm.circuits.noise.presets import PRESETS

__all__ = [
    "PRESETS",
    "Channel",
    "CompiledCircuit",
    "Device",
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
    "zz_phase",
]

# A model builds circuits, and circuits hold channels: so these are loaded when they are asked for.
_LATER = {"NoiseModel": "model", "Device": "device", "PRESETS": "presets", "CompiledCircuit": "compiling"}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
