"""The GPU backend's own options."""

from __future__ import annotations

from dataclasses import dataclass

from qrealm.base.errors import RequestError

DEVICES = ("auto", "cuda", "mps", "cpu")


@dataclass(frozen=True, slots=True)
class GPUOptions:
    """Options of ``qrealm.run(..., backend="gpu", options=GPUOptions(...))``.

    Attributes:
        device: ``"cuda"`` (NVIDIA, and AMD in PyTorch's ROCm build), ``"mps"`` (Apple's Metal, single
            precision only), ``"cpu"`` (PyTorch on the processor, for comparison), or ``"auto"``: the first of
            these that is there.

    Raises:
        RequestError: another device.
    """

    device: str = "auto"

    def __post_init__(self) -> None:
        if self.device not in DEVICES:
            raise RequestError(
                f"GPUOptions got the device {self.device!r:.60}; the rule is one of {', '.join(DEVICES)}"
            )
