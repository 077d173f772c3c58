"""What the figures were measured on: processor, vector instructions, memory, and every version that
matters."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.peers import PEERS

VECTOR_FLAGS = ("avx512f", "avx512vl", "avx2", "fma", "asimd", "sve")


@dataclass(frozen=True)
class Machine:
    """The machine and the software on it."""

    processor: str
    cores: int
    vector_instructions: tuple[str, ...]
    memory_gib: float
    system: str
    python: str
    versions: dict[str, str]

    def title(self) -> str:
        """One line for tables and plots."""
        vectors = self.vector_instructions[0] if self.vector_instructions else "no vector flags"
        return f"{self.processor}, {self.cores} cores, {vectors}, {self.memory_gib:.0f} GiB"


def describe_machine() -> Machine:
    """This machine, as the operating system tells it."""
    facts = _cpu_facts()
    flags = set((facts.get("flags") or facts.get("Features") or "").split())
    return Machine(
        processor=facts.get("model name") or platform.processor() or platform.machine(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        vector_instructions=tuple(name for name in VECTOR_FLAGS if name in flags),
        memory_gib=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30,
        system=platform.platform(),
        python=platform.python_version(),
        versions={
            name: _version(name)
            for name in sorted({peer.distribution for peer in PEERS.values()} | {"numpy"})
        },
    )


def _cpu_facts() -> dict[str, str]:
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return {}
    pairs = (line.partition(":") for line in path.read_text().splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"
