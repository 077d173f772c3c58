"""What this machine has, and the largest circuits that fit: `qrealm info` and `engine.hardware_info`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qrealm.base import machine
from qrealm.base.machine import Gpu
from qrealm.base.units import format_gib
from qrealm.simulate.backends import BACKENDS, QuantumBackend, loaded, missing_package
from qrealm.simulate.backends.gpu.device import find_gpu
from qrealm.simulate.backends.protocol import is_steered
from qrealm.simulate.plan.choose import qubits_max


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """One backend on this machine.

    Attributes:
        name: what `backend=` takes.
        summary: one line for people.
        qubits_max: largest fully entangled circuit by precision, from the memory available now.
        instruction_sets: vector instruction sets that its compiled part uses here, best first; empty where it
            tells none.
        missing: the package that it needs and this Python lacks; empty when it can run.
        extra: the extra of qrealm that brings the package.
        device: the processor with a memory of its own that it uses, or that it found none; empty for backends
            that need none.
        memory_bound: whether `qubits_max` follows from memory, or is the most that it can number.
        automatic: whether AUTO may choose it.
    """

    name: str
    summary: str
    qubits_max: Mapping[str, int]
    instruction_sets: tuple[str, ...]
    missing: str = ""
    extra: str = ""
    device: str = ""
    memory_bound: bool = True
    automatic: bool = True


@dataclass(frozen=True, slots=True)
class HardwareInfo:
    """A snapshot of this machine as qrealm can use it.

    Attributes:
        system: operating system and release.
        architecture: such as ``"x86_64"``.
        processor: model name.
        cores: cores that this process may use.
        cores_total: cores that there are.
        memory_total_bytes: memory, or the container's limit.
        memory_available_bytes: what can be allocated now.
        vector_instructions: of the processor, best first, as the operating system names them.
        gpus: graphics processors that the drivers know; the gpu backend's `device` tells which it uses.
        backends: what can run circuits here.
    """

    system: str
    architecture: str
    processor: str
    cores: int
    cores_total: int
    memory_total_bytes: int
    memory_available_bytes: int
    vector_instructions: tuple[str, ...]
    gpus: tuple[Gpu, ...]
    backends: tuple[BackendInfo, ...]


def hardware() -> HardwareInfo:
    """Look at this machine now. Raises RunError when a backend's compiled part cannot be loaded."""
    here = machine.look()
    rows = tuple(_backend(name, here.memory_available_bytes) for name in BACKENDS)
    return HardwareInfo(
        here.system,
        here.architecture,
        here.processor,
        here.cores,
        here.cores_total,
        here.memory_total_bytes,
        here.memory_available_bytes,
        here.vector_instructions,
        here.gpus,
        rows,
    )


def _backend(name: QuantumBackend, memory_available_bytes: int) -> BackendInfo:
    card = BACKENDS[name].card
    lacking = missing_package(card)
    device = ""
    if card.needs_device and not lacking:
        found = find_gpu()
        device = "no GPU that PyTorch can use was found; it would run on the processor"
        if found is not None:
            memory_available_bytes, total_bytes = found.memory_bytes()
            device = (
                f"{found.name}, {format_gib(memory_available_bytes)} available of {format_gib(total_bytes)}"
            )
    sets: tuple[str, ...] = ()
    if card.seconds is not None and not card.needs_device and not lacking:
        backend = loaded(name)  # only those that hold amplitudes themselves, and are quick to load
        sets = backend.instruction_sets() if is_steered(backend) else ()
    largest = {
        precision.value: qubits_max(precision, card, memory_available_bytes) for precision in card.precisions
    }
    return BackendInfo(
        name.value,
        card.summary,
        largest,
        sets,
        lacking,
        card.extra if lacking else "",
        device,
        bool(card.index_bits),
        card.automatic,
    )
