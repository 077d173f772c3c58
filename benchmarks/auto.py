"""Is AUTO's choice the right one? `python -m benchmarks.auto`.

Runs a mixed set of two hundred tasks on the backend that AUTO chooses, then on every other that can run them,
each given as much time as AUTO's needed: whatever is not done by then is slower. Prints how often the choice
was within 1.5 times the best, and where it was not.
"""

from __future__ import annotations

import argparse
import csv
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import qrealm
from benchmarks.mixed import Task, mixed_set
from qrealm.base.cancel import CancelToken, watching
from qrealm.base.errors import CancelledRunError, QrealmError, ResourceError
from qrealm.simulate.backends import BACKENDS, missing_package
from qrealm.simulate.plan.auto import refusal
from qrealm.simulate.plan.traits import traits

GOAL_RATIO, GOAL_SHARE = 1.5, 0.95
SECONDS_MAX = 60.0
REPEAT_BELOW_SECONDS = 0.2


@dataclass(frozen=True)
class Row:
    """One task: what AUTO chose and took, and what each other backend took (None when it was slower)."""

    task: str
    chosen: str
    seconds: float
    others: dict[str, float | None]
    failed: str = ""

    @property
    def best(self) -> tuple[str, float]:
        """The fastest, and its seconds."""
        known = {name: value for name, value in self.others.items() if value is not None}
        return min([(self.chosen, self.seconds), *known.items()], key=lambda item: item[1])

    @property
    def ratio(self) -> float:
        """AUTO's time over the best."""
        return self.seconds / self.best[1]


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Cancel the run on this thread when the time is up."""
    token = CancelToken()
    timer = threading.Timer(seconds, token.cancel)
    timer.daemon = True
    timer.start()
    try:
        with watching(token):
            yield
    finally:
        timer.cancel()


def timed(task: Task, backend: str, seconds_max: float) -> tuple[float, str]:
    """(shortest time of a run, the backend that it used). Short runs are repeated; the first one warms up."""
    best, used = float("inf"), ""
    repeats = 4
    while repeats > 0:
        with time_limit(seconds_max):
            begun = time.perf_counter()
            result = qrealm.run(task.circuit, seed=1, backend=backend, **task.ask)
            took = time.perf_counter() - begun
        used = result.metadata["backend"]
        best = min(best, took)
        repeats -= (
            1 if took < REPEAT_BELOW_SECONDS else 3
        )  # a long one runs twice: the first one finds cold memory
    return best, used


def measure(task: Task) -> Row:
    """One task on AUTO, then on every other backend that can run it."""
    try:
        seconds, chosen = timed(task, "auto", SECONDS_MAX)
    except (ResourceError, CancelledRunError, MemoryError) as problem:
        return Row(task.name, "", SECONDS_MAX, {}, failed=str(problem).splitlines()[0])
    others: dict[str, float | None] = {}
    for name in able(task):
        if name == chosen:
            continue
        try:
            others[name], _ = timed(task, name, max(0.05, 1.2 * seconds))
        except (CancelledRunError, ResourceError, MemoryError):
            others[name] = None
        except QrealmError:
            continue  # its card let it pass, and it cannot run this after all: it is no choice
    return Row(task.name, chosen, seconds, others)


def able(task: Task) -> list[str]:
    """The backends that AUTO may choose from."""
    from qrealm.simulate.request import make_request

    ask = {
        "shots": 0, "seed": 1, "precision": None, "threads": None, "return_statevector": False,
        "observables": None, "amplitudes": None, "sampled": False, "bit_order": "little", "backend": None,
        **task.ask,
    }  # fmt: skip
    wants = make_request(task.circuit.num_qubits, **ask).wants
    facts = traits(task.circuit)
    return [
        row.card.name
        for row in BACKENDS.values()
        if row.card.automatic and not missing_package(row.card) and not refusal(row.card, facts, wants)
    ]


def report(rows: Sequence[Row]) -> bool:
    """Print the outcome; whether the goal is met."""
    good = [row for row in rows if not row.failed and row.ratio <= GOAL_RATIO]
    failed = [row for row in rows if row.failed]
    share = len(good) / len(rows)
    print(
        f"{len(rows)} tasks; within {GOAL_RATIO} times the best on {len(good)} "
        f"({share:.1%}; goal {GOAL_SHARE:.0%})"
    )
    print(f"out of memory or out of time: {len(failed)}")
    for row in failed:
        print(f"  {row.task}: {row.failed}")
    print("\nwhere another was faster:")
    for row in sorted(rows, key=lambda row: -row.ratio):
        if not row.failed and row.ratio > GOAL_RATIO:
            name, seconds = row.best
            print(
                f"  {row.task:28} {row.chosen:14} {row.seconds:9.4f} s   {name:14} {seconds:9.4f} s"
                f"   {row.ratio:5.1f}"
            )
    chosen: dict[str, int] = {}
    for row in rows:
        chosen[row.chosen or "none"] = chosen.get(row.chosen or "none", 0) + 1
    print("\nchosen: " + ", ".join(f"{name} {count}" for name, count in sorted(chosen.items())))
    return share >= GOAL_SHARE and not failed


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.auto", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--only", default="", help="tasks whose name has this text")
    parser.add_argument("--csv", type=Path, help="write every time to this file")
    options = parser.parse_args()
    tasks = [task for task in mixed_set() if options.only in task.name]
    rows = []
    for number, task in enumerate(tasks, 1):
        row = measure(task)
        rows.append(row)
        others = ", ".join(
            f"{name} {value:.4f}" if value else f"{name} -" for name, value in row.others.items()
        )
        print(
            f"[{number}/{len(tasks)}] {task.name}: {row.chosen or row.failed} {row.seconds:.4f} s ({others})",
            flush=True,
        )
    if options.csv:
        with options.csv.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["task", "chosen", "seconds", "best", "best_seconds", "ratio", "failed"])
            for row in rows:
                writer.writerow([row.task, row.chosen, row.seconds, *row.best, row.ratio, row.failed])
    print()
    raise SystemExit(0 if report(rows) else 1)


if __name__ == "__main__":
    main()
