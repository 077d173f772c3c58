"""One adapter per simulator, and the table of those that are measured.

An adapter takes a case and a number of threads and builds the circuit in the simulator's own form: that is
not timed. Its `run` evolves |0…0⟩ and draws 1,000 samples: that is timed, with all planning, fusing and
compiling that the simulator does in a run. Its `amplitudes` returns the whole state, qubit 0 in the low
bit, for the check before timing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.cases import Case

from .aer import Aer
from .lightning import Lightning
from .qrealm import Qrealm
from .qsim import Qsim
from .qulacs import Qulacs

Precision = Literal["single", "double"]


class Adapter(Protocol):
    """A case, ready to run on one simulator."""

    def run(self) -> object:
        """Evolve and draw 1,000 samples; what it returns keeps the work from being optimised away."""

    def amplitudes(self) -> NDArray[np.complexfloating]:
        """The state (2^n,) before sampling, in the precision that `run` uses."""


@dataclass(frozen=True)
class Peer:
    """A simulator in one configuration: the row of the results that it fills."""

    name: str
    precision: Precision
    distribution: str
    prepare: Callable[[Case, int], Adapter]


PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer("qrealm-c64", "single", "qrealm", partial(Qrealm, precision="single")),
        Peer("qrealm-c128", "double", "qrealm", partial(Qrealm, precision="double")),
        Peer("aer-c64", "single", "qiskit-aer", partial(Aer, precision="single")),
        Peer("aer-c128", "double", "qiskit-aer", partial(Aer, precision="double")),
        Peer("qsim-f2", "single", "qsimcirq", partial(Qsim, fused_qubits_max=2)),
        Peer("qsim-f3", "single", "qsimcirq", partial(Qsim, fused_qubits_max=3)),
        Peer("qsim-f4", "single", "qsimcirq", partial(Qsim, fused_qubits_max=4)),
        Peer("qulacs-f0", "double", "qulacs", partial(Qulacs, fused_qubits_max=0)),
        Peer("qulacs-f2", "double", "qulacs", partial(Qulacs, fused_qubits_max=2)),
        Peer("qulacs-f4", "double", "qulacs", partial(Qulacs, fused_qubits_max=4)),
        Peer("lightning-c64", "single", "pennylane-lightning", partial(Lightning, precision="single")),
        Peer("lightning-c128", "double", "pennylane-lightning", partial(Lightning, precision="double")),
    )
}
OURS: dict[Precision, str] = {"single": "qrealm-c64", "double": "qrealm-c128"}
