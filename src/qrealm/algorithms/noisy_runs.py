"""Circuits of the algorithms under noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qrealm.circuits import Circuit
from qrealm.circuits.noise.compiling import compiled
from qrealm.circuits.noise.model import model_from
from qrealm.simulate.results import Result
from qrealm.simulate.run import run

if TYPE_CHECKING:
    from qrealm.algorithms.options import NoiseSource


def under_noise(circuit: Circuit, noise: NoiseSource | None) -> Circuit:
    """The circuit with its noise written into it; the circuit itself without noise.

    For a device's noise the circuit is compiled to its gates and couplings first. Qubit i is then where qubit
    i of the circuit ends, and further qubits of the device follow.

    Raises:
        RequestError: `noise` is something else.
        ChannelError: the noise does not fit the circuit, or the device is too small for it.
    """
    if noise is None:
        return circuit
    model = model_from(noise)
    return model.apply(circuit) if model.wiring is None else compiled(circuit, model.wiring).with_noise(model)


def run_noisy(circuit: Circuit, shots: int, seed: int | None = None, **options: Any) -> Result:
    """`qrealm.run` of a circuit under the noise among the options."""
    noise = options.pop("noise", None)
    return run(under_noise(circuit, noise), shots, seed, **options)
