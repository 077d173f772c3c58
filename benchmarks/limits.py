"""What the machine can do, and how close qrealm comes: `python -m benchmarks.limits`.

Two limits bound a state-vector simulator: the bytes that it must move and the operations that it must do.
Both peaks are measured here, not read from a data sheet. Bandwidth is the best of copying and of scaling in
place, on arrays that no cache holds; arithmetic is chains of multiply-adds that never leave the registers.

For each case the plan says how many bytes move and how many operations are done. The share of a limit is
the time that the limit alone would take over the time that the run took; what a case can reach is the
larger of both.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from benchmarks.cases import FAMILIES, Case
from benchmarks.check import packed
from qrealm import _kernels

ARRAY_BYTES = 256 * 2**20
REPEATS = 7


@dataclass(frozen=True)
class Limits:
    """What this machine reached: bytes per second moved (read plus written), floating-point operations per
    second."""

    threads: int
    copy_bytes_per_s: float
    scale_bytes_per_s: float
    single_flops_per_s: float
    double_flops_per_s: float

    @property
    def bytes_per_s(self) -> float:
        """The better of both ways to move memory."""
        return max(self.copy_bytes_per_s, self.scale_bytes_per_s)

    def flops_per_s(self, precision: Literal["single", "double"]) -> float:
        """The arithmetic peak of a precision."""
        return self.single_flops_per_s if precision == "single" else self.double_flops_per_s


@dataclass(frozen=True)
class Share:
    """A run beside the limits: shares of 1, of the bandwidth and of the arithmetic."""

    family: str
    num_qubits: int
    precision: str
    seconds: float
    moved_bytes: int
    flops: int
    of_bandwidth: float
    of_arithmetic: float


def _fastest(call: Callable[[], object]) -> float:
    call()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def measure_limits(threads: int) -> Limits:
    """Measure this machine with `threads` threads; takes a few seconds and 512 MiB."""
    count = ARRAY_BYTES // 8
    source, target = np.ones(count), np.zeros(count)
    pieces = [slice(count * i // threads, count * (i + 1) // threads) for i in range(threads)]
    with ThreadPoolExecutor(threads) as pool:

        def copy() -> None:
            list(pool.map(lambda piece: np.copyto(target[piece], source[piece]), pieces))

        def scale() -> None:
            list(pool.map(lambda piece: np.multiply(target[piece], 1.0, out=target[piece]), pieces))

        copied = 2 * ARRAY_BYTES / _fastest(copy)
        scaled = 2 * ARRAY_BYTES / _fastest(scale)
    single, double = (
        max(_kernels.arithmetic_rate(precise, threads) for _ in range(REPEATS)) for precise in (True, False)
    )
    return Limits(threads, copied, scaled, single, double)


def measure_share(
    family: str, num_qubits: int, precision: Literal["single", "double"], limits: Limits
) -> Share:
    """Time one case through the kernel and set it beside the limits; sampling is left out."""
    from qrealm import _kernels

    case = Case.build(family, num_qubits)
    arrays = packed(case)
    single = precision == "single"
    plan = _kernels.plan(
        arrays.num_qubits,
        arrays.codes,
        arrays.num_controls,
        arrays.qubit_offsets,
        arrays.qubits,
        arrays.param_offsets,
        arrays.params,
        list(arrays.matrices),
        single=single,
    )
    facts = plan.describe()
    times = []
    for _ in range(3):
        state = _kernels.StateVector(num_qubits, single)
        start = time.perf_counter()
        state.apply(plan, limits.threads)
        times.append(time.perf_counter() - start)
        del state
    seconds = statistics.median(times)
    moved, flops = int(facts["moved_bytes"]), int(facts["flops"])
    return Share(
        family,
        num_qubits,
        precision,
        seconds,
        moved,
        flops,
        of_bandwidth=moved / limits.bytes_per_s / seconds,
        of_arithmetic=flops / limits.flops_per_s(precision) / seconds,
    )


def measure_in_process(
    families: Sequence[str], num_qubits: int, precision: Literal["single", "double"], threads: int
) -> tuple[Limits, list[Share]]:
    """Limits and shares from a process of their own."""
    from benchmarks.measure import run_module

    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "answer.json")
        options = ["--qubits", str(num_qubits), "--precision", precision, "--threads", str(threads)]
        run_module(
            "benchmarks.limits", *options, "--families", *families, "--answer", str(answer), threads=threads
        )
        data = json.loads(answer.read_text())
    return Limits(**data["limits"]), [Share(**share) for share in data["shares"]]


def main() -> None:
    description = "Measure what this machine can do, and how close qrealm comes."
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limits", description=description)
    parser.add_argument("--qubits", type=int, default=25)
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=list(FAMILIES), metavar="FAMILY")
    parser.add_argument("--precision", choices=("single", "double"), default="single")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--answer", type=Path, help="measure in this very process, write JSON to this file")
    options = parser.parse_args()

    if options.answer:
        limits = measure_limits(options.threads)
        shares = [
            measure_share(family, options.qubits, options.precision, limits) for family in options.families
        ]
        data = {"limits": asdict(limits), "shares": [asdict(share) for share in shares]}
        options.answer.write_text(json.dumps(data))
        return
    from benchmarks.report import print_limits, print_shares

    limits, shares = measure_in_process(options.families, options.qubits, options.precision, options.threads)
    print_limits(limits)
    print_shares(shares)


if __name__ == "__main__":
    main()
