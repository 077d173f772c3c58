"""What noise costs: `python -m benchmarks.noise`.

Layers of RY and RZ on every qubit and CX on pairs of neighbours, in turns; after every gate on one qubit
depolarizing noise of a tenth of the given probability, after every CX of all of it. Two questions:

* exact: expectation values of the mixed state, in double precision. qrealm's `density_matrix` beside Aer's.
* shots: samples, in single precision. qrealm's `trajectories` beside Aer's noisy `statevector` and qsim's
  trajectories (through qsimcirq).

Every simulator has a process of its own. They take turns; each turn is a new process that loads what it
needs with a run of two qubits, and then times one run. The median of the turns counts, of wall seconds and of
processor seconds (all threads together): the latter says more on a busy machine. Building circuits and noise
models is not timed. Before anything is timed, all answers are compared: exact ones at every size with each
other, samples of a small circuit with its exact values.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from benchmarks.machine import describe_machine
from benchmarks.measure import run_module
from benchmarks.report import console, format_seconds

Kind = Literal["exact", "shots"]
Gates = list[tuple[str, tuple[int, ...], float]]
Values = NDArray[np.float64]
"""<Z_q> of each qubit, then <Z_q Z_q+1> of each pair of neighbours."""

ERROR_MAX = 1e-8
"""Exact values differ by no more."""
CHECK_QUBITS, CHECK_DEPTH, CHECK_PROBABILITY, CHECK_SHOTS = 6, 4, 0.1, 4000
CHECK_DEVIATIONS = 5.0
"""Standard errors, of the exact distribution, that a sampled value may be off."""


@dataclass(frozen=True)
class Task:
    """What is asked of a simulator. `shots` is 0 for exact values; `probability` is that of a CX."""

    num_qubits: int
    depth: int
    probability: float
    shots: int
    threads: int

    @property
    def kind(self) -> Kind:
        """Which of the two questions."""
        return "shots" if self.shots else "exact"


@dataclass(frozen=True)
class Reading:
    """One simulator's turns at one task, in seconds."""

    simulator: str
    task: Task
    wall_seconds: tuple[float, ...]
    processor_seconds: tuple[float, ...]

    @property
    def wall(self) -> float:
        """Median of the turns."""
        return median(self.wall_seconds)

    @property
    def processor(self) -> float:
        """Median of the turns."""
        return median(self.processor_seconds)


def layers(num_qubits: int, depth: int, seed: int = 7) -> Gates:
    """(name, qubits, angle; 0 for CX)."""
    draw = np.random.default_rng(seed)
    gates: Gates = []
    for layer in range(depth):
        for qubit in range(num_qubits):
            gates += [(name, (qubit,), float(draw.uniform(0, 2 * np.pi))) for name in ("ry", "rz")]
        gates += [("cx", (qubit, qubit + 1), 0.0) for qubit in range(layer % 2, num_qubits - 1, 2)]
    return gates


def masks(num_qubits: int) -> list[tuple[int, ...]]:
    """The qubits of each observable."""
    return [*((q,) for q in range(num_qubits)), *((q, q + 1) for q in range(num_qubits - 1))]


def means(bits: NDArray[np.bool_]) -> Values:
    """The observables' averages over shots; shape of `bits` (shots, qubits), qubit 0 first."""
    signs = 1.0 - 2.0 * bits
    return np.concatenate([signs.mean(0), (signs[:, :-1] * signs[:, 1:]).mean(0)])


def bits_of_counts(counts: dict[str, int], num_qubits: int) -> NDArray[np.bool_]:
    """Counts, qubit 0 rightmost, as rows of bits."""
    rows = [[letter == "1" for letter in reversed(key[-num_qubits:])] for key in counts]
    return np.repeat(np.array(rows, dtype=bool), list(counts.values()), axis=0)


# ---- simulators ----------------------------------------------------------------------------------


def prepare_qrealm(task: Task) -> Callable[[], Values]:
    """The density matrix for values, trajectories for shots."""
    import qrealm
    from qrealm.circuits.noise import NoiseModel, depolarizing

    circuit = qrealm.Circuit(task.num_qubits)
    for name, qubits, angle in layers(task.num_qubits, task.depth):
        circuit.append(name, qubits, () if name == "cx" else (angle,))
    noise = NoiseModel()
    noise = noise.after_gates(depolarizing(task.probability / 10), ["ry", "rz"])
    noise = noise.after_gates(depolarizing(task.probability, 2), "cx")
    noisy = noise.apply(circuit)
    if task.shots:

        def sampled() -> Values:
            found = qrealm.run(
                noisy, task.shots, 1, "single", task.threads, backend="trajectories"
            )  # without measurements all qubits are read
            return means(bits_of_counts(found.counts, task.num_qubits))

        return sampled
    named = {
        str(place): " ".join(f"Z{qubit}" for qubit in mask)
        for place, mask in enumerate(masks(task.num_qubits))
    }

    def exact() -> Values:
        found = qrealm.run(noisy, 0, 1, "double", task.threads, backend="density_matrix", observables=named)
        return np.array(list(found.expectation_values.values()))

    return exact


