"""Steered backends whose states lie elsewhere than in the machine's own memory, such as on a GPU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeGuard

from qrealm.simulate.backends.protocol import Backend, SteeredBackend
from qrealm.simulate.memory import MemoryLedger


class DeviceBackend(SteeredBackend, Protocol):
    """A steered backend with a memory of its own."""

    @property
    def ledger(self) -> MemoryLedger:
        """Who holds how much of that memory."""
        ...

    @property
    def rates_name(self) -> str:
        """The device, as the key under which its measured rates are kept."""
        ...

    def configured(self, options: object) -> DeviceBackend:
        """The backend with a run's own options; itself when there are none."""
        ...

    def memory_available_bytes(self) -> int:
        """What can be allocated there now."""
        ...

    def details(self) -> Mapping[str, object]:
        """What a result should tell of the device, JSON-ready."""
        ...

    def warnings(self) -> tuple[str, ...]:
        """What the user should know of the device."""
        ...


def is_on_device(backend: Backend) -> TypeGuard[DeviceBackend]:
    """Whether a backend has a memory of its own."""
    return hasattr(backend, "ledger")
