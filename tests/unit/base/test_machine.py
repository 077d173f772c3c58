"""What a machine has, read from copies of the operating system's files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qrealm.base import machine
from qrealm.base.machine import Gpu
from qrealm.base.units import GIB, MIB, format_bytes, format_gib, format_rate, format_seconds

MEMINFO = "MemTotal:       16777216 kB\nMemFree:         1048576 kB\nMemAvailable:    8388608 kB\n"


@pytest.fixture
def root(tmp_path):
    write(tmp_path, "proc/meminfo", MEMINFO)
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_memory_of_a_host_without_limits(root):
    assert machine.memory_limits(root) == (16 * GIB, 8 * GIB)


def test_an_old_kernel_tells_only_free_memory(root):
    write(root, "proc/meminfo", "MemTotal: 2048 kB\nMemFree: 1024 kB\n")
    assert machine.memory_limits(root) == (2 * MIB, MIB)


def test_a_version_2_group_limits_memory_and_its_parents_do_too(root):
    write(root, "proc/self/cgroup", "0::/user/job\n")
    write(root, "sys/fs/cgroup/user/job/memory.max", "max\n")
    write(root, "sys/fs/cgroup/user/memory.max", str(2 * GIB))
    write(root, "sys/fs/cgroup/user/memory.current", str(GIB))
    write(root, "sys/fs/cgroup/user/memory.stat", f"anon 5\ninactive_file {GIB // 2}\n")
    assert machine.memory_limits(root) == (2 * GIB, 3 * GIB // 2)


def test_a_version_1_group_limits_memory(root):
    write(root, "proc/self/cgroup", "9:name=systemd:/\n4:memory:/box\n1:cpu:/\n0::/\n")
    write(root, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712")
    write(root, "sys/fs/cgroup/memory/memory.usage_in_bytes", "5")
    write(root, "sys/fs/cgroup/memory/box/memory.limit_in_bytes", str(4 * GIB))
    write(root, "sys/fs/cgroup/memory/box/memory.usage_in_bytes", str(5 * GIB))
    assert machine.memory_limits(root) == (4 * GIB, 0)


def test_a_container_sees_its_group_at_the_root(root):
    write(root, "proc/self/cgroup", "0::/docker/abc\n")  # the host's path, which does not exist inside
    write(root, "sys/fs/cgroup/memory.max", str(GIB))
    write(root, "sys/fs/cgroup/memory.current", "0")
    assert machine.memory_limits(root) == (GIB, GIB)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs processor affinity")
def test_cores_respect_affinity_and_quota(root, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert machine.core_count(root) == 8
    write(root, "proc/self/cgroup", "0::/\n")
    write(root, "sys/fs/cgroup/cpu.max", "max 100000")
    assert machine.core_count(root) == 8
    write(root, "sys/fs/cgroup/cpu.max", "250000 100000")
    assert machine.core_count(root) == 3
    write(root, "proc/self/cgroup", "3:cpu,cpuacct:/small\n")
    write(root, "sys/fs/cgroup/cpu/small/cpu.cfs_quota_us", "50000")
    write(root, "sys/fs/cgroup/cpu/small/cpu.cfs_period_us", "100000")
    assert machine.core_count(root) == 1
    write(root, "sys/fs/cgroup/cpu/small/cpu.cfs_quota_us", "-1")
    assert machine.core_count(root) == 8


def test_vector_instructions_and_model(root):
    write(root, "proc/cpuinfo", "model name\t: Fast One\nflags\t\t: fpu sse4_2 avx2 avx512f avx\n")
    here = machine.look(root)
    assert here.processor == "Fast One"
    assert here.vector_instructions == ("avx512f", "avx2", "avx", "sse4_2")
    write(root, "proc/cpuinfo", "processor\t: 0\nFeatures\t: fp asimd sve\n")
    assert machine.look(root).vector_instructions == ("sve", "asimd")
    assert machine.processor_identity(root).endswith("sve,asimd")


def test_gpus_by_their_drivers(root, monkeypatch):
    monkeypatch.setattr(machine, "_shell", lambda *_: None)
    assert machine.look(root).gpus == ()
    write(root, "proc/driver/nvidia/gpus/0000:01/information", "Model: \t\t NVIDIA T4\nIRQ: 5\n")
    write(root, "sys/class/drm/card1/device/mem_info_vram_total", str(8 * GIB))
    write(root, "sys/class/drm/card1/device/product_name", "Radeon\n")
    assert machine.look(root).gpus == (
        Gpu("NVIDIA T4", 0, "/proc/driver/nvidia"),
        Gpu("Radeon", 8 * GIB, "/sys/class/drm"),
    )
    monkeypatch.setattr(machine, "_shell", lambda *_: "NVIDIA H200, 143771\nNVIDIA, A100, [N/A]\n")
    assert machine.look(root).gpus == (
        Gpu("NVIDIA H200", 143771 * MIB, "nvidia-smi"),
        Gpu("NVIDIA, A100", 0, "nvidia-smi"),
    )


def test_a_command_that_is_missing_or_fails_says_nothing():
    assert machine._shell("no-such-command-here") is None
    assert machine._shell("false") is None
    assert machine._shell("echo", "yes") == "yes\n"


def test_this_machine_is_plausible():
    here = machine.look()
    assert 1 <= here.cores <= here.cores_total
    assert 0 < here.memory_available_bytes <= here.memory_total_bytes
    assert machine.cores_default() == machine.core_count()


@pytest.mark.parametrize(
    "value, text",
    [
        (0, "0 s"),
        (3e-10, "0.3 ns"),
        (5e-6, "5 µs"),
        (0.0123, "12.3 ms"),
        (90, "90 s"),
        (600, "10 min"),
        (7200, "2 h"),
        (2 * 86_400, "2 d"),
    ],
)
def test_durations(value, text):
    assert format_seconds(value) == text


def test_sizes_and_rates():
    assert format_gib(8 * GIB) == "8 GiB"
    assert format_gib(256 * MIB) == "0.25 GiB"
    assert format_gib(8192 * GIB) == "8,192 GiB"
    sizes = [format_bytes(size) for size in (512, 1536, 3 * MIB, 1023 * GIB)]
    assert sizes == ["512 B", "1.5 KiB", "3 MiB", "1,023 GiB"]
    assert [format_rate(rate) for rate in (5, 1500, 2.5e6, 3e9)] == ["5 /s", "1.5 k/s", "2.5 M/s", "3 G/s"]
