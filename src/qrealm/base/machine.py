"""What this machine has: cores, memory, vector instructions, GPUs.

Everything is read from the operating system each time it is asked, except what cannot change while the
process lives. Limits of control groups (containers, batch systems) count: a container with 2 GiB on a host
with 512 GiB has 2 GiB.
"""

from __future__ import annotations

import math
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# Vector instruction sets worth naming, best first, as /proc/cpuinfo spells them on x86-64 and aarch64.
_VECTOR_FLAGS = ("avx512f", "avx2", "avx", "sse4_2", "sve2", "sve", "asimd")
_SHELL_SECONDS_MAX = 5.0


@dataclass(frozen=True, slots=True)
class Gpu:
    """One graphics processor that the driver reports.

    Attributes:
        name: the model as the driver names it.
        memory_bytes: its memory, 0 when the driver does not say.
        source: where it was found.
    """

    name: str
    memory_bytes: int
    source: str


@dataclass(frozen=True, slots=True)
class Machine:
    """A snapshot of one machine, as far as this process may use it.

    Attributes:
        system: operating system and its release.
        architecture: processor architecture, such as ``"x86_64"``.
        processor: the processor's model name.
        cores: cores this process may run on (affinity and control-group quota applied).
        cores_total: cores that the machine has.
        memory_total_bytes: memory, or the control group's limit where that is smaller.
        memory_available_bytes: what can be allocated now without swapping.
        vector_instructions: names of the vector instruction sets of the processor, best first.
        gpus: graphics processors found.
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


def look(root: Path = Path("/")) -> Machine:
    """Take a snapshot of this machine. `root` is where ``proc`` and ``sys`` are looked for (tests give a
    copy)."""
    memory = memory_limits(root)
    return Machine(
        system=f"{platform.system()} {platform.release()}",
        architecture=platform.machine(),
        processor=_processor_name(root),
        cores=core_count(root),
        cores_total=os.cpu_count() or 1,
        memory_total_bytes=memory[0],
        memory_available_bytes=memory[1],
        vector_instructions=_vector_instructions(root),
        gpus=_gpus(root),
    )


def core_count(root: Path = Path("/")) -> int:
    """Cores this process may use: affinity mask, then the control group's CPU quota rounded up; at least
    1."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else (os.cpu_count() or 1)
    quota = _cpu_quota(root)
    if quota is not None:
        cores = min(cores, max(1, math.ceil(quota)))
    return max(1, cores)


@cache
def cores_default() -> int:
    """`core_count()`, asked once per process: the number of threads of a run that names none."""
    return core_count()


def memory_limits(root: Path = Path("/")) -> tuple[int, int]:
    """(total, available) bytes, the smaller of the machine's and of every enclosing control group's."""
    total, available = _host_memory(root)
    for limit, used in _group_memory(root):
        total = min(total, limit)
        available = min(available, max(0, limit - used))
    return total, available


def memory_available_bytes() -> int:
    """Memory that can be allocated now without swapping or hitting a control group's limit."""
    return memory_limits()[1]


def processor_identity(root: Path = Path("/")) -> str:
    """A text that differs between machines of different speed: processor, cores, vector instructions."""
    vectors = ",".join(_vector_instructions(root))
    return f"{platform.machine()}|{_processor_name(root)}|{core_count(root)}|{vectors}"


# ---- memory --------------------------------------------------------------------------------------


def _host_memory(root: Path) -> tuple[int, int]:
    text = _read(root / "proc/meminfo")
    if text:
        fields = {line.split(":")[0]: line.split()[1] for line in text.splitlines() if len(line.split()) > 1}
        total = int(fields["MemTotal"]) * 1024
        # MemAvailable is missing only before Linux 3.14; free pages are then the safe answer.
        return total, int(fields.get("MemAvailable", fields["MemFree"])) * 1024
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return total, min(total, _macos_available_bytes() or total)


def _macos_available_bytes() -> int | None:
    """Free, inactive and speculative pages as `vm_stat` counts them; None where there is no such command."""
    text = _shell("vm_stat") if sys.platform == "darwin" else None
    if not text:
        return None
    pages = 0
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name in ("Pages free", "Pages inactive", "Pages speculative"):
            pages += int(value.strip().rstrip("."))
    return pages * int(os.sysconf("SC_PAGE_SIZE"))


