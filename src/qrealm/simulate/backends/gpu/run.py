"""The GPU backend: packed circuits on whatever device PyTorch finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from qrealm.circuits.pack import PackedCircuit
from qrealm.simulate.backends.gpu import device as devices
from qrealm.simulate.backends.gpu.card import CARD
from qrealm.simulate.backends.gpu.device import Device
from qrealm.simulate.backends.gpu.options import GPUOptions
from qrealm.simulate.backends.gpu.program import GPUProgram
from qrealm.simulate.backends.gpu.state import GPUState
from qrealm.simulate.backends.gpu.tile_proof import prove
from qrealm.simulate.memory import MemoryLedger
from qrealm.simulate.plan.types import BackendCard, Precision

_LEDGERS = {kind: MemoryLedger() for kind in ("cuda", "mps", "cpu")}


class GPUBackend:
    """Compiles for, and starts states on, one device; which one is found out when it is first needed."""

    def __init__(self, options: GPUOptions | None = None) -> None:
        self._options = options or GPUOptions()
        self._device: Device | None = None

    @property
    def device(self) -> Device:
        """Where states lie. Raises RequestError when the device that was asked for is not there."""
        if self._device is None:
            self._device = devices.choose(self._options.device)
        return self._device

    @property
    def card(self) -> BackendCard:
        """The backend's card, without the precisions that the device lacks."""
        if self.device.precisions == CARD.precisions:
            return CARD
        return replace(CARD, precisions=self.device.precisions)

    def configured(self, options: object) -> GPUBackend:
        """The backend with a run's own options."""
        return GPUBackend(options) if isinstance(options, GPUOptions) else self

    @property
    def ledger(self) -> MemoryLedger:
        """Who holds how much of the device's memory."""
        return _LEDGERS[self.device.kind]

    def memory_available_bytes(self) -> int:
        """What can be allocated on the device now."""
        return self.device.memory_bytes()[0]

    @property
    def rates_name(self) -> str:
        """What measured rates are kept under: they are the device's."""
        return f"{CARD.name}-{self.device.kind}-{self.device.name}"

    def details(self) -> Mapping[str, object]:
        """The device, for the metadata of a result."""
        return {
            "device": self.device.kind,
            "device_name": self.device.name,
            "kernel": self._options.kernel,
        }

    def warnings(self) -> tuple[str, ...]:
        """What the user should know of the device."""
        if self.device.is_gpu or self._options.device == "cpu":
            return ()
        return ("no GPU that PyTorch can use was found: the gpu backend ran on the processor",)

    def compile(self, packed: PackedCircuit, precision: Precision) -> GPUProgram:
        """Fuse the circuit; allocates no state. Raises RunError in a fork of a process that did so."""
        devices.begin_use()
        if self._options.kernel == "tiles":
            prove(self.device, precision)
        return GPUProgram(packed, precision, self.device, self._options.kernel)

    def start(self, num_qubits: int, precision: Precision) -> GPUState:
        """|0...0>."""
        devices.begin_use()
        return GPUState(num_qubits, precision, self.device)

    def instruction_sets(self) -> tuple[str, ...]:
        """The devices that PyTorch can use here, best first."""
        return devices.kinds()


BACKEND = GPUBackend()
