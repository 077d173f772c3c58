"""Devices by their published figures; docs/noise.md has the table with the sources."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable

from qrealm.base.errors import ChannelError
from qrealm.circuits.noise.device import Device
from qrealm.circuits.noise.rules import Qubits


def ibmq_manila() -> Device:
    """5 transmons in a line: the calibration of 27 May 2024, qubit by qubit, rounded to 4 digits."""
    control_first: dict[Qubits | None, float] = {(0, 1): 277.3, (1, 2): 469.3, (2, 3): 355.6, (4, 3): 298.7}
    target_first: dict[Qubits | None, float] = {(1, 0): 312.9, (2, 1): 504.9, (3, 2): 391.1, (3, 4): 334.2}
    errors = {(0, 1): 8.828e-3, (1, 2): 1.394e-2, (2, 3): 1.135e-2, (3, 4): 5.696e-3}
    return Device(
        "ibmq_manila",
        t1_ns=(131.5e3, 124.5e3, 158.6e3, 179.1e3, 144.7e3),
        t2_ns=(102.2e3, 79.01e3, 25.15e3, 54.36e3, 40.33e3),
        gate_ns=(35.56,) * 5,
        gate_error=(1.551e-4, 3.922e-4, 7.458e-4, 2.122e-4, 3.539e-4),
        pair_ns={**control_first, **target_first},
        pair_error={pair: error for (a, b), error in errors.items() for pair in ((a, b), (b, a))},
        read_1_given_0=(1.58e-2, 1.22e-2, 7.02e-2, 8.4e-3, 8.8e-3),
        read_0_given_1=(5.48e-2, 3.16e-2, 1.226e-1, 2.04e-2, 2.84e-2),
        measure_ns=5351.0,
        reset_ns=5515.0,
        source="IBM Quantum calibration of ibmq_manila, 2024-05-27, as published with qiskit-ibm-runtime "
        "(fake_provider/backends/manila)",
    )


def ionq_aria() -> Device:
    """25 ytterbium ions, every pair coupled: averages. Of T1, 10 to 100 s, the lower end."""
    return Device.uniform(
        "ionq_aria",
        25,
        t1_ns=10e9,
        t2_ns=1e9,
        gate_ns=135e3,
        gate_error=5e-4,
        pair_ns=600e3,
        pair_error=4e-3,
        read_1_given_0=3.9e-3,
        read_0_given_1=3.9e-3,
        pair_gate="rxx",
        source="IonQ Aria: system timing and fidelity, Microsoft Azure Quantum documentation, page on the "
        "IonQ provider, 2024; state preparation and measurement 99.61 % is taken for the readout",
    )


def infleqtion_2024() -> Device:
    """Neutral atoms, every pair coupled: gate errors alone, as the paper's abstract states them.

    The abstract gives no coherence times and gate times, so there is no relaxation here; and no readout
    error: its 0.9 % are atoms lost, which no bit flip describes. It names no number of qubits either: that it
    is 32 here means nothing.
    """
    return Device.uniform(
        "infleqtion_2024",
        32,
        t1_ns=math.inf,
        t2_ns=math.inf,
        gate_ns=0.0,
        gate_error=9.8e-4,
        pair_ns=0.0,
        pair_error=6.5e-3,
        read_1_given_0=0.0,
        read_0_given_1=0.0,
        pair_gate="cz",
        source="A. Radnaev et al., A universal neutral-atom quantum computer with individual optical "
        "addressing and non-destructive readout, arXiv:2408.08288: CZ fidelity 99.35(4) %, local "
        "single-qubit gates 99.902(8) %",
    )


PRESETS: dict[str, Callable[[], Device]] = {
    made.__name__: made for made in (ibmq_manila, ionq_aria, infleqtion_2024)
}


def preset(name: str) -> Device:
    """The device of this name. Raises ChannelError, which names close ones."""
    if name not in PRESETS:
        close = difflib.get_close_matches(str(name), PRESETS, n=1)
        raise ChannelError(
            f"there is no device called {name!r:.40}; presets are {', '.join(PRESETS)}",
            hint=f"did you mean {close[0]}?"
            if close
            else "describe yours: Device(...) or Device.uniform(...)",
        )
    return PRESETS[name]()


__all__ = ["PRESETS", "ibmq_manila", "infleqtion_2024", "ionq_aria", "preset"]
