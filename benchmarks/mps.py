"""Matrix product states side by side: `python -m benchmarks.mps`.

The circuit is brickwork of random unitaries on neighbouring qubits, deep enough to fill the bond. Each
simulator cuts every split down to the same bond. Evolution is a run with one shot; sampling is what a run
with 1,000 shots takes more. Simulators take turns, and the fastest of some turns counts: the noise of a
machine only ever adds. Each runs in this process; threads are set by the environment of a child process.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from benchmarks.measure import run_module
from benchmarks.report import console, format_seconds

SHOTS = 1000
QUIMB_BOND_MAX = 32
"""Beyond it quimb takes minutes; `--all` measures it all the same."""

NOISE = 0.02
"""Share of the evolution below which a difference of two runs tells nothing."""

Gates = list[tuple[NDArray[np.complex128], int]]
Run = Callable[[int], None]


def brickwork(num_qubits: int, layers: int, seed: int = 1) -> Gates:
    """(matrix, left qubit) of each gate: Haar-random unitaries (F. Mezzadri, Notices of the AMS 54, 2007)."""
    rng = np.random.default_rng(seed)
    gates: Gates = []
    for layer in range(layers):
        for qubit in range(layer % 2, num_qubits - 1, 2):
            q, r = np.linalg.qr(rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4)))
            gates.append((q * (np.diagonal(r) / np.abs(np.diagonal(r))), qubit))
    return gates


def ours(precision: str) -> Callable[[int, Gates, int, int], Run]:
    """qrealm in a precision."""

    def prepare(num_qubits: int, gates: Gates, bond: int, threads: int) -> Run:
        import qrealm
        from qrealm.simulate.backends.mps.options import MPSOptions

        circuit = qrealm.Circuit(num_qubits)
        for matrix, qubit in gates:
            circuit.unitary(matrix, [qubit, qubit + 1])
        options = MPSOptions(bond_max=bond)

        def run(shots: int) -> None:
            found = qrealm.run(circuit, shots, 1, precision, threads, backend="mps", options=options)
            assert len(found.outcomes[0]) >= 1

        return run

    return prepare


def aer(num_qubits: int, gates: Gates, bond: int, threads: int) -> Run:
    """Qiskit Aer, double precision."""
    from qiskit import QuantumCircuit
    from qiskit_aer import AerSimulator

    circuit = QuantumCircuit(num_qubits)
    for matrix, qubit in gates:
        circuit.unitary(matrix, [qubit, qubit + 1])
    circuit.measure_all()
    simulator = AerSimulator(
        method="matrix_product_state",
        matrix_product_state_max_bond_dimension=bond,
        max_parallel_threads=threads,
        max_memory_mb=10**10,  # its estimate leaves the bond out of account
    )

    def run(shots: int) -> None:
        found = simulator.run(circuit, shots=shots, seed_simulator=1).result()
        assert found.success, found.status

    return run


def quimb(num_qubits: int, gates: Gates, bond: int, _threads: int) -> Run:
    """quimb, double precision; its threads are the environment's."""
    from quimb.tensor import CircuitPermMPS

    def run(shots: int) -> None:
        circuit = CircuitPermMPS(num_qubits, max_bond=bond, cutoff=1e-12)
        for matrix, qubit in gates:
            circuit.apply_gate_raw(matrix, [qubit, qubit + 1])
        assert len(list(circuit.sample(shots, seed=1))) == shots

    return run


SIMULATORS: dict[str, tuple[str, Callable[[int, Gates, int, int], Run]]] = {
    "qrealm, single": ("qrealm", ours("single")),
    "qrealm, double": ("qrealm", ours("double")),
    "Aer, double": ("qiskit_aer", aer),
    "quimb, double": ("quimb", quimb),
}


def measure(
    num_qubits: int, layers: int, bond: int, threads: int, repeats: int, everything: bool
) -> dict[str, tuple[float, float]]:
    """(seconds of evolution, seconds of sampling) of each simulator that is installed."""
    gates = brickwork(num_qubits, layers)
    runs: dict[str, Run] = {}
    for name, (package, prepare) in SIMULATORS.items():
        if importlib.util.find_spec(package) is None:
            continue
        if package == "quimb" and bond > QUIMB_BOND_MAX and not everything:
            continue
        runs[name] = prepare(num_qubits, gates, bond, threads)
    best = {name: [float("inf"), float("inf")] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            for place, shots in enumerate((1, SHOTS)):
                start = time.perf_counter()
                run(shots)
                best[name][place] = min(best[name][place], time.perf_counter() - start)
    return {name: (one, max(0.0, many - one)) for name, (one, many) in best.items()}


def print_table(num_qubits: int, layers: int, bond: int, found: dict[str, tuple[float, float]]) -> None:
    """One bond: every simulator's times, and how they compare with Aer's."""
    title = f"{num_qubits} qubits, {layers} layers, bond {bond}"
    table = Table(title=title, title_justify="left")
    table.add_column("simulator")
    for column in ("evolution", f"{SHOTS} samples", "Aer's evolution over it", "Aer's samples over it"):
        table.add_column(column, justify="right")
    theirs = found.get("Aer, double")
    for name, (evolution, samples) in found.items():
        told = samples > NOISE * evolution
        ratios = ["", ""]
        if theirs is not None:
            ratios = [f"{theirs[0] / evolution:.2f}", f"{theirs[1] / samples:.1f}" if told else ""]
        table.add_row(
            name, format_seconds(evolution), format_seconds(samples) if told else "within the noise", *ratios
        )
    console.print(table)


def main() -> None:
    description = "Time matrix product states of qrealm, Aer and quimb on the same circuits."
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mps", description=description)
    parser.add_argument("--qubits", type=int, default=60)
    parser.add_argument("--layers", type=int, default=20)
    parser.add_argument("--bonds", type=int, nargs="+", default=[16, 32, 64])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--all", action="store_true", help="quimb beyond a bond of 32 too")
    parser.add_argument("--here", action="store_true", help="measure in this very process")
    options = parser.parse_args()
    arguments = (options.qubits, options.layers)
    if not options.here:
        given = [f"--qubits={arguments[0]}", f"--layers={arguments[1]}", f"--threads={options.threads}"]
        given += ["--bonds", *map(str, options.bonds), f"--repeats={options.repeats}", "--here"]
        run_module("benchmarks.mps", *given, *(["--all"] if options.all else []), threads=options.threads)
        return
    for bond in options.bonds:
        found = measure(*arguments, bond, options.threads, options.repeats, options.all)
        print_table(*arguments, bond, found)


if __name__ == "__main__":
    main()
