"""Figures of qrealm alone: latency of a small circuit, a state of gibibytes, reading a long program.

The large run has a process of its own, so that its peak memory is its own:
`python -m benchmarks.single CIRCUIT QUBITS PRECISION THREADS ANSWER.json`.
"""

from __future__ import annotations

import json
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal, get_args

from benchmarks.cases import Case, Gate
from benchmarks.peers.qrealm import as_dict

LATENCY_CALLS = 3000
READING_REPEATS = 3
ReadingForm = Literal["OpenQASM 2", "OpenQASM 3", "OpenQASM 3, every angle a different share of pi"]
READING_FORMS: tuple[ReadingForm, ...] = get_args(ReadingForm)
"""What `measure_reading` can time."""


@dataclass(frozen=True)
class Latency:
    """One call of `qrealm.run` on a circuit that has been read, in microseconds.

    Counts with bit strings are made when they are asked for: `median_with_counts_us` asks. A circuit
    remembers its packed form: `median_first_us` is of circuits that were just read and never run before.
    """

    qubits: int
    gates: int
    median_us: float
    median_with_counts_us: float
    median_first_us: float
    fastest_us: float
    percentile_99_us: float


@dataclass(frozen=True)
class LargeRun:
    """One run of a circuit of `LARGE_CIRCUITS`. Memory in bytes; `memory_bytes_max` is the whole process's
    peak."""

    circuit: str
    qubits: int
    precision: str
    seconds: float
    state_bytes: int
    memory_bytes_max: int

    @property
    def memory_over_state(self) -> float:
        """Peak memory of the process over the size of the state."""
        return self.memory_bytes_max / self.state_bytes


@dataclass(frozen=True)
class Reading:
    """Reading a program of so many gates from text: the median in seconds."""

    form: str
    gates: int
    seconds: float


def small_case(num_qubits: int, num_gates: int, seed: int = 5) -> Case:
    """A circuit of random named gates, a third of them CX."""
    draw = random.Random(seed)

    def gates() -> Iterator[Gate]:
        for index in range(num_gates):
            if index % 3 == 2:
                control, target = draw.sample(range(num_qubits), 2)
                yield Gate("cx", (control, target))
            else:
                name = draw.choice(("h", "t", "rx", "ry", "rz"))
                params = (draw.uniform(0, 6),) if name.startswith("r") else ()
                yield Gate(name, (draw.randrange(num_qubits),), params)

    return Case("small", num_qubits, tuple(gates()))


def measure_latency(num_qubits: int, num_gates: int) -> Latency:
    """Call `qrealm.run` many times with 1,000 shots, everything but the circuit left to its defaults."""
    import qrealm

    source = as_dict(small_case(num_qubits, num_gates))
    circuit = qrealm.read(source)
    alone = sorted(_times(lambda: qrealm.run(circuit, shots=1000, seed=1), LATENCY_CALLS))
    with_counts = _times(lambda: qrealm.run(circuit, shots=1000, seed=1).counts, LATENCY_CALLS)
    fresh = iter([qrealm.read(source) for _ in range(LATENCY_CALLS + 1)])
    first = _times(lambda: qrealm.run(next(fresh), shots=1000, seed=1), LATENCY_CALLS)
    return Latency(
        qubits=num_qubits,
        gates=num_gates,
        median_us=1e6 * statistics.median(alone),
        median_with_counts_us=1e6 * statistics.median(with_counts),
        median_first_us=1e6 * statistics.median(first),
        fastest_us=1e6 * alone[0],
        percentile_99_us=1e6 * alone[int(0.99 * len(alone))],
    )


