"""qrealm itself, called as a user calls it."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.cases import Case


def as_dict(case: Case) -> dict[str, object]:
    """The case in qrealm's dict form."""
    gates = [
        {
            "type": "U" if gate.name == "u3" else gate.name.upper(),
            "qubits": list(gate.qubits),
            "params": list(gate.params),
        }
        for gate in case.gates
    ]
    return {"num_qubits": case.num_qubits, "gates": gates}


class Qrealm:
    """`qrealm.run` of a circuit that has been read."""

    def __init__(self, case: Case, threads: int, *, precision: Literal["single", "double"]) -> None:
        import qrealm

        self._qrealm = qrealm
        self._circuit = qrealm.read(as_dict(case))
        self._threads = threads
        self._precision = precision

    def run(self) -> object:
        return self._qrealm.run(
            self._circuit, shots=1000, seed=1, precision=self._precision, threads=self._threads
        )

    def amplitudes(self) -> NDArray[np.complexfloating]:
        result = self._qrealm.run(
            self._circuit, shots=0, precision=self._precision, threads=self._threads, return_statevector=True
        )
        return np.asarray(result.statevector)