def prepare_aer(task: Task) -> Callable[[], Values]:
    """Aer's density matrix for values, its state vector, run again for every shot, for shots."""
    from qiskit import QuantumCircuit
    from qiskit.quantum_info import Pauli
    from qiskit_aer import AerSimulator
    from qiskit_aer.noise import NoiseModel, depolarizing_error

    circuit = QuantumCircuit(task.num_qubits)
    for name, qubits, angle in layers(task.num_qubits, task.depth):
        getattr(circuit, name)(*(() if name == "cx" else (angle,)), *qubits)
    model = NoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(task.probability / 10, 1), ["ry", "rz"])
    model.add_all_qubit_quantum_error(depolarizing_error(task.probability, 2), ["cx"])
    if task.shots:
        circuit.measure_all()
    else:
        for place, mask in enumerate(masks(task.num_qubits)):
            circuit.save_expectation_value(Pauli("Z" * len(mask)), list(mask), label=str(place))
    simulator = AerSimulator(
        method="statevector" if task.shots else "density_matrix",
        precision="single" if task.shots else "double",
        noise_model=model,
        max_parallel_threads=task.threads,
        max_parallel_shots=task.threads if task.shots else 1,
    )

    def run() -> Values:
        result = simulator.run(circuit, shots=task.shots or 1, seed_simulator=1).result()
        assert result.success, result.status
        if task.shots:
            return means(bits_of_counts(result.get_counts(), task.num_qubits))
        data = result.data()
        return np.array([data[str(place)] for place in range(2 * task.num_qubits - 1)])

    return run


def prepare_qsim(task: Task) -> Callable[[], Values]:
    """qsim's trajectories; single precision only."""
    import cirq
    import qsimcirq

    class AfterGates(cirq.NoiseModel):  # type: ignore[misc]
        """Cirq's probability is that of an error, and identity is none."""

        def noisy_operation(self, operation: cirq.Operation) -> list[cirq.Operation]:
            if cirq.is_measurement(operation):
                return [operation]
            count = len(operation.qubits)
            mixed = task.probability if count == 2 else task.probability / 10
            channel = cirq.depolarize(mixed * (1 - 4.0**-count), n_qubits=count)
            return [operation, channel.on(*operation.qubits)]

    line = cirq.LineQubit.range(task.num_qubits)
    makers = {"ry": cirq.ry, "rz": cirq.rz}
    plain = cirq.Circuit()
    for name, qubits, angle in layers(task.num_qubits, task.depth):
        gate = cirq.CNOT if name == "cx" else makers[name](angle)
        plain.append(gate.on(*(line[q] for q in qubits)))
    noisy = plain.with_noise(AfterGates()) + cirq.Circuit(cirq.measure(*line, key="all"))
    options = qsimcirq.QSimOptions(cpu_threads=task.threads, max_fused_gate_size=4)
    simulator = qsimcirq.QSimSimulator(options, seed=1)

    def run() -> Values:
        found = simulator.run(noisy, repetitions=task.shots)
        return means(found.measurements["all"].astype(bool))

    return run


SIMULATORS: dict[str, tuple[str, tuple[Kind, ...], Callable[[Task], Callable[[], Values]]]] = {
    "qrealm": ("qrealm", ("exact", "shots"), prepare_qrealm),
    "aer": ("qiskit_aer", ("exact", "shots"), prepare_aer),
    "qsim": ("qsimcirq", ("shots",), prepare_qsim),
}
"""Name -> package, questions that it answers, how it is made ready."""


def installed(kind: Kind, names: Sequence[str]) -> list[str]:
    """Simulators that are here and answer this question."""
    return [
        name
        for name in names
        if kind in SIMULATORS[name][1] and importlib.util.find_spec(SIMULATORS[name][0]) is not None
    ]


# ---- comparing -----------------------------------------------------------------------------------


def largest_deviation(sampled: Values, exact: Values, shots: int) -> float:
    """The largest difference, in standard errors of averages of so many readings of ±1."""
    errors = np.sqrt(np.maximum(1.0 - exact**2, 1.0 / shots) / shots)
    return float(np.max(np.abs(sampled - exact) / errors))


def check_samples(names: Sequence[str], threads: int) -> None:
    """Samples of a small circuit beside its exact values.

    Raises:
        SystemExit: a simulator is off.
    """
    small = Task(CHECK_QUBITS, CHECK_DEPTH, CHECK_PROBABILITY, 0, threads)
    exact = prepare_qrealm(small)()
    for name in names:
        sampled = SIMULATORS[name][2](dataclasses.replace(small, shots=CHECK_SHOTS))()
        off = largest_deviation(sampled, exact, CHECK_SHOTS)
        if off > CHECK_DEVIATIONS:
            raise SystemExit(f"{name} is {off:.1f} standard errors off in {CHECK_SHOTS} shots")