def program_text(form: ReadingForm, num_gates: int, *, seed: int = 0) -> str:
    """A straight-line program of `num_gates` random gates on 20 qubits."""
    num_qubits = 20
    if form == "OpenQASM 2":
        head = ["OPENQASM 2.0;", 'include "qelib1.inc";', f"qreg q[{num_qubits}];", f"creg c[{num_qubits}];"]
        tail = "measure q -> c;"
    else:
        head = [
            "OPENQASM 3.0;",
            'include "stdgates.inc";',
            f"qubit[{num_qubits}] q;",
            f"bit[{num_qubits}] c;",
        ]
        tail = "c = measure q;"
    body = []
    if form == "OpenQASM 3, every angle a different share of pi":
        draw = random.Random(seed)
        angles = (f"{draw.choice(('', '-'))}{i}*pi/{draw.randrange(1, 10**6)}" for i in range(num_gates))
        body = [f"rz({angle}) q[{i % num_qubits}];" for i, angle in enumerate(angles)]
        return "\n".join([*head, *body, tail, ""])
    for gate in small_case(num_qubits, num_gates, seed).gates:
        params = f"({','.join(map(repr, gate.params))})" if gate.params else ""
        body.append(f"{gate.name}{params} {','.join(f'q[{q}]' for q in gate.qubits)};")
    return "\n".join([*head, *body, tail, ""])


def measure_reading(form: ReadingForm, num_gates: int) -> Reading:
    """Time `qrealm.read` of a long program."""
    import qrealm

    # Another program each time, so that nothing remembered from the one before can help.
    texts = iter([program_text(form, num_gates, seed=seed) for seed in range(READING_REPEATS + 1)])
    times = _times(lambda: qrealm.read(next(texts)), READING_REPEATS)
    return Reading(form, num_gates, statistics.median(times))


def _times(call: Callable[[], object], calls: int) -> list[float]:
    call()
    times = []
    for _ in range(calls):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return times


def _ladder(num_qubits: int) -> list[Gate]:
    """H on every qubit and a chain of CX. The chain leaves |+…+⟩ as it is: a simulator that sees so moves
    nothing."""
    return [Gate("h", (q,)) for q in range(num_qubits)] + [
        Gate("cx", pair) for pair in pairwise(range(num_qubits))
    ]


def _rotated_ladder(num_qubits: int) -> list[Gate]:
    """The ladder between two layers of rotations, so that every qubit is entangled and the whole state is
    needed."""
    before = [Gate("ry", (q,), (0.1 + 0.37 * q,)) for q in range(num_qubits)]
    after = [Gate("rx", (q,), (0.2 + 0.29 * q,)) for q in range(num_qubits)]
    return before + _ladder(num_qubits) + after


LARGE_CIRCUITS: dict[str, Callable[[int], list[Gate]]] = {
    "ladder": _ladder,
    "rotated ladder": _rotated_ladder,
}


def measure_large(
    circuit: str, num_qubits: int, precision: Literal["single", "double"], threads: int
) -> LargeRun:
    """Run a circuit of `LARGE_CIRCUITS` once, with 1,000 shots, in a fresh process."""
    from benchmarks.measure import run_module

    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "answer.json")
        arguments = (circuit, str(num_qubits), precision, str(threads), str(answer))
        run_module("benchmarks.single", *arguments, threads=threads)
        return LargeRun(**json.loads(answer.read_text()))


def run_large(
    circuit: str, num_qubits: int, precision: Literal["single", "double"], threads: int
) -> LargeRun:
    """The run itself, in this process."""
    import qrealm

    gates = tuple(LARGE_CIRCUITS[circuit](num_qubits))
    read = qrealm.read(as_dict(Case(circuit, num_qubits, gates)))
    start = time.perf_counter()
    qrealm.run(read, shots=1000, seed=1, precision=precision, threads=threads)
    return LargeRun(
        circuit=circuit,
        qubits=num_qubits,
        precision=precision,
        seconds=time.perf_counter() - start,
        state_bytes=2**num_qubits * (8 if precision == "single" else 16),
        memory_bytes_max=peak_memory_bytes(),
    )


def peak_memory_bytes() -> int:
    """The most memory that this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS counts bytes, Linux kibibytes.
    return peak if sys.platform == "darwin" else peak * 1024


def main() -> None:
    circuit, qubits, precision, threads, answer = sys.argv[1:]
    if precision not in ("single", "double"):
        raise SystemExit(f"the precision is single or double, not {precision!r}")
    Path(answer).write_text(json.dumps(asdict(run_large(circuit, int(qubits), precision, int(threads)))))


if __name__ == "__main__":
    main()
