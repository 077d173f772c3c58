"""Times one case on every peer in one process: A B C A B C …, so that a slow minute of the machine hits all
alike.

Run as `python -m benchmarks.case_process REQUEST.json ANSWER.json`; `measure.measure_case` does so, with
the variables that set the number of threads in the environment, because OpenMP libraries read them only
when they are loaded.
"""

from __future__ import annotations

import dataclasses
import gc
import json
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.cases import Case
from benchmarks.check import QUBITS_MAX, TOLERANCE, largest_error, reference_amplitudes
from benchmarks.peers import OURS, PEERS, Adapter

SECONDS_PER_TURN = 0.15
RUNS_PER_TURN_MAX = 100
PAUSE_SECONDS = 0.02


@dataclass(frozen=True)
class Request:
    """What to time."""

    family: str
    num_qubits: int
    peers: tuple[str, ...]
    threads: int
    repeats: int


@dataclass
class Answer:
    """What was found, by peer: all times in seconds, the largest amplitude error, or why there is no
    figure."""

    family: str
    num_qubits: int
    num_gates: int
    seconds: dict[str, list[float]] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def medians(self) -> dict[str, float]:
        """The median time in seconds of each peer that ran."""
        return {name: statistics.median(times) for name, times in self.seconds.items()}


def run_case(request: Request) -> Answer:
    """Prepare every peer, check its answer where the reference can, then time them in turn."""
    case = Case.build(request.family, request.num_qubits)
    answer = Answer(case.family, case.num_qubits, len(case.gates))
    adapters: dict[str, Adapter] = {}
    for name in request.peers:
        try:
            adapters[name] = PEERS[name].prepare(case, request.threads)
            _check(case, name, adapters[name], answer)
            adapters[name].run()  # first calls load libraries and fill caches; an error shows here
        except Exception as error:  # noqa: BLE001  another simulator's failure is a result, and is reported as one
            adapters.pop(name, None)
            answer.failures[name] = f"{type(error).__name__}: {error}"
    _time(adapters, request.repeats, answer)
    return answer


def _check(case: Case, name: str, adapter: Adapter, answer: Answer) -> None:
    if case.num_qubits > QUBITS_MAX:
        return
    ours = name in OURS.values()
    error = largest_error(reference_amplitudes(case), adapter.amplitudes(), any_phase=not ours)
    answer.errors[name] = error
    allowed = TOLERANCE[PEERS[name].precision] * (1 if ours else 100)
    if not error <= allowed:
        raise ArithmeticError(f"wrong answer: an amplitude is off by {error:.1e}, allowed is {allowed:.0e}")


def _time(adapters: dict[str, Adapter], repeats: int, answer: Answer) -> None:
    runs = {name: _runs_per_turn(adapter) for name, adapter in adapters.items()}
    gc.collect()
    gc.disable()
    for _ in range(repeats):
        for name, adapter in adapters.items():
            time.sleep(PAUSE_SECONDS)
            if runs[name] > 1:
                adapter.run()
            answer.seconds.setdefault(name, []).extend(_seconds(adapter) for _ in range(runs[name]))
    gc.enable()


def _runs_per_turn(adapter: Adapter) -> int:
    return max(1, min(RUNS_PER_TURN_MAX, int(SECONDS_PER_TURN / _seconds(adapter))))


def _seconds(adapter: Adapter) -> float:
    start = time.perf_counter()
    adapter.run()
    return time.perf_counter() - start


def main() -> None:
    request_file, answer_file = map(Path, sys.argv[1:])
    data = json.loads(request_file.read_text())
    answer = run_case(Request(**{**data, "peers": tuple(data["peers"])}))
    answer_file.write_text(json.dumps(dataclasses.asdict(answer)))


if __name__ == "__main__":
    main()
