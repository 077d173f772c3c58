"""`python -m benchmarks`: measure, compare with the goals, write a results file and a plot."""

from __future__ import annotations

import argparse
import datetime
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.case_process import Answer, Request
from benchmarks.cases import FAMILIES
from benchmarks.goals import Goals, Verdict, at_most, judge_ratios, load_goals
from benchmarks.limits import measure_in_process
from benchmarks.machine import describe_machine
from benchmarks.measure import measure_case
from benchmarks.page import publish
from benchmarks.peers import OURS, PEERS, Precision
from benchmarks.report import (
    console,
    plot_answers,
    print_answer,
    print_limits,
    print_ratios,
    print_shares,
    print_verdicts,
)
from benchmarks.results import Results, write_results
from benchmarks.single import LARGE_CIRCUITS, READING_FORMS, measure_large, measure_latency, measure_reading

RESULTS_FOLDER = Path(__file__).with_name("results")


@dataclass(frozen=True)
class Size:
    """A number of qubits and the precisions to measure there."""

    qubits: int
    precisions: tuple[Precision, ...]


def sizes_of(goals: Goals, qubits: Sequence[int] | None, precision: str) -> list[Size]:
    """The sizes asked for; without `qubits`, those of the goals, with peers of every precision where a goal
    asks."""
    asked: tuple[Precision, ...] = ("single", "double") if precision == "both" else (precision,)  # type: ignore[assignment]
    if qubits:
        return [Size(number, asked) for number in qubits]
    chosen = []
    for goal in sorted(goals.ratios, key=lambda goal: goal.qubits):
        wanted: tuple[Precision, ...] = (
            ("single", "double") if goal.against == "any precision" else (goal.precision,)
        )
        if kept := tuple(item for item in wanted if item in asked):
            chosen.append(Size(goal.qubits, kept))
    return chosen


def measure_cases(sizes: Sequence[Size], options: argparse.Namespace) -> list[Answer]:
    """Every family at every size, printed as it comes."""
    answers = []
    for size in sizes:
        peers = tuple(name for name in options.peers if PEERS[name].precision in size.precisions)
        for family in options.families:
            answers.append(
                measure_case(Request(family, size.qubits, peers, options.threads, options.repeats))
            )
            print_answer(answers[-1])
    return answers


def judge(goals: Goals, results: Results) -> list[Verdict]:
    """All goals for which there are figures."""
    verdicts: list[Verdict] = []
    for goal in goals.ratios:
        times = {a.family: a.medians() for a in results.answers if a.num_qubits == goal.qubits}
        verdicts += judge_ratios(goal, times)
    if results.latency:
        what = f"{results.latency.qubits} qubits, {results.latency.gates} gates, 1,000 shots"
        verdicts.append(at_most(what, goals.latency.microseconds_max, results.latency.median_us, "µs"))
    for large in results.large:
        what = f"{large.qubits} qubits, {large.precision}, {large.circuit}"
        if large.circuit == goals.large.circuit:
            verdicts.append(at_most(f"{what}: time", goals.large.seconds_max, large.seconds, "s"))
        limit = goals.large.memory_over_state_max
        verdicts.append(at_most(f"{what}: peak memory over state", limit, large.memory_over_state, ""))
    for reading in results.readings:
        what = f"reading {reading.gates:,} gates of {reading.form}"
        verdicts.append(at_most(what, goals.reading.seconds_max, reading.seconds, "s"))
    return verdicts


def memory_available_bytes() -> int:
    """Memory that a new process can use."""
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def measure_alone(goals: Goals, results: Results, options: argparse.Namespace) -> None:
    """The figures that have no peers: latency, reading, the large run, the limits."""
    results.latency = measure_latency(goals.latency.qubits, goals.latency.gates)
    for form in READING_FORMS:
        results.readings.append(measure_reading(form, goals.reading.gates))
    largest = max((answer.num_qubits for answer in results.answers), default=20)
    precision = "double" if options.precision == "double" else "single"
    results.limits, results.shares = measure_in_process(options.families, largest, precision, options.threads)
    print_limits(results.limits)
    print_shares(results.shares)
    needed = 2**goals.large.qubits * 8 * goals.large.memory_over_state_max
    if memory_available_bytes() < needed:
        console.print(f"{goals.large.qubits} qubits need {needed / 2**30:.1f} GiB of free memory; left out")
        return
    for circuit in LARGE_CIRCUITS:
        results.large.append(measure_large(circuit, goals.large.qubits, "single", options.threads))


def parse_options(goals: Goals) -> argparse.Namespace:
    """The command line; its defaults measure every goal."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--qubits", type=int, nargs="+", help="sizes (default: those of the goals)")
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=list(FAMILIES), metavar="FAMILY")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS), metavar="PEER")
    parser.add_argument("--precision", choices=("single", "double", "both"), default="both")
    parser.add_argument("--threads", type=int, default=goals.threads)
    parser.add_argument("--repeats", type=int, default=3, help="least number of timed runs of each")
    parser.add_argument("--no-alone", action="store_true", help="leave out what has no peers")
    parser.add_argument("--out", type=Path, help="results file (default: benchmarks/results/DATE.json)")
    parser.add_argument("--plot", type=Path, help="picture (default: beside the results file)")
    parser.add_argument(
        "--publish", action="store_true", help="also write docs/performance.md and its picture"
    )
    return parser.parse_args()


def main() -> None:
    goals = load_goals()
    options = parse_options(goals)
    now = datetime.datetime.now(datetime.UTC)
    arguments = shlex.join(sys.argv[1:])
    command = f"make bench ARGS={shlex.quote(arguments)}" if arguments else "make bench"
    results = Results(now.isoformat(timespec="seconds"), command, describe_machine(), options.threads)
    console.print(results.machine.title())
    results.answers = measure_cases(sizes_of(goals, options.qubits, options.precision), options)
    print_ratios(results.answers, [p for p in OURS if options.precision in (p, "both")])
    if not options.no_alone:
        measure_alone(goals, results, options)
    results.verdicts = judge(goals, results)
    print_verdicts(results.verdicts)
    out = options.out or RESULTS_FOLDER / f"{now:%Y-%m-%d-%H%M}.json"
    write_results(results, out)
    picture = options.plot or out.with_suffix(".png")
    plot_answers(results.answers, results.machine, picture)
    console.print(f"wrote {out} and {picture}")
    if options.publish:
        publish(results)


if __name__ == "__main__":
    main()
