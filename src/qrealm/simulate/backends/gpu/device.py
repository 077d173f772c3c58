"""Which device PyTorch finds, and what it has. PyTorch is imported only when something is asked of it."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from qrealm.base import machine
from qrealm.base.errors import RequestError, ResourceError, RunError
from qrealm.base.units import format_gib
from qrealm.simulate.plan.types import Precision

_Arguments = ParamSpec("_Arguments")
_Answer = TypeVar("_Answer")

_DRIVERS = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd", "/dev/dxg")
"""What the drivers of NVIDIA, AMD and WSL make: without one of them PyTorch need not be loaded to look."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device as PyTorch names it.

    Attributes:
        kind: ``"cuda"``, ``"mps"`` or ``"cpu"``.
        name: model, for people.
    """

    kind: str
    name: str

    @property
    def is_gpu(self) -> bool:
        """Whether it is a graphics processor."""
        return self.kind != "cpu"

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """Metal has no double precision."""
        return (Precision.SINGLE,) if self.kind == "mps" else (Precision.SINGLE, Precision.DOUBLE)

    def memory_bytes(self) -> tuple[int, int]:
        """(what can be allocated now, what there is). Memory that PyTorch keeps for reuse counts as free."""
        import torch

        if self.kind == "cuda":
            free, total = torch.cuda.mem_get_info()
            kept = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
            return int(free) + int(kept), int(total)
        if self.kind == "mps":
            total = int(torch.mps.recommended_max_memory())
            return max(0, total - int(torch.mps.driver_allocated_memory())), total
        return machine.memory_available_bytes(), machine.look().memory_total_bytes


def may_have_gpu() -> bool:
    """Whether looking for a GPU with PyTorch, which takes seconds to load, can find one."""
    if sys.platform == "darwin":
        return machine.look().architecture == "arm64"
    return sys.platform == "win32" or any(Path(path).exists() for path in _DRIVERS)


_first_used_by: list[int] = []
"""The process that first gave PyTorch something to do here; in a fork of it this is still the parent's."""


def is_forked() -> bool:
    """Whether this process was forked from one that had used PyTorch: its threads are not there any more."""
    return bool(_first_used_by) and _first_used_by[0] != os.getpid()


def begin_use() -> None:
    """Note that PyTorch is used from now on. Raises RunError in a forked process, where it would wait for
    ever."""
    if is_forked():
        raise RunError(
            "the gpu backend was in use when this process was forked, and PyTorch's threads and devices do "
            "not survive a fork",
            hint='start processes with multiprocessing.get_context("spawn"), or use backend="statevector"',
        )
    if not _first_used_by:
        _first_used_by.append(os.getpid())


def find_gpu() -> Device | None:
    """The GPU that PyTorch can use, None where there is none. Loads PyTorch where there may be one."""
    if not may_have_gpu():
        return None
    found = choose("auto")
    return found if found.is_gpu else None


def choose(wanted: str) -> Device:
    """The device of this name, or for ``"auto"`` the best that there is.

    Raises:
        RequestError: PyTorch does not find it.
    """
    there = _devices()
    found = next(iter(there.values())) if wanted == "auto" else there.get(wanted)
    if found is None:
        import torch

        raise RequestError(
            f"GPUOptions asks for the device {wanted!r}, and PyTorch {torch.__version__} finds only "
            f"{', '.join(there)}",
            hint='use device="auto", or install the PyTorch build for your GPU: https://pytorch.org',
        )
    return found


def kinds() -> tuple[str, ...]:
    """The devices that PyTorch can use here, best first."""
    return tuple(_devices())


@functools.cache
def _devices() -> dict[str, Device]:
    """Every device, best first."""
    import torch

    found: dict[str, Device] = {}
    if torch.cuda.is_available():
        found["cuda"] = Device("cuda", str(torch.cuda.get_device_name()))
    if torch.backends.mps.is_available():
        found["mps"] = Device("mps", "Apple GPU (Metal)")
    found["cpu"] = Device("cpu", "PyTorch on the processor")
    return found


def refusal_told(body: Callable[_Arguments, _Answer]) -> Callable[_Arguments, _Answer]:
    """Turn memory that a device refuses into a ResourceError with the figures."""

    @functools.wraps(body)
    def told(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Answer:
        try:
            return body(*args, **kwargs)
        except RuntimeError as problem:  # PyTorch's out-of-memory error is one of these
            if not _is_memory(problem):
                raise
            raise _out_of_memory(problem) from problem

    return told


def _is_memory(problem: RuntimeError) -> bool:
    import torch

    text = str(problem).lower()
    return isinstance(problem, torch.cuda.OutOfMemoryError) or (
        "out of memory" in text or "can't allocate memory" in text or "not enough memory" in text
    )


def _out_of_memory(problem: RuntimeError) -> ResourceError:
    import torch

    where = "the memory of the device"
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        free, total = choose("cuda").memory_bytes()
        where = f"{choose('cuda').name} has {format_gib(free)} free of {format_gib(total)}"
    return ResourceError(
        f"the gpu backend ran out of memory: {_first_sentence(problem)}; {where}",
        hint='end other programs that use the device, use precision="single", or another backend',
    )


def _first_sentence(problem: Any) -> str:
    text = str(problem).strip().splitlines()[0] if str(problem).strip() else "no reason given"
    return text.split(". ")[0]


__all__ = [
    "Device",
    "begin_use",
    "choose",
    "find_gpu",
    "is_forked",
    "kinds",
    "may_have_gpu",
    "refusal_told",
]
