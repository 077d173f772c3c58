"""The goals in goals.toml as values, and whether measured figures reach them."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from benchmarks.peers import OURS, PEERS, Precision

GOALS_FILE = Path(__file__).with_name("goals.toml")


@dataclass(frozen=True)
class RatioGoal:
    """What the ratios of all families at one size and precision must reach; None where nothing is asked."""

    qubits: int
    precision: Precision
    against: Literal["same precision", "any precision"]
    geometric_mean: float | None = None
    smallest: float | None = None
    families: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class LatencyGoal:
    """A small circuit, in microseconds for one call."""

    qubits: int
    gates: int
    microseconds_max: float


@dataclass(frozen=True)
class LargeGoal:
    """A state of gibibytes: seconds for one circuit, and peak memory over the size of the state for all."""

    circuit: str
    qubits: int
    seconds_max: float
    memory_over_state_max: float


@dataclass(frozen=True)
class ReadingGoal:
    """Seconds to read a program of so many gates."""

    gates: int
    seconds_max: float


@dataclass(frozen=True)
class Goals:
    """All of goals.toml."""

    threads: int
    ratios: tuple[RatioGoal, ...]
    latency: LatencyGoal
    large: LargeGoal
    reading: ReadingGoal


@dataclass(frozen=True)
class Verdict:
    """One goal beside its figure. `rest` names the condition, as in "at least 8"."""

    what: str
    goal: str
    measured: str
    met: bool


def load_goals(path: Path = GOALS_FILE) -> Goals:
    """The goals in a file; an unknown key is a TypeError."""
    data = tomllib.loads(path.read_text())
    return Goals(
        threads=data["threads"],
        ratios=tuple(RatioGoal(**row) for row in data["ratios"]),
        latency=LatencyGoal(**data["latency"]),
        large=LargeGoal(**data["large"]),
        reading=ReadingGoal(**data["reading"]),
    )


def ratio(
    seconds: Mapping[str, float], precision: Precision, against: Literal["same precision", "any precision"]
) -> float | None:
    """The fastest peer's time over qrealm's; None if either is missing. `seconds` is by peer name."""
    ours = OURS[precision]
    others = [
        time
        for name, time in seconds.items()
        if name not in OURS.values() and (against == "any precision" or PEERS[name].precision == precision)
    ]
    if ours not in seconds or not others:
        return None
    return min(others) / seconds[ours]


def geometric_mean(values: list[float]) -> float:
    """The geometric mean of positive numbers."""
    return math.exp(sum(map(math.log, values)) / len(values))


def judge_ratios(goal: RatioGoal, seconds: Mapping[str, Mapping[str, float]]) -> list[Verdict]:
    """Verdicts on one size. `seconds` is by family, then by peer; a family without a ratio is left out."""
    found = {
        family: value
        for family, times in seconds.items()
        if (value := ratio(times, goal.precision, goal.against)) is not None
    }
    if not found:
        return []
    title = f"{goal.qubits} qubits, {goal.precision}, against {goal.against}"
    verdicts = [
        _at_least(f"{title}: {family}", least, found[family])
        for family, least in goal.families.items()
        if family in found
    ]
    if goal.geometric_mean is not None:
        mean = geometric_mean(list(found.values()))
        verdicts.append(_at_least(f"{title}: geometric mean of {len(found)}", goal.geometric_mean, mean))
    if goal.smallest is not None:
        family = min(found, key=found.__getitem__)
        verdicts.append(_at_least(f"{title}: smallest ({family})", goal.smallest, found[family]))
    return verdicts


def _at_least(what: str, least: float, value: float) -> Verdict:
    return Verdict(what, f"at least {least:g}", f"{value:.3g}", value >= least)


def at_most(what: str, limit: float, value: float, unit: str) -> Verdict:
    """A verdict on a figure that should be small."""
    return Verdict(what, f"at most {limit:g} {unit}".rstrip(), f"{value:.3g} {unit}".rstrip(), value <= limit)
