"""Launches stages on a CUDA device. The kernel is compiled by NVRTC through PyTorch, once per process."""

from __future__ import annotations

import functools
from typing import Any

from qrealm.base.errors import RequestError, RunError
from qrealm.simulate.backends.gpu import tile_kernel
from qrealm.simulate.backends.gpu.tiles import Stage, encoded
from qrealm.simulate.plan.types import Precision


def check_available() -> None:
    """Raises RequestError where PyTorch cannot compile kernels at run time."""
    if _compiler() is None:
        import torch

        raise RequestError(
            f'GPUOptions(kernel="tiles") needs a PyTorch that compiles kernels; {torch.__version__} does not',
            hint='use kernel="library", or PyTorch 2.9 or newer',
        )


def launch(array: Any, num_qubits: int, stage: Stage, precision: Precision) -> None:
    """Carry out a stage in place."""
    import torch

    words, spots, numbers = encoded(stage, num_qubits)
    inside = len(stage.inside)
    there = [torch.from_numpy(each).to(array.device) for each in (words.reshape(-1), spots)]
    values = torch.from_numpy(numbers).to(dtype=array.dtype, device=array.device)
    kernel = _kernel(precision)
    kernel(
        grid=(1 << num_qubits - inside, 1, 1),
        block=(tile_kernel.THREADS, 1, 1),
        args=[
            torch.view_as_real(array),
            there[0],
            torch.view_as_real(values),
            there[1],
            len(stage.steps),
            inside,
            num_qubits - inside,
        ],
    )


@functools.cache
def _kernel(precision: Precision) -> Any:
    compiler = _compiler()
    assert compiler is not None  # `check_available` was asked first
    try:
        return compiler(tile_kernel.source(precision), tile_kernel.NAME)
    except RuntimeError as problem:
        raise RunError(
            f"the tile kernel of the gpu backend could not be compiled: {problem}",
            hint='use GPUOptions(kernel="library")',
        ) from problem


def _compiler() -> Any:
    import torch

    return getattr(torch.cuda, "compile_kernel", None) or getattr(torch.cuda, "_compile_kernel", None)


__all__ = ["check_available", "launch"]
