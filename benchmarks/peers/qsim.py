"""Google's qsim through qsimcirq; single precision only. How many qubits it fuses into one matrix matters
much."""

from __future__ import annotations

import cmath
import math

import numpy as np
from numpy.typing import NDArray

from benchmarks.cases import Case


def u3_matrix(theta: float, phi: float, lam: float) -> NDArray[np.complex128]:
    """The 2×2 matrix of u3, which Cirq has no gate for."""
    cos, sin = math.cos(theta / 2), math.sin(theta / 2)
    left = [cos, cmath.exp(1j * phi) * sin]
    right = [-cmath.exp(1j * lam) * sin, cmath.exp(1j * (phi + lam)) * cos]
    return np.array([left, right]).T


def rzz_matrix(theta: float) -> NDArray[np.complex128]:
    """exp(-i θ/2 ZZ)."""
    return np.diag(np.exp(-0.5j * theta * np.array([1, -1, -1, 1])))


class Qsim:
    """`QSimSimulator` with gates of up to `fused_qubits_max` qubits fused."""

    def __init__(self, case: Case, threads: int, *, fused_qubits_max: int) -> None:
        import cirq
        import qsimcirq

        makers = {
            "h": lambda: cirq.H,
            "x": lambda: cirq.X,
            "t": lambda: cirq.T,
            "rx": cirq.rx,
            "ry": cirq.ry,
            "rz": cirq.rz,
            "u3": lambda *angles: cirq.MatrixGate(u3_matrix(*angles)),
            "cx": lambda: cirq.CNOT,
            "cz": lambda: cirq.CZ,
            "cp": lambda angle: cirq.CZPowGate(exponent=angle / math.pi),
            "swap": lambda: cirq.SWAP,
            "rzz": lambda angle: cirq.MatrixGate(rzz_matrix(angle)),
        }
        self._line = cirq.LineQubit.range(case.num_qubits)
        self._circuit = cirq.Circuit()
        for gate in case.gates:
            self._circuit.append(makers[gate.name](*gate.params).on(*(self._line[q] for q in gate.qubits)))
        self._measured = self._circuit + cirq.Circuit(cirq.measure(*self._line, key="all"))
        options = qsimcirq.QSimOptions(cpu_threads=threads, max_fused_gate_size=fused_qubits_max)
        self._simulator = qsimcirq.QSimSimulator(options)

    def run(self) -> object:
        return self._simulator.run(self._measured, repetitions=1000)

    def amplitudes(self) -> NDArray[np.complexfloating]:
        # Cirq's first qubit is the high bit; the reversed order makes qubit 0 the low one.
        result = self._simulator.simulate(self._circuit, qubit_order=self._line[::-1])
        return np.asarray(result.final_state_vector)
