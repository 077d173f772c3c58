"""What a gradient costs beside a run: `python -m benchmarks.gradient`.

A hardware-efficient ansatz of four layers, RY and RZ on every qubit and a chain of CX, and the energy of an
Ising chain, in double precision on all cores. The run computes the same observable once; the gradient
differentiates it by every parameter. The shortest of several times counts. Then many rows of parameters on
a smaller circuit, as a batch of training data has, in one call and one by one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

import qrealm
from qrealm.simulate.gradient import gradients

LAYERS = 4


def ansatz(qubits: int) -> tuple[qrealm.Circuit, str]:
    """(the circuit with open parameters, the observable)."""
    circuit = qrealm.Circuit(qubits)
    for layer in range(LAYERS):
        for qubit in range(qubits):
            circuit.ry(qrealm.Parameter(f"y{layer}_{qubit}"), qubit)
            circuit.rz(qrealm.Parameter(f"z{layer}_{qubit}"), qubit)
        for qubit in range(qubits - 1):
            circuit.cx(qubit, qubit + 1)
    return circuit, " + ".join(f"Z{qubit} Z{qubit + 1}" for qubit in range(qubits - 1))


def shortest(call: Callable[[], object], repeats: int) -> float:
    """Seconds of the shortest call, after one that warms up."""
    call()
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return min(times)


def batch(qubits: int, rows: int, repeats: int) -> None:
    """Print what a row costs, together and alone."""
    circuit, energy = ansatz(qubits)
    points = np.random.default_rng(1).uniform(0, 3, (rows, len(circuit.parameters)))
    together = shortest(lambda: gradients(circuit, points, energy), repeats)
    alone = shortest(lambda: [qrealm.gradient(circuit, energy, each) for each in points], repeats)
    row, lone = together / rows * 1e6, alone / rows * 1e6
    print(f"{qubits:6} {rows:5} {row:18.0f} {lone:15.0f} {lone / row:6.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gradient", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--qubits", type=int, nargs="+", default=[10, 16, 20, 24])
    parser.add_argument("--batch-qubits", type=int, nargs="+", default=[4, 8, 12])
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=4)
    options = parser.parse_args()
    print("qubits  parameters     run (s)  gradient (s)  runs")
    for qubits in options.qubits:
        circuit, energy = ansatz(qubits)
        values = np.linspace(0.1, 3, len(circuit.parameters))
        bound = circuit.bind({p.name: v for p, v in zip(circuit.parameters, values, strict=True)})

        def run(bound: qrealm.Circuit = bound, energy: str = energy) -> object:
            return qrealm.run(bound, shots=0, observables=energy, backend="statevector")

        def gradient(
            circuit: qrealm.Circuit = circuit, energy: str = energy, values: np.ndarray = values
        ) -> object:
            return qrealm.gradient(circuit, energy, values, backend="statevector")

        once, all_of_them = shortest(run, options.repeats), shortest(gradient, options.repeats)
        print(f"{qubits:6} {len(values):11} {once:11.4f} {all_of_them:13.4f} {all_of_them / once:5.1f}")
    print("\nqubits  rows  together (us/row)  alone (us/row)  ratio")
    for qubits in options.batch_qubits:
        batch(qubits, options.rows, options.repeats)


if __name__ == "__main__":
    main()
