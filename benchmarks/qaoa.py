"""What one value and gradient of QAOA costs: `python -m benchmarks.qaoa`.

Two problems, p layers, the energy and its derivatives by all angles: the largest cut of a connected graph
with three edges a node, and a spin glass in which every pair has a coupling. By the QAOA kernel in double and
in single precision, by `qrealm.gradient` on the same circuit gate by gate, and, with ``--peers``, by
PennyLane's lightning.qubit with adjoint differentiation (`pip install pennylane`). The shortest of several
times counts, after one that warms up; processor seconds of all threads stand beside. All agree, or it stops.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

import qrealm
from qrealm.algorithms.qaoa import qaoa_circuit
from qrealm.base.machine import cores_default
from qrealm.optimize import Ising
from qrealm.optimize.solvers.qaoa import IsingStates, Precision
from qrealm.optimize.solvers.vqe import hamiltonian

GATES_QUBITS_MAX = 22
TOLERANCE = 1e-3

Answer = tuple[float, np.ndarray]
Ways = dict[str, Callable[[], Callable[[], Answer]]]


@dataclass(frozen=True, slots=True)
class Row:
    """One way on one size; gradients by gammas, then by betas."""

    qubits: int
    problem: str
    way: str
    seconds: float
    processor_seconds: float


def cut_of_a_graph(qubits: int) -> Ising:
    """A ring and a chord from each node to the opposite one: minus the cut, but for a constant."""
    nodes = np.arange(qubits)
    rows = np.concatenate([nodes, nodes[: qubits // 2]])
    cols = np.concatenate([(nodes + 1) % qubits, nodes[: qubits // 2] + qubits // 2])
    return Ising.from_parts(np.zeros(qubits), rows, cols, np.full(len(rows), 0.5))


def spin_glass(qubits: int) -> Ising:
    """D. Sherrington and S. Kirkpatrick's: normal couplings of variance 1 / qubits."""
    rows, cols = np.triu_indices(qubits, 1)
    couplings = np.random.default_rng(1).normal(size=len(rows)) / np.sqrt(qubits)
    return Ising.from_parts(np.zeros(qubits), rows, cols, couplings)


PROBLEMS = {"cut": cut_of_a_graph, "spin glass": spin_glass}


def kernel(task: Ising, angles: np.ndarray, threads: int, precision: Precision) -> Callable[[], Answer]:
    """The solver's own way."""
    state = IsingStates(task, precision=precision, threads=threads).state
    gammas, betas = np.split(angles, 2)
    return lambda: state.gradient(gammas, betas)


def gates(task: Ising, angles: np.ndarray, threads: int) -> Callable[[], Answer]:
    """The circuit of `run_qaoa`, differentiated gate by gate."""
    cost = hamiltonian(task)
    circuit = qaoa_circuit(cost, len(angles) // 2)
    order = np.concatenate([np.arange(0, len(angles), 2), np.arange(1, len(angles), 2)])
    values = np.empty(len(angles))
    values[order] = angles

    def call() -> Answer:
        found = qrealm.gradient(circuit, cost, values.tolist(), threads=threads)
        return found.value, found.derivatives[order]

    return call


def lightning(task: Ising, angles: np.ndarray) -> Callable[[], Answer]:
    """PennyLane's fastest CPU simulator; its threads are OpenMP's."""
    import pennylane as qml
    from pennylane import numpy as differentiable

    pairs = task.couplings
    edges = list(zip(pairs.rows.tolist(), pairs.cols.tolist(), pairs.values.tolist(), strict=True))
    observable = qml.Hamiltonian([w for *_, w in edges], [qml.Z(a) @ qml.Z(b) for a, b, _ in edges])

    @qml.qnode(qml.device("lightning.qubit", wires=task.num_variables), diff_method="adjoint")
    def energy(point):  # type: ignore[no-untyped-def]
        for wire in range(task.num_variables):
            qml.Hadamard(wire)
        layers = len(point) // 2
        for layer in range(layers):
            for a, b, weight in edges:
                qml.IsingZZ(2 * weight * point[layer], [a, b])
            for wire in range(task.num_variables):
                qml.RX(2 * point[layers + layer], wire)
        return qml.expval(observable)

    point = differentiable.array(angles, requires_grad=True)
    slopes_of = qml.grad(energy)

    def call() -> Answer:
        slopes = slopes_of(point)
        return float(slopes_of.forward), np.asarray(slopes)

    return call


def measure(qubits: int, name: str, way: str, call: Callable[[], Answer], repeats: int) -> tuple[Row, Answer]:
    """The shortest of several calls."""
    answer = call()
    walls, processors = [], []
    for _ in range(repeats):
        wall, processor = time.perf_counter(), time.process_time()
        call()
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    return Row(qubits, name, way, min(walls), min(processors)), answer


def ways(task: Ising, angles: np.ndarray, threads: int, peers: bool) -> Ways:
    """Built one at a time, as states of many qubits are large."""
    found: Ways = {
        "kernel": partial(kernel, task, angles, threads, "double"),
        "kernel, single precision": partial(kernel, task, angles, threads, "single"),
    }
    if task.num_variables <= GATES_QUBITS_MAX:
        found["qrealm.gradient"] = partial(gates, task, angles, threads)
        if peers:
            found["lightning.qubit"] = partial(lightning, task, angles)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.qaoa", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--qubits", type=int, nargs="+", default=[16, 18, 20, 22])
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--threads", type=int, default=cores_default())
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peers", action="store_true", help="PennyLane's lightning.qubit beside")
    parser.add_argument("--json", metavar="FILE", help="write the rows there too")
    options = parser.parse_args()
    angles = np.concatenate([np.linspace(0.3, 0.7, options.layers), -np.linspace(0.6, 0.2, options.layers)])
    rows: list[Row] = []
    print(f"QAOA, p = {options.layers}, {options.threads} threads: one value and gradient")
    print(f"{'qubits':>6}  {'problem':12} {'way':26} {'seconds':>9} {'processor seconds':>18}")
    for qubits, (name, make) in itertools.product(options.qubits, PROBLEMS.items()):
        first: Answer | None = None
        for way, build in ways(make(qubits), angles, options.threads, options.peers).items():
            row, answer = measure(qubits, name, way, build(), options.repeats)
            rows.append(row)
            print(
                f"{row.qubits:6}  {row.problem:12} {row.way:26} {row.seconds:9.4f} "
                f"{row.processor_seconds:18.4f}",
                flush=True,
            )
            first = first or answer
            error = max(abs(answer[0] - first[0]), float(np.abs(answer[1] - first[1]).max()))
            if error > TOLERANCE * max(1.0, abs(first[0])):
                raise SystemExit(f"{way} on {qubits} qubits is off by {error:.2g}")
    if options.json:
        Path(options.json).write_text(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    main()
