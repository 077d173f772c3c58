"""The results of one run of the benchmarks, and the file that keeps them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.case_process import Answer
from benchmarks.goals import Verdict
from benchmarks.limits import Limits, Share
from benchmarks.machine import Machine
from benchmarks.single import LargeRun, Latency, Reading


@dataclass
class Results:
    """One run of the benchmarks; what was not measured is empty or None."""

    date: str
    command: str
    machine: Machine
    threads: int
    answers: list[Answer] = field(default_factory=list)
    latency: Latency | None = None
    large: list[LargeRun] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    limits: Limits | None = None
    shares: list[Share] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)


def write_results(results: Results, path: Path) -> None:
    """Write a results file, making its folder if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(results), indent=1) + "\n")


def read_results(path: Path) -> Results:
    """Read a results file; one written by another version of this format is a TypeError or KeyError."""
    data = json.loads(path.read_text())
    machine = data["machine"]
    return Results(
        date=data["date"],
        command=data["command"],
        machine=Machine(**machine | {"vector_instructions": tuple(machine["vector_instructions"])}),
        threads=data["threads"],
        answers=[Answer(**row) for row in data["answers"]],
        latency=Latency(**data["latency"]) if data["latency"] else None,
        large=[LargeRun(**row) for row in data["large"]],
        readings=[Reading(**row) for row in data["readings"]],
        limits=Limits(**data["limits"]) if data["limits"] else None,
        shares=[Share(**row) for row in data["shares"]],
        verdicts=[Verdict(**row) for row in data["verdicts"]],
    )