def _group_memory(root: Path) -> list[tuple[int, int]]:
    """(limit, used) bytes of each control group around this process that sets a memory limit."""
    found: list[tuple[int, int]] = []
    for folder, limit_name, used_name, cache_name in _memory_group_folders(root):
        limit, used = _read(folder / limit_name).strip(), _read(folder / used_name).strip()
        if not limit.isdigit() or not used.isdigit() or int(limit) >= 1 << 60:
            continue  # "max", or version 1's way of writing no limit: about 2^63
        # Page cache that the kernel can drop at once counts as free, as it does in MemAvailable.
        droppable = 0
        for line in _read(folder / "memory.stat").splitlines():
            if line.startswith(cache_name + " "):
                droppable = int(line.split()[1])
        found.append((int(limit), max(0, int(used) - droppable)))
    return found


def _memory_group_folders(root: Path) -> list[tuple[Path, str, str, str]]:
    rows: list[tuple[Path, str, str, str]] = []
    for line in _read(root / "proc/self/cgroup").splitlines():
        hierarchy, controllers, path = line.split(":", 2)
        if hierarchy == "0":
            base, names = root / "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            base = root / "sys/fs/cgroup/memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        rows += [(folder, *names) for folder in _ancestors(base, path)]
    return rows


def _ancestors(base: Path, path: str) -> list[Path]:
    """`base/path` and every folder above it up to `base`: a limit anywhere on the way binds.

    Inside a container the path may be the host's and not exist here; the mount's own root then holds the
    limits.
    """
    folder = base / path.lstrip("/")
    folders = [base]
    while folder != base and base in folder.parents:
        folders.append(folder)
        folder = folder.parent
    return [each for each in folders if each.is_dir()]


# ---- cores ---------------------------------------------------------------------------------------


def _cpu_quota(root: Path) -> float | None:
    """The tightest CPU quota of the control groups around this process, in cores; None when there is none."""
    quotas: list[float] = []
    for line in _read(root / "proc/self/cgroup").splitlines():
        hierarchy, controllers, path = line.split(":", 2)
        if hierarchy == "0":
            for folder in _ancestors(root / "sys/fs/cgroup", path):
                fields = _read(folder / "cpu.max").split()
                if len(fields) == 2 and fields[0].isdigit():
                    quotas.append(int(fields[0]) / int(fields[1]))
        elif "cpu" in controllers.split(","):
            for folder in _ancestors(root / "sys/fs/cgroup/cpu", path):
                quota, period = (
                    _read(folder / "cpu.cfs_quota_us").strip(),
                    _read(folder / "cpu.cfs_period_us").strip(),
                )
                if quota.isdigit() and period.isdigit():  # -1 is no quota
                    quotas.append(int(quota) / int(period))
    return min(quotas, default=None)


# ---- processor and GPUs --------------------------------------------------------------------------


def _processor_name(root: Path) -> str:
    for line in _read(root / "proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    if sys.platform == "darwin":
        return (_shell("sysctl", "-n", "machdep.cpu.brand_string") or "").strip() or platform.processor()
    return platform.processor() or platform.machine()


def _vector_instructions(root: Path) -> tuple[str, ...]:
    for line in _read(root / "proc/cpuinfo").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            flags = set(value.split())
            return tuple(flag for flag in _VECTOR_FLAGS if flag in flags)
    # macOS has no such file. Every 64-bit Arm processor has Advanced SIMD.
    return ("asimd",) if platform.machine() in ("arm64", "aarch64") else ()


def _gpus(root: Path) -> tuple[Gpu, ...]:
    """GPUs by their drivers: NVIDIA's own tool first (it knows the memory), then its /proc entries, then
    AMD's."""
    listing = _shell("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits")
    if listing:
        found = [_nvidia_row(line) for line in listing.splitlines() if "," in line]
        if found:
            return tuple(found)
    gpus = []
    for file in sorted((root / "proc/driver/nvidia/gpus").glob("*/information")):
        for line in _read(file).splitlines():
            if line.startswith("Model:"):
                gpus.append(Gpu(line.split(":", 1)[1].strip(), 0, "/proc/driver/nvidia"))
    for file in sorted((root / "sys/class/drm").glob("card*/device/mem_info_vram_total")):
        size = _read(file).strip()
        name = _read(file.parent / "product_name").strip() or "AMD GPU"
        gpus.append(Gpu(name, int(size) if size.isdigit() else 0, "/sys/class/drm"))
    return tuple(gpus)


def _nvidia_row(line: str) -> Gpu:
    name, _, memory_mib = line.rpartition(",")
    memory_mib = memory_mib.strip()
    return Gpu(name.strip(), int(memory_mib) * 1024**2 if memory_mib.isdigit() else 0, "nvidia-smi")


def _read(path: Path) -> str:
    """The file's text, empty where this system has no such file: each caller has an answer for that."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _shell(*command: str) -> str | None:
    """What a command prints, or None when it is missing, fails or takes longer than a few seconds."""
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_SHELL_SECONDS_MAX, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