def check_exact(answers: dict[str, Values], task: Task) -> None:
    """Exact values beside each other. Raises SystemExit when they differ."""
    wanted = next(iter(answers.values()))
    for name, values in answers.items():
        error = float(np.abs(values - wanted).max())
        if error > ERROR_MAX:
            raise SystemExit(f"{name} differs by {error:.1e} at {task.num_qubits} qubits")


# ---- measuring -----------------------------------------------------------------------------------


def measure_here(name: str, task: Task) -> Values:
    """Wall seconds and processor seconds of one run, followed by what it found."""
    prepare = SIMULATORS[name][2]
    prepare(dataclasses.replace(task, num_qubits=2, depth=2))()
    run = prepare(task)
    wall, processor = time.perf_counter(), time.process_time()
    values = run()
    return np.array([time.perf_counter() - wall, time.process_time() - processor, *values])


def turn(name: str, task: Task) -> Values:
    """`measure_here` in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "answer.npy")
        words = [name, json.dumps(dataclasses.asdict(task)), str(answer)]
        run_module("benchmarks.noise", "--turn", *words, threads=task.threads)
        found: Values = np.load(answer)
        return found


def measure(task: Task, names: Sequence[str], repeats: int) -> list[Reading]:
    """All simulators at one task, in turns. What fails is told, and has no figure."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for _ in range(repeats):
        answers: dict[str, Values] = {}
        for name in list(times):
            try:
                wall, processor, *values = turn(name, task)
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as problem:
                told = f"{name}, {task.num_qubits} qubits: no figure: {problem}"
                console.print(told, style="red", highlight=False)
                del times[name]
                continue
            times[name].append((wall, processor))
            answers[name] = np.array(values)
        if task.kind == "exact" and answers:
            check_exact(answers, task)
    return [
        Reading(name, task, tuple(wall for wall, _ in taken), tuple(cpu for _, cpu in taken))
        for name, taken in times.items()
        if taken
    ]


def print_table(readings: Sequence[Reading], kind: Kind) -> None:
    """One row for each simulator and task."""
    title = {"exact": "exact values, double precision", "shots": "samples, single precision"}[kind]
    table = Table(title=title, title_justify="left")
    table.add_column("simulator")
    columns = ("qubits", "probability", "shots", "turns", "wall", "over qrealm", "processor", "over qrealm")
    for column in columns:
        table.add_column(column, justify="right")
    ours = {each.task: each for each in readings if each.simulator == "qrealm"}
    for each in readings:
        task, own = each.task, ours.get(each.task)
        table.add_row(
            each.simulator,
            str(task.num_qubits),
            f"{task.probability:g}",
            str(task.shots or ""),
            str(len(each.wall_seconds)),
            format_seconds(each.wall),
            f"{each.wall / own.wall:.1f}" if own else "",
            format_seconds(each.processor),
            f"{each.processor / own.processor:.1f}" if own else "",
        )
    console.print(table)


def write_json(readings: Sequence[Reading], path: Path) -> None:
    """All turns, and the machine."""
    rows = [dataclasses.asdict(each) for each in readings]
    machine = dataclasses.asdict(describe_machine())
    path.write_text(json.dumps({"machine": machine, "readings": rows}, indent=1) + "\n")


def shots_for(num_qubits: int) -> int:
    """Few enough that the slowest takes about a minute."""
    return 1000 if num_qubits <= 10 else 100 if num_qubits <= 15 else 10


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.noise", description="Time noisy circuits on qrealm, Aer and qsim."
    )
    parser.add_argument("--exact", type=int, nargs="*", default=[8, 10, 12], metavar="QUBITS")
    parser.add_argument("--sampled", type=int, nargs="*", default=[10, 15, 20], metavar="QUBITS")
    parser.add_argument(
        "--shots", type=int, help="of every size; else 1000, 100 above 10 and 10 above 15 qubits"
    )
    parser.add_argument("--probability", type=float, nargs="+", default=[0.001, 0.01])
    parser.add_argument("--depth", type=int, default=20)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=5, help="turns of each simulator; their median counts")
    parser.add_argument("--only", choices=SIMULATORS, nargs="+", default=list(SIMULATORS))
    parser.add_argument("--json", type=Path, help="write all readings to this file")
    parser.add_argument("--turn", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    options = parse()
    if options.turn:
        name, told, answer = options.turn
        np.save(answer, measure_here(name, Task(**json.loads(told))))
        return
    readings: list[Reading] = []
    for kind, sizes in (("exact", options.exact), ("shots", options.sampled)):
        names = installed(kind, options.only)
        if kind == "shots" and sizes:
            check_samples(names, options.threads)
        found: list[Reading] = []
        for num_qubits in sizes:
            shots = (options.shots or shots_for(num_qubits)) if kind == "shots" else 0
            for probability in options.probability:
                task = Task(num_qubits, options.depth, probability, shots, options.threads)
                found += measure(task, names, options.repeats)
        if found:
            print_table(found, kind)
        readings += found
    if options.json:
        write_json(readings, options.json)


if __name__ == "__main__":
    main()
