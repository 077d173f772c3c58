"""Writes the figures of a results file into docs/performance.md, so that no figure there is typed by hand.

`python -m benchmarks.page RESULTS.json` replaces what stands between the two marks of the page, and the plot.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from benchmarks.case_process import Answer
from benchmarks.goals import geometric_mean, ratio
from benchmarks.peers import OURS, PEERS
from benchmarks.report import format_seconds, plot_answers
from benchmarks.results import Results, read_results

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "performance.md"
PICTURE = ROOT / "docs" / "images" / "performance.png"
BEGIN, END = "<!-- figures: written by benchmarks.page -->", "<!-- end of figures -->"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are figures."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def figures(results: Results) -> Iterator[str]:
    """The sections of the page, in order."""
    yield f"Measured on {results.date[:10]} with {results.threads} threads by `{results.command}`."
    yield f"{results.machine.title()}; {results.machine.system}; Python {results.machine.python}."
    yield ", ".join(f"{name} {number}" for name, number in results.machine.versions.items()) + "."
    if results.verdicts:
        yield "### Goals"
        rows = [[v.what, v.goal, v.measured, "met" if v.met else "**missed**"] for v in results.verdicts]
        yield table(["goal", "asked", "measured", ""], rows)
    for size in sorted({answer.num_qubits for answer in results.answers}):
        yield f"### {size} qubits"
        answers = [answer for answer in results.answers if answer.num_qubits == size]
        yield _size_table(answers)
        yield from _means(answers)
    if call := results.latency:
        yield "### One call"
        yield (
            f"`qrealm.run` of a circuit of {call.qubits} qubits and {call.gates} gates with 1,000 shots: "
            f"median {call.median_us:.1f} µs, {call.median_with_counts_us:.1f} µs with bit strings, "
            f"{call.median_first_us:.1f} µs for a circuit that was never run before, "
            f"99 in 100 calls under {call.percentile_99_us:.1f} µs."
        )
    if results.large:
        yield "### One large state"
        yield (
            "The ladder is H on every qubit and a chain of CX, which leaves the qubits unentangled, and "
            "qrealm sees that; the rotated ladder has rotations before and after, and needs the whole state. "
            "1,000 shots; peak memory is the whole process's."
        )
        rows = [
            [
                f"{large.circuit}, {large.qubits} qubits, {large.precision}",
                format_seconds(large.seconds),
                f"{large.memory_bytes_max / 2**30:.2f} GiB",
                f"{large.memory_over_state:.3f}",
            ]
            for large in results.large
        ]
        yield table(["circuit", "time", "peak memory", "over the state"], rows)
    if results.readings:
        yield "### Reading"
        rows = [[r.form, f"{r.gates:,}", format_seconds(r.seconds)] for r in results.readings]
        yield table(["form", "gates", "time"], rows)
    if results.limits and results.shares:
        yield "### Share of the limits"
        yield _limits_text(results)


def _means(answers: Sequence[Answer]) -> Iterator[str]:
    """Geometric means of the ratios, with and without the family in which qrealm hardly touches a state."""
    for precision, ours in OURS.items():
        found = {answer.family: ratio(answer.medians(), precision, "same precision") for answer in answers}
        values = {family: value for family, value in found.items() if value is not None}
        others = [value for family, value in values.items() if family != "ghz"]
        if len(others) > 1 and "ghz" in values:
            mean, without = geometric_mean(list(values.values())), geometric_mean(others)
            yield (
                f"{ours} against the same precision: geometric mean {mean:.2f}, without ghz {without:.2f} "
                f"(of a GHZ circuit qrealm samples without a state of all qubits)."
            )


def _size_table(answers: Sequence[Answer]) -> str:
    names = [name for name in PEERS if any(name in answer.seconds for answer in answers)]
    rows = []
    for name in names:
        medians = [answer.medians().get(name) for answer in answers]
        cells = ["" if median is None else format_seconds(median) for median in medians]
        rows.append([f"**{name}**" if name in OURS.values() else name, *cells])
    for precision, ours in OURS.items():
        if ours not in names:
            continue
        shown: list[list[float | None]] = []
        for against in ("same precision", "any precision"):
            values = [ratio(answer.medians(), precision, against) for answer in answers]
            # Where peers of one precision were measured, both rows are the same.
            if values in shown or all(value is None for value in values):
                continue
            shown.append(values)
            cells = ["" if value is None else f"{value:.2f}" for value in values]
            rows.append([f"{ours}: ratio, {against}", *cells])
    return table(["", *(answer.family for answer in answers)], rows)


def _limits_text(results: Results) -> str:
    limits = results.limits
    assert limits is not None
    head = (
        f"This machine moves {limits.bytes_per_s / 1e9:.1f} GB/s and does "
        f"{limits.single_flops_per_s / 1e9:.0f} GFLOP/s in float32, "
        f"{limits.double_flops_per_s / 1e9:.0f} in float64 (`make limits`)."
    )
    rows = [
        [
            f"{share.family}, {share.num_qubits} qubits, {share.precision}",
            format_seconds(share.seconds),
            f"{share.moved_bytes / 2**30:.2f} GiB",
            f"{share.flops / 1e9:.1f} GFLOP",
            f"{share.of_bandwidth:.0%}",
            f"{share.of_arithmetic:.0%}",
        ]
        for share in results.shares
    ]
    header = ["case", "evolving", "moved", "operations", "of bandwidth", "of arithmetic"]
    return f"{head}\n\n{table(header, rows)}"


def replace_figures(page: str, text: str) -> str:
    """The page with `text` between its marks."""
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page has no marks {BEGIN} and {END}")
    return f"{head}{BEGIN}\n\n{text}\n\n{END}{tail}"


def publish(results: Results) -> None:
    """Write the figures and the plot into docs/."""
    PAGE.write_text(replace_figures(PAGE.read_text(), "\n\n".join(figures(results))))
    plot_answers(results.answers, results.machine, PICTURE)


if __name__ == "__main__":
    publish(read_results(Path(sys.argv[1])))
