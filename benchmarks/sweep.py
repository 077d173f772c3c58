"""What a parameter sweep costs: `python -m benchmarks.sweep`.

1,000 bindings of an ansatz of 100 gates (layers of RY, RZ and a line of CX), each with the expectation value
of one Pauli sum (Z Z along the line and X on every qubit), in double precision. Every simulator has a process
of its own and is called in its fastest documented way; building circuits, observables and tapes is not timed,
setting angles and running is. Before a figure counts, its values are compared with qrealm's.

* qrealm: `expectations`, in one call.
* qulacs: `ParametricQuantumCircuit`; once with its own threads, once with a circuit for each thread and a row
  on each (its calls release the interpreter's lock).
* lightning.qubit: tapes with their angles in, all in one `Device.execute`.
* Aer: `run` with parameter bindings and a saved expectation value.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.measure import run_module
from benchmarks.report import format_seconds

NUM_GATES = 100
ERROR_MAX = 1e-8

Gates = list[tuple[str, tuple[int, ...], int]]
"""Name, qubits, and the number of the angle (-1 for CX)."""
Values = NDArray[np.float64]


def ansatz(num_qubits: int, num_gates: int = NUM_GATES) -> Gates:
    """Layers of RY, RZ and a line of CX, cut off after so many gates."""
    gates: Gates = []
    angles = 0
    while len(gates) < num_gates:
        for name in ("ry", "rz"):
            for qubit in range(num_qubits):
                gates.append((name, (qubit,), angles))
                angles += 1
        gates.extend(("cx", (qubit, qubit + 1), -1) for qubit in range(num_qubits - 1))
    return gates[:num_gates]


def angles_of(gates: Gates, bindings: int) -> Values:
    """Random angles, one row for each binding."""
    count = 1 + max(angle for _, _, angle in gates)
    return np.random.default_rng(5).uniform(0, 2 * np.pi, (bindings, count))


def terms_of(num_qubits: int) -> list[tuple[float, str, tuple[int, ...]]]:
    """(coefficient, letters, qubits) of each term of the observable."""
    bonds = [(0.3 + 0.1 * q, "ZZ", (q, q + 1)) for q in range(num_qubits - 1)]
    return [*bonds, *((0.5, "X", (q,)) for q in range(num_qubits))]


def prepare_qrealm(gates: Gates, num_qubits: int, rows: Values, threads: int) -> Callable[[], Values]:
    """`qrealm.expectations` of all rows in one call."""
    import qrealm
    from qrealm.simulate.run import expectations

    circuit = qrealm.Circuit(num_qubits)
    for name, qubits, angle in gates:
        parameters = () if angle < 0 else (qrealm.Parameter(f"p{angle}"),)
        getattr(circuit, name)(*parameters, *qubits)
    observable = qrealm.PauliSum(
        " + ".join(
            f"{factor} " + " ".join(f"{letter}{q}" for letter, q in zip(letters, qubits, strict=True))
            for factor, letters, qubits in terms_of(num_qubits)
        )
    )
    return lambda: expectations(circuit, rows, observable, threads=threads)[:, 0]


def _qulacs_rows(gates: Gates, num_qubits: int, rows: Values) -> Callable[[], Values]:
    """All rows on one qulacs circuit."""
    from qulacs import Observable, ParametricQuantumCircuit, QuantumState

    circuit, state, observable = (
        ParametricQuantumCircuit(num_qubits),
        QuantumState(num_qubits),
        Observable(num_qubits),
    )
    for name, qubits, angle in gates:
        if angle < 0:
            circuit.add_CNOT_gate(*qubits)
        else:
            getattr(circuit, f"add_parametric_{name.upper()}_gate")(*qubits, 0.0)
    for factor, letters, qubits in terms_of(num_qubits):
        observable.add_operator(factor, " ".join(f"{a} {q}" for a, q in zip(letters, qubits, strict=True)))

    def run() -> Values:
        found = np.empty(len(rows))
        for place, row in enumerate((-rows).tolist()):  # its angles have the opposite sign
            for angle, value in enumerate(row):
                circuit.set_parameter(angle, value)
            state.set_zero_state()
            circuit.update_quantum_state(state)
            found[place] = observable.get_expectation_value(state)
        return found

    return run


def prepare_qulacs(gates: Gates, num_qubits: int, rows: Values, _threads: int) -> Callable[[], Values]:
    """Row after row; how many threads is set by the environment."""
    return _qulacs_rows(gates, num_qubits, rows)


def prepare_qulacs_rows(gates: Gates, num_qubits: int, rows: Values, threads: int) -> Callable[[], Values]:
    """A share of the rows on each thread."""
    shares = [_qulacs_rows(gates, num_qubits, share) for share in np.array_split(rows, threads)]

    def run() -> Values:
        with ThreadPoolExecutor(threads) as pool:
            return np.concatenate(list(pool.map(lambda share: share(), shares)))

    return run


def prepare_lightning(gates: Gates, num_qubits: int, rows: Values, _threads: int) -> Callable[[], Values]:
    """Finished tapes; how many threads is set by the environment."""
    import pennylane

    makers = {"ry": pennylane.RY, "rz": pennylane.RZ, "cx": pennylane.CNOT}
    letters_of = {"X": pennylane.PauliX, "Z": pennylane.PauliZ}
    products = [
        pennylane.prod(*(letters_of[a](q) for a, q in zip(letters, qubits, strict=True)))
        if len(letters) > 1
        else letters_of[letters](*qubits)
        for _, letters, qubits in terms_of(num_qubits)
    ]
    hamiltonian = pennylane.Hamiltonian([factor for factor, _, _ in terms_of(num_qubits)], products)
    tapes = []
    for row in rows.tolist():
        operations = [
            makers[name](*(() if angle < 0 else (row[angle],)), wires=list(qubits))
            for name, qubits, angle in gates
        ]
        tapes.append(pennylane.tape.QuantumScript(operations, [pennylane.expval(hamiltonian)]))
    device = pennylane.device("lightning.qubit", wires=num_qubits)
    return lambda: np.array(device.execute(tapes), dtype=float)


def prepare_aer(gates: Gates, num_qubits: int, rows: Values, threads: int) -> Callable[[], Values]:
    """`AerSimulator.run` with parameter bindings, rows shared among the threads."""
    from qiskit import QuantumCircuit
    from qiskit.circuit import ParameterVector
    from qiskit.quantum_info import SparsePauliOp
    from qiskit_aer import AerSimulator

    angles = ParameterVector("p", rows.shape[1])
    circuit = QuantumCircuit(num_qubits)
    for name, qubits, angle in gates:
        getattr(circuit, name)(*(() if angle < 0 else (angles[angle],)), *qubits)
    observable = SparsePauliOp.from_sparse_list(
        [(letters, qubits, factor) for factor, letters, qubits in terms_of(num_qubits)], num_qubits
    )
    circuit.save_expectation_value(observable, list(range(num_qubits)))
    simulator = AerSimulator(
        method="statevector", max_parallel_threads=threads, max_parallel_experiments=threads
    )
    bindings = [{angle: rows[:, place].tolist() for place, angle in enumerate(angles)}]

    def run() -> Values:
        result = simulator.run([circuit], parameter_binds=bindings).result()
        return np.array([result.data(row)["expectation_value"] for row in range(len(rows))])

    return run


SIMULATORS: dict[str, Callable[[Gates, int, Values, int], Callable[[], Values]]] = {
    "qrealm": prepare_qrealm,
    "qulacs": prepare_qulacs,
    "qulacs, rows on threads": prepare_qulacs_rows,
    "lightning.qubit": prepare_lightning,
    "aer": prepare_aer,
}


def measure_here(name: str, num_qubits: int, bindings: int, threads: int, repeats: int) -> Values:
    """The best of some runs in seconds, followed by the values that it found."""
    gates = ansatz(num_qubits)
    run = SIMULATORS[name](gates, num_qubits, angles_of(gates, bindings), threads)
    run()  # warms up
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        values = run()
        seconds.append(time.perf_counter() - begun)
    return np.array([min(seconds), *values])


def measure(name: str, num_qubits: int, bindings: int, threads: int, repeats: int) -> tuple[float, Values]:
    """(seconds, values) from a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "answer.npy")
        options = {"--qubits": num_qubits, "--bindings": bindings, "--threads": threads, "--repeats": repeats}
        words = [str(word) for pair in options.items() for word in pair]
        # With a row on each thread the simulator itself must not start any.
        own = 1 if name.endswith("rows on threads") else threads
        run_module("benchmarks.sweep", *words, "--only", name, "--answer", str(answer), threads=own)
        found = np.load(answer)
    return float(found[0]), found[1:]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep", description="What a sweep costs.")
    parser.add_argument("--qubits", type=int, nargs="+", default=[4, 10, 16])
    parser.add_argument("--bindings", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--only", choices=SIMULATORS, nargs="+", default=list(SIMULATORS), metavar="SIMULATOR"
    )
    parser.add_argument("--answer", type=Path, help="measure in this very process, write to this file")
    options = parser.parse_args()
    if options.answer:
        name, num_qubits = options.only[0], options.qubits[0]
        np.save(
            options.answer,
            measure_here(name, num_qubits, options.bindings, options.threads, options.repeats),
        )
        return
    table = Table(
        title=f"{options.bindings:,} bindings of {NUM_GATES} gates, one Pauli sum", title_justify="left"
    )
    for column in ("qubits", "simulator"):
        table.add_column(column)
    for column in ("all", "each", "over qrealm", "largest difference"):
        table.add_column(column, justify="right")
    for num_qubits in options.qubits:
        ours, wanted = measure("qrealm", num_qubits, options.bindings, options.threads, options.repeats)
        for name in options.only:
            seconds, values = ours, wanted
            if name != "qrealm":
                seconds, values = measure(
                    name, num_qubits, options.bindings, options.threads, options.repeats
                )
            error = float(np.abs(values - wanted).max())
            if error > ERROR_MAX:
                raise SystemExit(f"{name} and qrealm differ by {error:.1e} at {num_qubits} qubits")
            each = format_seconds(seconds / options.bindings)
            table.add_row(
                str(num_qubits), name, format_seconds(seconds), each, f"{seconds / ours:.1f}", f"{error:.0e}"
            )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
