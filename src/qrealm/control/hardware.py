"""What this machine has, and the largest circuits that fit: `qrealm info` and `engine.hardware_info`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qrealm.base import machine
from qrealm.base.machine import Gpu
from qrealm.simulate.backends import BACKENDS, QuantumBackend, loaded, missing_package
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
    """

    name: str
    summary: str
    qubits_max: Mapping[str, int]
    instruction_sets: tuple[str, ...]
    missing: str = ""
    extra: str = ""


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
        gpus: graphics processors found; no backend of this version uses them.
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
    largest = {
        precision.value: qubits_max(precision, card, memory_available_bytes) for precision in card.precisions
    }
    if missing_package(card):
        return BackendInfo(name.value, card.summary, largest, (), missing_package(card), card.extra)
    backend = loaded(name)
    sets = backend.instruction_sets() if is_steered(backend) else ()
    return BackendInfo(name.value, card.summary, largest, sets)
