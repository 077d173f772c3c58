"""Every solver and its rivals at equal wall-clock: `python -m benchmarks.scoreboard --seconds 2`.

Rivals that are not installed are left out and named:
`pip install dwave-samplers openjij simulated-bifurcation`.
With `--publish`, table and picture go into docs/optimize.md and docs/images/scoreboard.png.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.scoreboard.instances import Instance, all_instances
from benchmarks.scoreboard.rivals import RIVALS, Rival, ising_of
from qrealm.base.errors import QrealmError
from qrealm.base.machine import cores_default
from qrealm.optimize import Assignment, solve
from qrealm.optimize.problems.evaluate import evaluate, violations
from qrealm.optimize.solvers import AUTO, SOLVERS, refusal_of

BEGIN, END = "<!-- scoreboard -->", "<!-- end of scoreboard -->"
PAGE = Path(__file__).parents[2] / "docs" / "optimize.md"
PICTURE = PAGE.parent / "images" / "scoreboard.png"


@dataclass(frozen=True, slots=True)
class Score:
    """One solver on one instance; `value` inf when it found nothing."""

    family: str
    instance: str
    solver: str
    value: float
    bound: float
    seconds: float
    seed: int


def ours(instance: Instance, solver: str, seconds: float, seed: int, threads: int) -> Score:
    """Our solver; its answer is checked by the independent validator."""
    problem = instance.problem
    try:
        result = solve(problem, solver=solver, seconds=seconds, seed=seed, threads=threads)
    except QrealmError:
        return Score(instance.family, instance.name, solver, math.inf, -math.inf, seconds, seed)
    if isinstance(problem, Assignment):
        assert not violations(problem, result.answer), f"{solver} broke a demand of {instance.name}"
        value = evaluate(problem, result.answer).value
    else:
        value = problem.energy(result.answer)
    assert abs(value - result.value) <= 1e-6 * max(1, abs(value)), f"{solver} reports a wrong value"
    return Score(instance.family, instance.name, solver, value, result.bound, result.seconds, seed)


def theirs(rival: Rival, instance: Instance, seconds: float, seed: int, threads: int) -> Score:
    """A rival in as many processes as ours have threads; starting them and loading is not timed."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(threads, mp_context=spawn) as pool:
        tasks = [(instance.problem, seconds, seed + number) for number in range(threads)]
        running = [pool.submit(rival.run, *task) for task in tasks]
        value = min(task.result() for task in running)
    return Score(instance.family, instance.name, rival.name, value, -math.inf, seconds, seed)


def play(
    instances: list[Instance], only: list[str], seconds: float, seeds: int, threads: int, console: Console
) -> list[Score]:
    """All pairs, solvers in turns on each instance."""
    rivals = [rival for rival in RIVALS if rival.is_installed()]
    for rival in RIVALS:
        if rival not in rivals:
            console.print(f"left out: {rival.name}, {rival.package} is not installed")
    scores = []
    for instance in track(instances, console=console, description="playing"):
        names = [AUTO, *(name for name, card in SOLVERS.items() if not refusal_of(instance.problem, card))]
        for seed in range(seeds):
            scores += [
                ours(instance, name, seconds, seed, threads) for name in names if not only or name in only
            ]
            if ising_of(instance.problem) is not None:
                chosen = [rival for rival in rivals if not only or rival.name in only]
                scores += [theirs(rival, instance, seconds, seed, threads) for rival in chosen]
    return scores


def gaps(scores: list[Score], instances: list[Instance]) -> dict[tuple[str, str], float]:
    """Mean gap of each (family, solver) to the best that is known or was found here; inf after a failure."""
    best: dict[str, float] = {i.name: math.inf if i.best_known is None else i.best_known for i in instances}
    for score in scores:
        best[score.instance] = min(best[score.instance], score.value)
    collected: dict[tuple[str, str], list[float]] = defaultdict(list)
    for score in scores:
        least = best[score.instance]
        collected[score.family, score.solver].append((score.value - least) / max(abs(least), 1e-12))
    return {key: sum(values) / len(values) for key, values in collected.items()}


def text_of(gap: float | None) -> str:
    if gap is None:
        return ""
    return f"{gap:.2%}" if math.isfinite(gap) else "none found"


def markdown(means: dict[tuple[str, str], float], seconds: float, threads: int, seeds: int) -> str:
    """The table of the page: solvers down, families across."""
    families = list(dict.fromkeys(family for family, _ in means))
    solvers = list(dict.fromkeys(solver for _, solver in means))
    lines = [
        f"Mean gap to the best known value after {seconds:g} s on {threads} cores, seeds: {seeds}.",
        "",
        "| solver | " + " | ".join(families) + " |",
        "|---|" + "---:|" * len(families),
    ]
    lines += [
        f"| {solver} | " + " | ".join(text_of(means.get((family, solver))) for family in families) + " |"
        for solver in solvers
    ]
    return "\n".join(lines)


def draw(means: dict[tuple[str, str], float], path: Path) -> None:
    """One panel for each family, a bar for each solver."""
    from matplotlib.figure import Figure

    families = list(dict.fromkeys(family for family, _ in means))
    figure = Figure(figsize=(3.2 * len(families), 4.6), layout="constrained")
    panels = figure.subplots(1, len(families), squeeze=False)[0]
    for panel, family in zip(panels, families, strict=True):
        rows = [
            (solver, gap) for (owner, solver), gap in means.items() if owner == family and math.isfinite(gap)
        ]
        rows.sort(key=lambda row: row[1], reverse=True)
        colours = ["#3b6fb6" if solver in SOLVERS or solver == AUTO else "#9aa0aa" for solver, _ in rows]
        panel.barh([solver for solver, _ in rows], [100 * gap for _, gap in rows], color=colours)
        panel.set_title(family, loc="left", fontsize=10)
        panel.set_xlabel("mean gap, %")
        panel.set_xscale("symlog", linthresh=0.01)
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=130)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="wall-clock for each solver and instance")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=cores_default())
    parser.add_argument("--data", type=Path, help="folder with max_cut/ and vector_bin_packing/")
    parser.add_argument("--families", nargs="*", help="only these")
    parser.add_argument("--solvers", nargs="*", default=[], help="only these")
    parser.add_argument("--json", type=Path, help="save every score")
    parser.add_argument("--publish", action="store_true", help="into docs/optimize.md, with its picture")
    options = parser.parse_args()
    console = Console(stderr=True)
    instances = [
        i for i in all_instances(options.data) if not options.families or i.family in options.families
    ]
    scores = play(instances, options.solvers, options.seconds, options.seeds, options.threads, console)
    means = gaps(scores, instances)
    text = markdown(means, options.seconds, options.threads, options.seeds)
    table = Table("instance", "solver", "value", "bound", box=None)
    for score in scores:
        table.add_row(score.instance, score.solver, f"{score.value:.6g}", f"{score.bound:.6g}")
    Console().print(table)
    print(text)
    if options.json:
        options.json.write_text(json.dumps([asdict(score) for score in scores], indent=1))
    if options.publish:
        page = PAGE.read_text()
        head, rest = page.split(BEGIN, 1)
        PAGE.write_text(f"{head}{BEGIN}\n{text}\n{END}{rest.split(END, 1)[1]}")
        draw(means, PICTURE)


if __name__ == "__main__":
    main()
