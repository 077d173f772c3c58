"""The gpu backend beside the limits of its device: `python -m benchmarks.gpu`.

For each family, size, precision and kernel: the seconds that the compiled circuit takes on a state in the
device's memory, the share of the memory's bandwidth that this is, and the same on qrealm's own state vector,
on all cores of the processor. The bandwidth is measured here, by copying an
array that no cache holds. The share is the time that moving the bytes of the program would take alone, over
the time that it took: each step reads and writes what it touches once for a table or a stage of tiles, and
three times for a matrix product.

Compiling is not counted, nor is the first run, in which kernels are loaded. Its amplitudes are compared with
those of the state vector; where they differ there is no time. A small state lies in caches, and its share can
be more than all. Where there is no GPU this says so and ends; `--device cpu` runs the same on PyTorch's
processor device, for reference.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from rich.table import Table

import qrealm
from benchmarks.cases import FAMILIES, Case
from benchmarks.peers.qrealm import as_dict
from benchmarks.report import console, format_seconds
from qrealm.base.errors import QrealmError, RequestError
from qrealm.base.machine import cores_default
from qrealm.simulate.backends import QuantumBackend, loaded
from qrealm.simulate.backends.gpu import device as devices
from qrealm.simulate.backends.gpu.device import Device
from qrealm.simulate.backends.gpu.options import DEVICES, KERNELS, GPUOptions
from qrealm.simulate.backends.gpu.run import GPUBackend
from qrealm.simulate.backends.protocol import is_steered
from qrealm.simulate.plan.types import Precision

COPY_BYTES = 2**30
COPY_SHARE_MAX = 1 / 8
"""Of the device's free memory, for the array that is copied; there are two of it."""

ERROR_MAX = {Precision.SINGLE: 2e-5, Precision.DOUBLE: 1e-11}
"""Largest error of an amplitude for which a time counts."""


@dataclass(frozen=True)
class Timing:
    """One circuit on one kernel.

    Attributes:
        family, num_qubits, precision, kernel: what was run.
        seconds: on the device.
        of_bandwidth: share of its memory bandwidth, of 1.
        cpu_seconds: on the state-vector backend.
        error: largest distance of two amplitudes.
        failed: why there are no figures; empty when there are.
    """

    family: str
    num_qubits: int
    precision: Precision
    kernel: str
    seconds: float = float("nan")
    of_bandwidth: float = float("nan")
    cpu_seconds: float = float("nan")
    error: float = float("nan")
    failed: str = ""


def copy_bandwidth(device: Device, repeats: int = 7) -> float:
    """Bytes per second, read plus written, of the fastest of some copies on the device."""
    import torch

    size = min(COPY_BYTES, int(device.memory_bytes()[0] * COPY_SHARE_MAX))
    source = torch.ones(size // 4, dtype=torch.float32, device=device.kind)
    target = torch.empty_like(source)
    moved = 2 * int(source.nbytes)
    return moved / fastest(lambda: target.copy_(source), lambda: wait_for(device), repeats)


def fastest(call: Callable[[], object], wait: Callable[[], None], repeats: int) -> float:
    """Seconds of the fastest of some calls, each until the device has done it; one before is not counted."""
    times = []
    for _ in range(repeats + 1):
        wait()
        begin = time.perf_counter()
        call()
        wait()
        times.append(time.perf_counter() - begin)
    return min(times[1:])


def measure(
    case: Case, precision: Precision, kernel: str, device: Device, bandwidth: float, repeats: int
) -> Timing:
    """Check a circuit on a kernel, then time it there and on the processor."""
    timing = Timing(case.family, case.num_qubits, precision, kernel)
    gpu = GPUBackend(GPUOptions(device=device.kind, kernel=kernel))
    cpu = loaded(QuantumBackend.STATEVECTOR)
    assert is_steered(cpu)
    packed, threads = qrealm.read(as_dict(case)).packed(), cores_default()
    try:
        program, state = gpu.compile(packed, precision), gpu.start(case.num_qubits, precision)
        state.apply(program, threads)
        found = state.to_array(threads)
    except QrealmError as problem:
        return replace(timing, failed=str(problem).splitlines()[0])
    host, held = cpu.compile(packed, precision), cpu.start(case.num_qubits, precision)
    held.apply(host, threads)
    error = float(np.abs(found - held.to_array(threads)).max())
    if not error <= ERROR_MAX[precision]:
        return replace(timing, error=error, failed=f"an amplitude is wrong by {error:.1e}")
    seconds = fastest(lambda: state.apply(program, threads), lambda: wait_for(device), repeats)
    return replace(
        timing,
        seconds=seconds,
        of_bandwidth=program.work(0).moved_bytes / bandwidth / seconds,
        cpu_seconds=fastest(lambda: held.apply(host, threads), lambda: None, repeats),
        error=error,
    )


def wait_for(device: Device) -> None:
    """Until the device has done all that it was given."""
    import torch

    if device.kind == "cuda":
        torch.cuda.synchronize()
    elif device.kind == "mps":
        torch.mps.synchronize()


def chosen_device(wanted: str) -> Device | None:
    """The device to measure; None, said on the console, where there is no GPU to be found for "auto".

    Raises:
        SystemExit: the device that was named is not there.
    """
    if importlib.util.find_spec("torch") is None:
        console.print('PyTorch is not installed: pip install "qrealm[torch]"')
        return None
    try:
        found = devices.choose(wanted)
    except RequestError as problem:
        raise SystemExit(str(problem)) from None
    if wanted == "auto" and not found.is_gpu:
        console.print("PyTorch finds no GPU here; --device cpu measures its processor device, for reference")
        return None
    return found


def show(timings: Iterable[Timing], device: Device, bandwidth: float) -> None:
    """A table of all timings."""
    table = Table(title=f"{device.name}: copies at {bandwidth / 1e9:.0f} GB/s")
    for name in ("family", "qubits", "precision", "kernel", "device", "of bandwidth", "processor", "ratio"):
        table.add_column(name, justify="left" if name in ("family", "precision", "kernel") else "right")
    for each in timings:
        row = [each.family, str(each.num_qubits), each.precision.value, each.kernel]
        if each.failed:
            table.add_row(*row, each.failed)
            continue
        row += [format_seconds(each.seconds), f"{each.of_bandwidth:.0%}", format_seconds(each.cpu_seconds)]
        table.add_row(*row, f"{each.cpu_seconds / each.seconds:.2f}")
    console.print(table)


def parse_options(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--qubits", type=int, nargs="+", default=[20, 24, 26])
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=list(FAMILIES), metavar="FAMILY")
    parser.add_argument("--kernels", nargs="+", choices=KERNELS, default=list(KERNELS))
    parser.add_argument("--precisions", nargs="+", choices=list(Precision), type=Precision)
    parser.add_argument("--repeats", type=int, default=5, help="timed runs of each; the fastest counts")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] = ()) -> None:
    options = parse_options(arguments)
    device = chosen_device(options.device)
    if device is None:
        return
    bandwidth = copy_bandwidth(device)
    wanted = [each for each in options.precisions or Precision if each in device.precisions]
    timings = [
        measure(Case.build(family, qubits), precision, kernel, device, bandwidth, options.repeats)
        for qubits in options.qubits
        for family in options.families
        for precision in wanted
        for kernel in options.kernels
        if kernel == "library" or device.kind == "cuda"  # the tile kernel is CUDA's
    ]
    show(timings, device, bandwidth)


if __name__ == "__main__":
    main(sys.argv[1:])
