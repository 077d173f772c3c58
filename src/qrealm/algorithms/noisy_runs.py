"""Circuits of the algorithms under noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qrealm.circuits import Circuit
from qrealm.circuits.noise.model import checked_model
from qrealm.simulate.results import Result
from qrealm.simulate.run import run

if TYPE_CHECKING:
    from qrealm.circuits.noise import NoiseModel


def under_noise(circuit: Circuit, noise: NoiseModel | None) -> Circuit:
    """The circuit with its noise written into it; the circuit itself without noise.

    Raises:
        RequestError: `noise` is something else.
        ChannelError: the noise does not fit the circuit.
    """
    return circuit if noise is None else checked_model(noise).apply(circuit)


def run_noisy(circuit: Circuit, shots: int, seed: int | None = None, **options: Any) -> Result:
    """`qrealm.run` of a circuit under the noise among the options."""
    noise = options.pop("noise", None)
    return run(under_noise(circuit, noise), shots, seed, **options)
