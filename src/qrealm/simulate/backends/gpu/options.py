"""The GPU backend's own options."""

from __future__ import annotations

from dataclasses import dataclass

from qrealm.base.errors import RequestError

DEVICES = ("auto", "cuda", "mps", "cpu")
KERNELS = ("library", "tiles")


@dataclass(frozen=True, slots=True)
class GPUOptions:
    """Options of ``qrealm.run(..., backend="gpu", options=GPUOptions(...))``.

    Attributes:
        device: ``"cuda"`` (NVIDIA, and AMD in PyTorch's ROCm build), ``"mps"`` (Apple's Metal, single
            precision only), ``"cpu"`` (PyTorch on the processor, for comparison), or ``"auto"``: the first of
            these that is there.
        kernel: ``"library"``: PyTorch's matrix products. ``"tiles"``: our own CUDA kernel, compiled when it
            is first needed, which carries out many gates on a tile of the state in shared memory. It has not
            been run on a GPU yet (docs/gpu.md), so it is checked against the library at its first use.

    Raises:
        RequestError: another device or kernel.
    """

    device: str = "auto"
    kernel: str = "library"

    def __post_init__(self) -> None:
        if self.device not in DEVICES:
            raise RequestError(
                f"GPUOptions got the device {self.device!r:.60}; the rule is one of {', '.join(DEVICES)}"
            )
        if self.kernel not in KERNELS:
            raise RequestError(
                f"GPUOptions got the kernel {self.kernel!r:.60}; the rule is one of {', '.join(KERNELS)}"
            )
